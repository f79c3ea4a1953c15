/* cpu/cpu.h - what the kernels of the cpu backend share: instruction set, threads.
 */
#ifndef GI_CPU_H
#define GI_CPU_H

#include "backend/backend.h"
#include "backend/cpu/isa/isa.h"

/* The vector loops to use: the best set that this processor has and that GLIA_ISA ("base",
 * "avx2", "avx512"; unset: any) allows. Read anew at each call: kernels ask while they prepare.
 */
const gi_isa *gi_cpu_isa(void);
const gi_isa *gi_cpu_best_isa(void); /* whatever GLIA_ISA says */
/* Its loops over values of this type; NULL: there are none. */
const gi_element_loops *gi_cpu_elements(glia_dtype t);

/* How many parts to cut `work` into, so that each is worth a thread: 1 .. threads. */
int gi_cpu_parts(int threads, int64_t work, int64_t least);

/* Calls fn(user, part) for part = 0 .. parts - 1, cut for so many threads, each of which begins
 * with its own run of neighbouring parts and then helps others. What a part computes must not
 * depend on who takes it, nor on the order: then results are the same for any number of
 * threads. With one thread or one part nobody else is woken. (team.c) */
void gi_cpu_for(int threads, int64_t parts, void (*fn)(void *user, int64_t part), void *user);
/* Inside a part: the number of the thread that runs it, below the number of threads that stand
 * by, which a problem tells (gi_problem.threads): for scratch that parts take turns with. */
int gi_cpu_lane(void);
/* Calls fn(user) while so many threads stand by for the loops in it. */
void gi_cpu_together(int threads, void (*fn)(void *user), void *user);

#endif /* GI_CPU_H */
