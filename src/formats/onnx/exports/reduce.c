/* exports/reduce.c - sums, means and the like over axes; running sums; order. */
#include "formats/onnx/export.h"

static const gi_reduce_attr *attr(const gi_onnx_writing *w) { return w->attr; }

/* Of what has this name; axes are an input of ReduceSum, an attribute of the others. */
static const char *reduced(gi_onnx_writing *w, const char *op, const char *x, bool keep) {
  const gi_dims *axes = &attr(w)->axes;
  const bool sum = strcmp(op, "ReduceSum") == 0;
  const char *list = sum ? gi_onnx_put_whole(w, axes->at, axes->n) : "";
  if (!sum) gi_onnx_put_ints(w, "axes", axes->at, axes->n);
  gi_onnx_put_int(w, "keepdims", keep);
  return sum ? gi_onnx_put(w, op, 2, x, list) : gi_onnx_put(w, op, 1, x);
}

/* Without axes ONNX reduces all of them, and glia none. */
static glia_status by(gi_onnx_writing *w, const char *op) {
  const bool none = attr(w)->axes.n == 0;
  gi_onnx_give(
      w, 0,
      none ? gi_onnx_put(w, "Identity", 1, w->in[0]) : reduced(w, op, w->in[0], attr(w)->keep));
  return GLIA_OK;
}
static glia_status write_sum(gi_onnx_writing *w) { return by(w, "ReduceSum"); }
static glia_status write_mean(gi_onnx_writing *w) { return by(w, "ReduceMean"); }
static glia_status write_max(gi_onnx_writing *w) { return by(w, "ReduceMax"); }
static glia_status write_min(gi_onnx_writing *w) { return by(w, "ReduceMin"); }
static glia_status write_prod(gi_onnx_writing *w) { return by(w, "ReduceProd"); }

/* The mean of (x - mean)^2; unbiased: times n / (n - 1). */
static glia_status write_variance(gi_onnx_writing *w) {
  const gi_reduce_attr *a = attr(w);
  int64_t n = 1;
  bool varies = false;
  if (a->axes.n == 0) return gi_fail(GLIA_UNSUPPORTED, "over no axes");
  for (int i = 0; i < a->axes.n; i++) {
    n *= w->in_type[0].dim[a->axes.at[i]];
    varies |= gi_onnx_input_varies(w, 0, (int)a->axes.at[i]);
  }
  if (a->unbiased && varies) return gi_fail(GLIA_UNSUPPORTED, "unbiased, over the batch");
  const char *mean = reduced(w, "ReduceMean", w->in[0], true);
  const char *off = gi_onnx_put(w, "Sub", 2, w->in[0], mean);
  const char *y = reduced(w, "ReduceMean", gi_onnx_put(w, "Mul", 2, off, off), a->keep);
  if (a->unbiased) {
    const double more = (double)n / (double)(n - 1);
    y = gi_onnx_put(w, "Mul", 2, y, gi_onnx_number(w, w->in_type[0].dtype, more));
  }
  gi_onnx_give(w, 0, y);
  return GLIA_OK;
}

static glia_status arg(gi_onnx_writing *w, const char *op) {
  gi_onnx_put_int(w, "axis", attr(w)->axes.at[0]);
  gi_onnx_put_int(w, "keepdims", attr(w)->keep);
  gi_onnx_give(w, 0, gi_onnx_put(w, op, 1, w->in[0]));
  return GLIA_OK;
}
static glia_status write_argmax(gi_onnx_writing *w) { return arg(w, "ArgMax"); }
static glia_status write_argmin(gi_onnx_writing *w) { return arg(w, "ArgMin"); }

static glia_status write_cumsum(gi_onnx_writing *w) {
  const gi_cumulative_attr *a = w->attr;
  const char *axis = gi_onnx_number(w, GLIA_I64, (double)a->axis);
  gi_onnx_put_int(w, "reverse", a->reverse);
  gi_onnx_give(w, 0, gi_onnx_put(w, "CumSum", 2, w->in[0], axis));
  return GLIA_OK;
}

static glia_status write_sort(gi_onnx_writing *w) {
  const gi_sort_attr *a = w->attr;
  const char *in[] = {w->in[0], gi_onnx_put_whole(w, &a->count, 1)}, *out[] = {"", ""};
  if (gi_onnx_input_varies(w, 0, (int)a->axis))
    return gi_fail(GLIA_UNSUPPORTED, "of as many as the batch has");
  gi_onnx_put_int(w, "axis", a->axis);
  gi_onnx_put_int(w, "largest", a->descending);
  gi_onnx_put_many(w, "TopK", in, 2, out, 2);
  gi_onnx_give(w, 0, out[0]);
  gi_onnx_give(w, 1, out[1]);
  return GLIA_OK;
}

#define MADE(id) static const gi_onnx_export id##_row = {.op = &gi_op_##id, .write = write_##id}
MADE(sum);
MADE(mean);
MADE(max);
MADE(min);
MADE(prod);
MADE(variance);
MADE(argmax);
MADE(argmin);
MADE(cumsum);
MADE(sort);
const gi_onnx_export *const gi_onnx_exports_reduce[] = {
    &sum_row,    &mean_row,   &max_row,    &min_row,  &prod_row, &variance_row,
    &argmax_row, &argmin_row, &cumsum_row, &sort_row, NULL};
