/* matmul_onednn.c - matrix products by oneDNN.
 *
 * Transposes are strides. oneDNN's own packing of a product's operands was measured against
 * operands packed beforehand (format "any" and a reorder) and against its inner product: for
 * the shapes of dense layers and their gradients the plain product is the fastest or level, so
 * nothing is reordered here.
 *
 * [..., M, K] x [K, N] is one product of all rows, where a is not transposed.
 */
#include <math.h>

#include "backend/cpu/dnnl.h"
#include "backend/cpu/matrix.h"
#include "ops/attrs.h"

enum { PART = 1 << 18 /* operations worth a thread */ };

static const char *fits(const gi_problem *p) {
  for (int i = 0; i < p->n_in; i++) {
    const char *why = gi_dnnl_takes(p->in[i].dtype);
    if (why != NULL) return why;
    if (gi_type_count(&p->in[i]) == 0) return "an operand has no elements";
  }
  if (gi_type_count(&p->out[0]) == 0) return "the product has no elements";
  const gi_matmul_attr *a = p->attr;
  if (a->activation != NULL && a->activation[0] != '\0' && strcmp(a->activation, "relu") != 0)
    return "knows relu as the only activation";
  return NULL;
}

static glia_status describe(const gi_matrix *m, glia_dtype dtype, dnnl_memory_desc_t *out) {
  return gi_dnnl_desc(dtype, m->rank, m->dim, m->stride, out);
}

/* bf16 products reach nearly twice the limit of f32 ones. */
static const double NARROW_SHARE = 1.9;

/* Share of the limit that it reaches in f32, as measured. With AVX2 two threads gain less than
 * tiles do, and rows of a second operand that lie a multiple of 2 KiB apart meet in the same
 * lines of the caches. */
static double share_of(const gi_problem *p) {
  const gi_matmul_attr *at = p->attr;
  const int64_t row = p->in[1].dim[p->in[1].rank - 1] * 4;
  if (gi_dnnl_wide()) return 1;
  return p->threads > 1 || (!at->transpose_b && row % 2048 == 0) ? 0.6 : 0.8;
}

/* Its arguments are looked at anew in each call: about a microsecond. */
static double cost(const gi_problem *p, const gi_limits *limits) {
  const double share = p->in[0].dtype == GLIA_BF16 ? NARROW_SHARE : share_of(p);
  return gi_time(p, limits, share, 1) + 5e-7;
}

/* result: as the product is written. */
static glia_status create(const gi_problem *p, dnnl_primitive_desc_t *pd,
                          dnnl_memory_desc_t *result) {
  const gi_matmul_attr *at = p->attr;
  const int rank = p->out[0].rank;
  gi_matrix a = gi_matrix_view(&p->in[0], rank, at->transpose_a),
            c = gi_matrix_view(&p->out[0], rank, false);
  gi_matrix b = gi_matrix_view(&p->in[1], rank, at->transpose_b), bias = {.rank = rank};
  if (!at->transpose_a && p->in[1].rank == 2) {
    gi_matrix_join_rows(&a);
    gi_matrix_join_rows(&c);
    b = gi_matrix_view(&p->in[1], 2, at->transpose_b);
    bias.rank = 2;
  }
  for (int d = 0; d < bias.rank; d++) {
    bias.dim[d] = d == bias.rank - 1 ? c.dim[d] : 1;
    bias.stride[d] = d == bias.rank - 1 ? 1 : c.dim[bias.rank - 1];
  }
  const int with = gi_bias_input(p->op, p->n_in);
  const bool relu = at->activation != NULL && strcmp(at->activation, "relu") == 0;
  dnnl_memory_desc_t da, db, dc, dbias;
  GI_TRY(describe(&a, p->in[0].dtype, &da));
  GI_TRY(describe(&b, p->in[1].dtype, &db));
  GI_TRY(describe(&c, p->out[0].dtype, &dc));
  GI_TRY(describe(&bias, with >= 0 ? p->in[with].dtype : GLIA_F32, &dbias));
  *result = dc;
  dnnl_engine_t engine;
  dnnl_primitive_attr_t attr;
  dnnl_matmul_desc_t desc;
  GI_TRY(gi_dnnl_engine(&engine));
  GI_TRY(gi_dnnl_check(dnnl_matmul_desc_init(&desc, &da, &db, with >= 0 ? &dbias : NULL, &dc),
                       "product"));
  GI_TRY(gi_dnnl_attr(gi_adds(p->op), relu, &attr));
  const dnnl_status_t s = dnnl_primitive_desc_create(pd, &desc, attr, engine, NULL);
  dnnl_primitive_attr_destroy(attr);
  return gi_dnnl_check(s, "product");
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  gi_chain *c = NULL;
  dnnl_primitive_desc_t pd;
  const int threads =
      gi_cpu_parts(p->threads, (int64_t)fmin(gi_problem_cost(p).flops, 1e18), PART);
  const int bias = gi_bias_input(p->op, p->n_in);
  dnnl_memory_desc_t result;
  GI_TRY(gi_chain_new(threads, &c));
  const int before = gi_dnnl_enter(threads);
  glia_status s = create(p, &pd, &result);
  gi_dnnl_leave(before);
  if (s == GLIA_OK && gi_adds(p->op)) {
    s = gi_chain_copy(c, gi_in(GI_ADDED), gi_out(0), &result);
    if (s != GLIA_OK) dnnl_primitive_desc_destroy(pd);
  }
  const gi_bind args[] = {{DNNL_ARG_SRC, gi_in(0)},
                          {DNNL_ARG_WEIGHTS, gi_in(1)},
                          {DNNL_ARG_DST, gi_out(0)},
                          {DNNL_ARG_BIAS, gi_in((size_t)GI_MAX(bias, 0))}};
  if (s == GLIA_OK) s = gi_chain_add(c, pd, args, bias >= 0 ? 4 : 3);
  if (s == GLIA_OK)
    gi_chain_finish(c, out);
  else
    gi_chain_free(c);
  return s;
}

static const gi_kernel matmul_onednn = {
    .ops = {"matmul", "matmul_bias_act", "matmul_add_act"},
    .name = "matmul_onednn",
    .by_threads = true,
    .fits = fits,
    .cost = cost,
    .prepare = prepare,
    .run = gi_chain_run,
    .release = gi_chain_free,
};

const gi_kernel *const gi_cpu_kernels_matmul_onednn[] = {&matmul_onednn, NULL};
