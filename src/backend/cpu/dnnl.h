/* cpu/dnnl.h - oneDNN, as chains of primitives over the buffers of one step of a plan.
 *
 * A kernel that computes with oneDNN keeps a gi_chain as its state: primitives in the order in
 * which they run (a weight reordered, then the convolution), each bound to inputs, outputs and
 * scratch of the step. Every primitive takes its scratchpad from the plan's scratch, so that a
 * run allocates nothing here. oneDNN's status codes become messages at this one place.
 *
 * What differs between oneDNN 2 and 3 (descriptors by value, operation descriptors) is used in
 * dnnl.c, kernels/conv_onednn.c and kernels/matmul_onednn.c only.
 */
#ifndef GI_DNNL_H
#define GI_DNNL_H

#include <oneapi/dnnl/dnnl.h>

#include "backend/cpu/cpu.h"

/* Where an argument of a primitive lies. */
typedef enum gi_buffer_kind {
  GI_BUFFER_IN,
  GI_BUFFER_OUT,
  GI_BUFFER_SCRATCH,
  GI_BUFFER_KEPT /* owned by the chain, filled when it was made */
} gi_buffer_kind;
typedef struct gi_buffer {
  gi_buffer_kind kind;
  size_t at; /* number of the input or output; offset in the scratch */
} gi_buffer;
static inline gi_buffer gi_in(size_t i) { return (gi_buffer){GI_BUFFER_IN, i}; }
static inline gi_buffer gi_out(size_t i) { return (gi_buffer){GI_BUFFER_OUT, i}; }

typedef struct gi_bind {
  int arg; /* DNNL_ARG_... */
  gi_buffer buffer;
} gi_bind;

typedef struct gi_chain gi_chain;

/* An empty chain that runs on so many threads. */
glia_status gi_chain_new(int threads, gi_chain **out);
/* Reserves scratch that lives for the whole run. */
gi_buffer gi_chain_scratch(gi_chain *c, size_t bytes);
/* Adds the primitive of pd, which is destroyed; argument layouts are those that pd asks for. */
glia_status gi_chain_add(gi_chain *c, dnnl_primitive_desc_t pd, const gi_bind *args, int n);
/* Where the elements of input i (as in have) lie in the layout `want`: the input itself if the
 * two are equal; memory of the chain, filled here, if the problem knows the elements; else
 * scratch, to which a reorder is added. */
glia_status gi_chain_reordered(gi_chain *c, const gi_problem *p, int i,
                               const dnnl_memory_desc_t *have, const dnnl_memory_desc_t *want,
                               gi_buffer *out);
/* Adds a reorder to `to`. */
glia_status gi_chain_reorder(gi_chain *c, gi_buffer from, const dnnl_memory_desc_t *have,
                             gi_buffer to, const dnnl_memory_desc_t *want);
/* Adds a copy that is left out in runs where both are the same memory. */
glia_status gi_chain_copy(gi_chain *c, gi_buffer from, gi_buffer to,
                          const dnnl_memory_desc_t *desc);
/* Adds to = a + b, or relu of it, all of one layout; to may be the memory of a. */
glia_status gi_chain_sum(gi_chain *c, gi_buffer a, gi_buffer b, gi_buffer to,
                         const dnnl_memory_desc_t *desc, bool relu);
/* Hands the chain to the plan; to be called last. */
void gi_chain_finish(gi_chain *c, gi_prepared *out);
glia_status gi_chain_run(const gi_exec *x); /* gi_kernel.run */
void gi_chain_free(void *chain);            /* gi_kernel.release */

/* Its version and the best instruction set that it uses: "2.6.3 avx2". */
void gi_dnnl_setup(gi_str *out);
/* Does it use AVX-512? GLIA_ISA and DNNL_MAX_CPU_ISA may forbid it. */
bool gi_dnnl_wide(void);
/* Can its convolutions add to what lies there at any address? With SSE4.1 it must be aligned.
 */
bool gi_dnnl_adds_anywhere(void);
/* One engine serves all, made at the first call. */
glia_status gi_dnnl_engine(dnnl_engine_t *out);
/* oneDNN settles the number of threads when a primitive is described, and must run with it: set
 * it for this thread, and put back what was before. */
int gi_dnnl_enter(int threads);
void gi_dnnl_leave(int before);
/* GLIA_OK, or a failure that says what oneDNN was asked for. */
glia_status gi_dnnl_check(dnnl_status_t s, const char *what);
/* Attributes with the scratchpad in the caller's hands; the result is added to what is there if
 * wanted, and a relu ends it if wanted. Owned. */
glia_status gi_dnnl_attr(bool sum, bool relu, dnnl_primitive_attr_t *out);
/* Why oneDNN cannot compute with these elements here, or NULL: f32 always, bf16 where the
 * processor multiplies it. */
const char *gi_dnnl_takes(glia_dtype t);
/* Descriptor of such elements with these strides; strides NULL: as oneDNN likes it best. */
glia_status gi_dnnl_desc(glia_dtype dtype, int rank, const int64_t *dims,
                         const int64_t *strides, dnnl_memory_desc_t *out);
/* The layout that a primitive has settled on for one of its arguments. */
const dnnl_memory_desc_t *gi_dnnl_arg(dnnl_primitive_desc_t pd, int arg);

#endif /* GI_DNNL_H */
