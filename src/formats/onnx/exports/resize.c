/* exports/resize.c - one axis made longer or shorter: a product with the matrix of the weights,
 * which says exactly what glia computes, where ONNX's Resize leaves runtimes a choice.
 */
#include "formats/onnx/export.h"
#include "ops/resize.h"

/* [n, m]: what element i of the result takes of each. NULL without memory. */
static const char *matrix(gi_onnx_writing *w, const gi_resize_attr *a, int64_t n, int64_t m) {
  const gi_type t = {.dtype = GLIA_F32, .rank = 2, .dim = {n, m}};
  if (gi_type_check(&t, "resize") != GLIA_OK) return NULL;
  float *of = gi_alloc(gi_type_bytes(&t));
  double *row = gi_alloc((size_t)gi_resize_most(a, n, m) * sizeof *row);
  for (int64_t i = 0; of != NULL && row != NULL && i < m; i++) {
    int64_t first = 0;
    const int64_t count = gi_resize_weights(a, n, m, i, &first, row);
    for (int64_t k = 0; k < count; k++) of[(first + k) * m + i] += (float)row[k];
  }
  const char *name = of == NULL || row == NULL ? NULL : gi_onnx_elements(w, &t, of);
  gi_free(of);
  gi_free(row);
  return name;
}

static glia_status write_resize(gi_onnx_writing *w) {
  const gi_resize_attr *a = w->attr;
  const gi_type *x = &w->in_type[0];
  const int64_t n = x->dim[a->axis], last = x->rank - 1;
  int64_t swap[GLIA_MAX_RANK];
  if (x->dtype != GLIA_F32) return gi_fail(GLIA_UNSUPPORTED, "of other than f32");
  for (int i = 0; i < x->rank; i++) swap[i] = i;
  swap[a->axis] = last;
  swap[last] = a->axis;
  const char *weights = matrix(w, a, n, a->size);
  if (weights == NULL) return gi_fail_nomem((size_t)n * (size_t)a->size * sizeof(float));
  const bool moved = a->axis != last;
  const char *rows = moved ? gi_onnx_transposed(w, w->in[0], swap, x->rank) : w->in[0];
  const char *y = gi_onnx_put(w, "MatMul", 2, rows, weights);
  gi_onnx_give(w, 0, moved ? gi_onnx_transposed(w, y, swap, x->rank) : y);
  return GLIA_OK;
}

static const gi_onnx_export resize = {.op = &gi_op_resize, .write = write_resize};
const gi_onnx_export *const gi_onnx_exports_resize[] = {&resize, NULL};
