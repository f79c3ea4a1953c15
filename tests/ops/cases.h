/* tests/ops/cases.h - the samples of the op table as cases to run: one op, one sample, one
 * float type; inputs drawn from the sample's ranges, the reference's results beside them.
 */
#ifndef GI_CASES_H
#define GI_CASES_H

#include "test.h"

#include "glia/glia.h"
#include "ops/attrs.h"
#include "ops/ref.h"

static const gi_clock case_clock = {5, 2}; /* of random ops, everywhere in these tests */

typedef struct op_case {
  const gi_op *op;
  const gi_sample *sample;
  int number; /* of the sample */
  glia_dtype dtype;
  glia_dtype beside; /* of the inputs that may stay f32 beside narrow ones (gi_op.f32_in) */
  int n_in, n_out;
  gi_type in_type[GI_SAMPLE_IN], out_type[GI_MAX_OUT];
  gi_buf in[GI_SAMPLE_IN], out[GI_MAX_OUT]; /* out: by the reference */
} op_case;

/* "conv2d sample 3 (f32)": where a test failed. Borrowed until the next call. */
static inline const char *case_name(const op_case *c) {
  static char text[128];
  snprintf(text, sizeof text, "%s sample %d (%s%s%s)", c->op->name, c->number,
           glia_dtype_name(c->dtype), c->beside != c->dtype ? " beside " : "",
           c->beside != c->dtype ? glia_dtype_name(c->beside) : "");
  return text;
}

static inline double draw(const gi_rng *r, int64_t e, glia_dtype t, double low, double high) {
  const double u = gi_rng_uniform(r, (uint64_t)e);
  if (t == GLIA_BOOL) return u < 0.5 ? 0 : 1;
  return glia_dtype_is_float(t) ? low + (high - low) * u : floor(low + u * (high - low));
}

static inline gi_buf new_buf(const gi_type *t) {
  const gi_buf b = {*t, gi_alloc_aligned(gi_type_bytes(t) + 64)};
  assert_non_null(b.p);
  return b;
}

/* The types of the sample's inputs, with F32 standing for dtype (or `beside`). */
static inline void case_types(op_case *c) {
  c->n_in = c->sample->n_in;
  for (int i = 0; i < c->n_in; i++) {
    gi_type *t = &c->in_type[i];
    *t = (gi_type){.dtype = c->sample->in[i].dtype, .rank = c->sample->in[i].rank};
    if (t->dtype == GLIA_F32) t->dtype = c->op->f32_in >> i & 1 ? c->beside : c->dtype;
    memcpy(t->dim, c->sample->in[i].dim, (size_t)t->rank * sizeof t->dim[0]);
  }
}

static inline glia_status case_infer(op_case *c) {
  memset(c->out_type, 0, sizeof c->out_type);
  gi_infer infer = {c->n_in, c->in_type, c->sample->attr, c->op->n_out, c->out_type};
  const glia_status s = c->op->infer(&infer);
  c->n_out = infer.n_out;
  return s;
}

static inline glia_status case_reference(const op_case *c, const gi_buf *in, gi_buf *out) {
  gi_ref r = {c->n_in, c->n_out, in, out, c->sample->attr, &case_clock};
  return c->op->ref(&r);
}

/* A sample that must work: types, inputs, reference. */
static inline void case_open_beside(op_case *c, const gi_op *op, int number, glia_dtype dtype,
                                    glia_dtype beside) {
  *c = (op_case){.op = op,
                 .sample = &op->samples[number],
                 .number = number,
                 .dtype = dtype,
                 .beside = beside};
  case_types(c);
  OK(case_infer(c));
  for (int i = 0; i < c->n_in; i++) {
    const gi_rng r = {gi_hash_str(op->name, 1), (uint64_t)i, (uint64_t)number};
    c->in[i] = new_buf(&c->in_type[i]);
    const int64_t count = gi_type_count(&c->in_type[i]);
    for (int64_t e = 0; e < count; e++)
      gi_put(&c->in[i], e,
             draw(&r, e, c->in_type[i].dtype, c->sample->in[i].low, c->sample->in[i].high));
  }
  for (int k = 0; k < c->n_out; k++) c->out[k] = new_buf(&c->out_type[k]);
  OK(case_reference(c, c->in, c->out));
}

static inline void case_open(op_case *c, const gi_op *op, int number, glia_dtype dtype) {
  case_open_beside(c, op, number, dtype, dtype);
}

static inline void case_close(op_case *c) {
  for (int i = 0; i < c->n_in; i++) gi_free_aligned(c->in[i].p);
  for (int k = 0; k < c->n_out; k++) gi_free_aligned(c->out[k].p);
}

/* Elements agree: integers exactly, floats within tolerance times their size and that of the
 * whole result (sums cancel), which is at least `scale`. */
static inline void expect_close(const gi_buf *got, const gi_buf *want, double tolerance,
                                double scale, const char *where) {
  const int64_t count = gi_type_count(&want->t);
  double sum = 0;
  for (int64_t e = 0; e < count; e++)
    if (isfinite(gi_get(want, e))) sum += gi_get(want, e) * gi_get(want, e);
  const double size = fmax(scale, count > 0 ? sqrt(sum / (double)count) : 0);
  for (int64_t e = 0; e < count; e++) {
    const double a = gi_get(got, e), b = gi_get(want, e);
    const double room = glia_dtype_is_float(want->t.dtype) ? tolerance * (fabs(b) + size) : 0;
    if (a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= room) continue;
    fail_msg("%s: element %lld is %.9g, wanted %.9g", where, (long long)e, a, b);
  }
}

/* Calls fn for every op whose samples can be run. */
typedef void case_fn(const gi_op *op, int number);
static inline bool visit_samples(const gi_op *op, void *user) {
  case_fn **fn = user;
  for (int i = 0; i < op->n_samples; i++)
    if (op->samples[i].want == GLIA_OK) (*fn)(op, i);
  return true;
}
static inline void each_sample(case_fn *fn) { gi_op_each(visit_samples, &fn); }

/* The inputs of a case as inputs x0, x1... of a graph. */
static inline void case_inputs(const op_case *c, glia_graph *g, glia_value *in) {
  for (int i = 0; i < c->n_in; i++) {
    const char name[] = {'x', (char)('0' + i), '\0'};
    in[i] = glia_input(g, name, c->in_type[i].dtype, c->in_type[i].rank, c->in_type[i].dim);
  }
}

static inline void case_bind(const op_case *c, glia_plan *p, glia_tensor **hold) {
  for (int i = 0; i < c->n_in; i++) {
    const char name[] = {'x', (char)('0' + i), '\0'};
    OK(glia_tensor_wrap(c->in_type[i].dtype, c->in_type[i].rank, c->in_type[i].dim, c->in[i].p,
                        &hold[i]));
    OK(glia_plan_bind(p, name, hold[i]));
  }
}

static inline gi_buf output_buf(const glia_plan *p, const char *name) {
  const glia_tensor *t = glia_plan_output(p, name);
  if (t == NULL) fail_msg("the plan has no output %s", name);
  return (gi_buf){gi_tensor_type(t), glia_tensor_data(t)};
}

#endif /* GI_CASES_H */
