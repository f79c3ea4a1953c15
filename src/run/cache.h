/* run/cache.h - plans by shape: a function is traced and compiled once for each set of input
 * types, and the plans share one arena, since they never run at the same time.
 */
#ifndef GI_CACHE_H
#define GI_CACHE_H

#include "compile/plan.h"

/* Builds the graph of one kind of step. `mode` tells steps of one cache apart (train,
 * evaluate); inputs are declared by the function itself from their types. */
typedef void (*gi_trace)(glia_graph *g, int mode, const gi_type *inputs, int n, void *user);

typedef struct gi_cache gi_cache;

/* At most `limit` plans (0: 8); the one used longest ago goes first. opts are kept as a copy.
 */
glia_status gi_cache_new(const glia_compile_opts *opts, int limit, gi_trace trace, void *user,
                         gi_cache **out);
void gi_cache_free(gi_cache *c);
/* The plan for this mode and these types, traced and compiled if it is not there: borrowed
 * until the next call. watch: as in glia_compile_opts, of the plans made by this call. */
glia_status gi_cache_get(gi_cache *c, int mode, const gi_type *inputs, int n, const char *watch,
                         glia_plan **out);
/* Forgets all plans: after freezing, say, what is traced changes. */
void gi_cache_clear(gi_cache *c);
size_t gi_cache_bytes(const gi_cache *c); /* of the shared arena */
int gi_cache_count(const gi_cache *c);

#endif /* GI_CACHE_H */
