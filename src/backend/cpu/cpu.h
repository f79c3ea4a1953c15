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

/* How many parts to cut `work` into, so that each is worth a thread: 1 .. threads. */
int gi_cpu_parts(int threads, int64_t work, int64_t least);

/* Calls fn(user, part) for part = 0 .. parts - 1 on at most `threads` threads, each taking one
 * run of neighbouring parts. What a part computes must not depend on who takes it: then results
 * are the same for any number of threads. With one thread or one part nobody else is woken. */
void gi_cpu_for(int threads, int64_t parts, void (*fn)(void *user, int64_t part), void *user);

#endif /* GI_CPU_H */
