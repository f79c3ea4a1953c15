/* cpu/limits.h - what the cpu backend says of the machine: gi_backend's limits, measure, setup,
 * check.
 */
#ifndef GI_CPU_LIMITS_H
#define GI_CPU_LIMITS_H

#include "backend/backend.h"

gi_limits gi_cpu_limits(int threads);
glia_status gi_cpu_measure(int threads, gi_limits *out);
void gi_cpu_setup(gi_str *out);
void gi_cpu_check(gi_say say, void *user);

#endif /* GI_CPU_LIMITS_H */
