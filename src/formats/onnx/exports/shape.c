/* exports/shape.c - the same elements elsewhere: shapes, axes, parts, borders; and looking up
 * by index.
 */
#include "formats/onnx/export.h"

static glia_status give(gi_onnx_writing *w, const char *name) {
  gi_onnx_give(w, 0, name);
  return GLIA_OK;
}

/* ---- shapes ------------------------------------------------------------------------------ */

static glia_status write_reshape(gi_onnx_writing *w) {
  return give(w, gi_onnx_reshaped(w, w->in[0], 0));
}

static glia_status write_permute(gi_onnx_writing *w) {
  const gi_dims *axes = &((const gi_permute_attr *)w->attr)->axes;
  return give(w, gi_onnx_transposed(w, w->in[0], axes->at, axes->n));
}

/* Expand broadcasts both ways: an axis that x has already is 1 in the shape. */
static glia_status write_broadcast(gi_onnx_writing *w) {
  const gi_type *x = &w->in_type[0], *y = &w->out_type[0];
  int64_t shape[GLIA_MAX_RANK];
  bool varies = false;
  for (int i = 0; i < y->rank; i++) {
    const int own = i - (y->rank - x->rank);
    const bool there = own >= 0 && x->dim[own] == y->dim[i];
    shape[i] = there ? 1 : y->dim[i];
    varies |= !there && gi_onnx_varies(w, 0, i);
  }
  const char *to = varies ? gi_onnx_shape(w, 0) : gi_onnx_put_whole(w, shape, y->rank);
  return give(w, gi_onnx_put(w, "Expand", 2, w->in[0], to));
}

/* What is there for gradients and plans alone. */
static glia_status write_same(gi_onnx_writing *w) { return give(w, w->in[0]); }

/* ---- parts and borders ------------------------------------------------------------------- */

static const char *sliced(gi_onnx_writing *w, int64_t begin, int64_t end, int64_t axis,
                          int64_t step) {
  const char *from = gi_onnx_put_whole(w, &begin, 1), *to = gi_onnx_put_whole(w, &end, 1);
  const char *along = gi_onnx_put_whole(w, &axis, 1), *by = gi_onnx_put_whole(w, &step, 1);
  return gi_onnx_put(w, "Slice", 5, w->in[0], from, to, along, by);
}

static glia_status write_slice(gi_onnx_writing *w) {
  const gi_slice_attr *a = w->attr;
  return give(w, sliced(w, a->begin, a->end, a->axis, a->step));
}

static glia_status write_flip(gi_onnx_writing *w) {
  const gi_dims *axes = &((const gi_permute_attr *)w->attr)->axes;
  int64_t from[GLIA_MAX_RANK], to[GLIA_MAX_RANK], by[GLIA_MAX_RANK];
  for (int i = 0; i < axes->n; i++) {
    from[i] = -1;
    to[i] = INT64_MIN; /* in front of the first */
    by[i] = -1;
  }
  const char *a = gi_onnx_put_whole(w, from, axes->n), *b = gi_onnx_put_whole(w, to, axes->n);
  const char *c = gi_onnx_put_whole(w, axes->at, axes->n),
             *d = gi_onnx_put_whole(w, by, axes->n);
  return give(w, gi_onnx_put(w, "Slice", 5, w->in[0], a, b, c, d));
}

static glia_status write_pad(gi_onnx_writing *w) {
  const gi_pad_attr *a = w->attr;
  int64_t pads[2 * GLIA_MAX_RANK];
  const int rank = a->before.n;
  if (rank == 0) return write_same(w);
  for (int i = 0; i < rank; i++) {
    pads[i] = a->before.at[i];
    pads[rank + i] = a->after.at[i];
  }
  const char *around = gi_onnx_put_whole(w, pads, 2 * rank);
  const char *value = gi_onnx_number(w, w->in_type[0].dtype, a->value);
  return give(w, gi_onnx_put(w, "Pad", 3, w->in[0], around, value));
}

static glia_status write_concat(gi_onnx_writing *w) {
  const char *out[] = {""};
  gi_onnx_put_int(w, "axis", ((const gi_axis_attr *)w->attr)->axis);
  gi_onnx_put_many(w, "Concat", w->in, w->n_in, out, 1);
  return give(w, out[0]);
}

static glia_status triangle(gi_onnx_writing *w, bool upper) {
  const double diagonal = (double)((const gi_triangle_attr *)w->attr)->diagonal;
  const char *k = gi_onnx_number(w, GLIA_I64, diagonal);
  gi_onnx_put_int(w, "upper", upper);
  return give(w, gi_onnx_put(w, "Trilu", 2, w->in[0], k));
}
static glia_status write_tril(gi_onnx_writing *w) { return triangle(w, false); }
static glia_status write_triu(gi_onnx_writing *w) { return triangle(w, true); }

/* ---- by index ---------------------------------------------------------------------------- */

static glia_status look_up(gi_onnx_writing *w, const char *op) {
  gi_onnx_put_int(w, "axis", ((const gi_gather_attr *)w->attr)->axis);
  return give(w, gi_onnx_put(w, op, 2, w->in[0], w->in[1]));
}
static glia_status write_gather(gi_onnx_writing *w) { return look_up(w, "Gather"); }
static glia_status write_take_along(gi_onnx_writing *w) { return look_up(w, "GatherElements"); }

/* Runtimes of opset 17 set, add and multiply. */
static glia_status write_scatter(gi_onnx_writing *w) {
  const gi_scatter_attr *a = w->attr;
  const bool set = strcmp(a->mode, "set") == 0;
  if (!set && strcmp(a->mode, "add") != 0 && strcmp(a->mode, "mul") != 0)
    return gi_fail(GLIA_UNSUPPORTED, "by %s", a->mode);
  gi_onnx_put_int(w, "axis", a->axis);
  gi_onnx_put_text(w, "reduction", set ? "none" : a->mode);
  return give(w, gi_onnx_put(w, "ScatterElements", 3, w->in[0], w->in[1], w->in[2]));
}

/* Added to zeros. */
static glia_status write_put_along(gi_onnx_writing *w) {
  const gi_gather_attr *a = w->attr;
  const char *shape = gi_onnx_shape(w, 0);
  const char *zeros =
      gi_onnx_put(w, "Expand", 2, gi_onnx_number(w, w->in_type[0].dtype, 0), shape);
  gi_onnx_put_int(w, "axis", a->axis);
  gi_onnx_put_text(w, "reduction", "add");
  return give(w, gi_onnx_put(w, "ScatterElements", 3, zeros, w->in[1], w->in[0]));
}

/* 1 where the class is the index. (OneHot counts negative ones from the end.) */
static glia_status write_one_hot(gi_onnx_writing *w) {
  const gi_one_hot_attr *a = w->attr;
  const int64_t last = -1;
  gi_onnx_put_int(w, "to", GI_ONNX_INT64);
  const char *index = gi_onnx_put(w, "Cast", 1, w->in[0]);
  index = gi_onnx_put(w, "Unsqueeze", 2, index, gi_onnx_put_whole(w, &last, 1));
  const gi_type t = {.dtype = GLIA_I64, .rank = 1, .dim = {a->classes}};
  int64_t *k = gi_alloc(gi_type_bytes(&t));
  if (k == NULL) return gi_fail_nomem(gi_type_bytes(&t));
  for (int64_t i = 0; i < a->classes; i++) k[i] = i;
  const char *classes = gi_onnx_elements(w, &t, k);
  gi_free(k);
  const char *hit = gi_onnx_put(w, "Equal", 2, index, classes);
  gi_onnx_put_int(w, "to", gi_onnx_type_of(a->dtype));
  return give(w, gi_onnx_put(w, "Cast", 1, hit));
}

/* 0 .. n - 1 as [n, 1]. NULL without memory. */
static const char *column(gi_onnx_writing *w, int64_t n) {
  const gi_type t = {.dtype = GLIA_I64, .rank = 2, .dim = {n, 1}};
  int64_t *v = gi_alloc(gi_type_bytes(&t));
  for (int64_t i = 0; v != NULL && i < n; i++) v[i] = i;
  const char *name = v == NULL ? NULL : gi_onnx_elements(w, &t, v);
  gi_free(v);
  return name;
}

/* Of the axes from .. to - 1 of y as one: how many, or -1 where that depends on the batch. */
static int64_t joined(const gi_onnx_writing *w, int from, int to) {
  int64_t n = 1;
  for (int i = from; i < to; i++)
    n = n < 0 || gi_onnx_input_varies(w, 0, i) ? -1 : n * w->in_type[0].dim[i];
  return n;
}

/* y [A, I, B] added up by index: the product of a matrix that has 1 where the index of column i
 * is the row, with y. (ONNX's own ScatterND needs an index for every axis.) */
static glia_status write_scatter_add(gi_onnx_writing *w) {
  const gi_gather_attr *a = w->attr;
  const gi_type *y = &w->in_type[0], *index = &w->in_type[1];
  const int axis = (int)a->axis, behind = axis + index->rank;
  const int64_t flat[] = {1, -1};
  if (y->dtype != GLIA_F32 || joined(w, axis, behind) < 0 || gi_type_count(y) == 0)
    return gi_fail(GLIA_UNSUPPORTED,
                   "of nothing, other than f32, or by an index for the batch");
  const int64_t parts[] = {joined(w, 0, axis), joined(w, axis, behind),
                           joined(w, behind, y->rank)};
  const char *rows = column(w, a->size);
  if (rows == NULL) return gi_fail_nomem((size_t)a->size * sizeof a->size);
  gi_onnx_put_int(w, "to", GI_ONNX_INT64);
  const char *i = gi_onnx_reshape_to(w, gi_onnx_put(w, "Cast", 1, w->in[1]), flat, 2);
  const char *hit = gi_onnx_put(w, "Equal", 2, rows, i);
  gi_onnx_put_int(w, "to", GI_ONNX_FLOAT);
  const char *matrix = gi_onnx_put(w, "Cast", 1, hit);
  const char *sum =
      gi_onnx_put(w, "MatMul", 2, matrix, gi_onnx_reshape_to(w, w->in[0], parts, 3));
  return give(w, gi_onnx_reshaped(w, sum, 0));
}

static glia_status write_range(gi_onnx_writing *w) {
  const gi_type *t = &w->out_type[0];
  char *v = gi_alloc(gi_type_bytes(t));
  if (v == NULL) return gi_fail_nomem(gi_type_bytes(t));
  for (int64_t i = 0; i < t->dim[0]; i++) gi_store(t->dtype, v, i, (double)i);
  const char *name = gi_onnx_elements(w, t, v);
  gi_free(v);
  return give(w, name);
}

/* ---- rows -------------------------------------------------------------------------------- */

#define MADE(id) static const gi_onnx_export id##_row = {.op = &gi_op_##id, .write = write_##id}
static const gi_onnx_export reshape_row = {
    .op = &gi_op_reshape, .shaped = true, .write = write_reshape};
static const gi_onnx_export broadcast_row = {
    .op = &gi_op_broadcast_to, .shaped = true, .write = write_broadcast};
static const gi_onnx_export stop_row = {.op = &gi_op_stop_gradient, .write = write_same};
static const gi_onnx_export again_row = {
    .op = &gi_op_again, .shaped = true, .write = write_same};
static const gi_onnx_export reorder_row = {
    .op = &gi_op_reorder, .shaped = true, .write = write_same};
MADE(permute);
MADE(slice);
MADE(flip);
MADE(pad);
MADE(concat);
MADE(tril);
MADE(triu);
MADE(gather);
MADE(take_along);
MADE(scatter_add);
MADE(scatter);
MADE(put_along);
MADE(one_hot);
MADE(range);
const gi_onnx_export *const gi_onnx_exports_shape[] = {
    &reshape_row, &broadcast_row, &stop_row,    &again_row,      &reorder_row,
    &permute_row, &slice_row,     &flip_row,    &pad_row,        &concat_row,
    &tril_row,    &triu_row,      &gather_row,  &take_along_row, &scatter_add_row,
    &scatter_row, &put_along_row, &one_hot_row, &range_row,      NULL};
