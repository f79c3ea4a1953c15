/* order.c - the largest elements, and what there is in a tensor: NonZero, Unique.
 *
 * How many elements are not zero, or differ, is data, and shapes are not: so the elements are
 * asked for when the graph is built, and the answers are constants of it. The trace holds for
 * these elements only (operator.h).
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "formats/onnx/operators/common.h"
#include "glia/index.h"

/* ---- TopK ---------------------------------------------------------------------------------
 */

static glia_status build_top_k(gi_onnx_call *c) {
  int64_t k = 0;
  int axis = 0, n = 0;
  bool largest = true;
  GI_TRY(gi_onnx_axis(c, "axis", -1, glia_value_rank(c->in[0]), &axis));
  GI_TRY(gi_onnx_bool(c, "largest", true, &largest));
  if (c->version < 10)
    GI_TRY(gi_onnx_int(c, "k", 0, &k));
  else
    GI_TRY(gi_onnx_known_ints(c, 1, &k, 1, &n));
  if (k < 0 || k > glia_value_dim(c->in[0], axis))
    return gi_onnx_fail(c, GLIA_SHAPE, "%" PRId64 " of %" PRId64 " elements are asked for", k,
                        glia_value_dim(c->in[0], axis));
  glia_value index = GLIA_NONE;
  c->out[0] = glia_top_k(c->in[0], k, axis, !largest, &index);
  c->out_type[0] = c->in_type[0];
  if (!gi_onnx_wanted(c, 1)) return GLIA_OK;
  c->out[1] = index;
  c->out_type[1] = GI_ONNX_INT64;
  return GLIA_OK;
}

/* ---- NonZero ------------------------------------------------------------------------------
 */

/* [rank, count]: the places, row-major; a scalar is [1]. */
static glia_status build_non_zero(gi_onnx_call *c) {
  const glia_tensor *x = NULL;
  GI_TRY(gi_onnx_known(c, 0, &x));
  gi_type t = gi_tensor_type(x);
  if (t.rank == 0) t = (gi_type){.dtype = t.dtype, .rank = 1, .dim = {1}};
  const int64_t count = gi_type_count(&t);
  int64_t n = 0, strides[GLIA_MAX_RANK];
  gi_type_strides(&t, strides);
  for (int64_t i = 0; i < count; i++) n += glia_tensor_get(x, i) != 0;
  const int64_t shape[] = {t.rank, n};
  int64_t *places = gi_alloc((size_t)t.rank * (size_t)n * sizeof *places + 1), k = 0;
  if (places == NULL) return gi_fail_nomem((size_t)n * sizeof *places);
  for (int64_t i = 0; i < count; i++) {
    if (glia_tensor_get(x, i) == 0) continue;
    for (int d = 0; d < t.rank; d++) places[d * n + k] = i / strides[d] % t.dim[d];
    k++;
  }
  c->out[0] = gi_onnx_ints_value(c->g, 2, shape, places);
  c->out_type[0] = GI_ONNX_INT64;
  gi_free(places);
  return GLIA_OK;
}

/* ---- Unique -------------------------------------------------------------------------------
 */

/* Entries of an axis (or single elements) of a dense tensor seen as [outer, n, inner]. */
typedef struct entries {
  gi_type type;
  const char *p;
  int64_t outer, n, inner;
  int64_t *order;   /* the entries, equal ones together */
  int64_t *first;   /* of each kind: where it is seen first */
  int64_t *many;    /* how often */
  int64_t *kind_of; /* of each entry */
  int64_t kinds;
} entries;

static int by_element(const entries *e, int64_t at, int64_t bt) {
  if (e->type.dtype == GLIA_I64) {
    const int64_t a = ((const int64_t *)(const void *)e->p)[at];
    const int64_t b = ((const int64_t *)(const void *)e->p)[bt];
    return (a > b) - (a < b);
  }
  const double a = gi_load(e->type.dtype, e->p, at), b = gi_load(e->type.dtype, e->p, bt);
  if (isnan(a) || isnan(b)) return isnan(a) - isnan(b);
  return (a > b) - (a < b);
}

/* Element by element, as words in a dictionary. */
static int compare(const entries *e, int64_t a, int64_t b) {
  for (int64_t o = 0; o < e->outer; o++)
    for (int64_t i = 0; i < e->inner; i++) {
      const int way =
          by_element(e, (o * e->n + a) * e->inner + i, (o * e->n + b) * e->inner + i);
      if (way != 0) return way;
    }
  return 0;
}

/* Merges two sorted halves; equals keep their order. */
static void sort(const entries *e, int64_t *a, int64_t *space, int64_t n) {
  if (n < 2) return;
  const int64_t half = n / 2;
  sort(e, a, space, half);
  sort(e, a + half, space, n - half);
  int64_t i = 0, j = half, k = 0;
  while (i < half && j < n) space[k++] = compare(e, a[j], a[i]) < 0 ? a[j++] : a[i++];
  while (i < half) space[k++] = a[i++];
  while (j < n) space[k++] = a[j++];
  memcpy(a, space, (size_t)n * sizeof *a);
}

/* Kinds in their order by size or, unsorted, as they are first seen. */
static void count_kinds(entries *e, bool sorted, int64_t *space) {
  for (int64_t i = 0; i < e->n; i++) e->order[i] = i;
  sort(e, e->order, space, e->n);
  for (int64_t i = 0; i < e->n; i++) {
    const int64_t at = e->order[i];
    if (i == 0 || compare(e, e->order[i - 1], at) != 0) e->first[e->kinds++] = at;
    e->kind_of[at] = e->kinds - 1;
  }
  if (!sorted) {
    int64_t seen = 0;
    for (int64_t k = 0; k < e->kinds; k++) space[k] = -1;
    for (int64_t i = 0; i < e->n; i++) {
      int64_t *named = &space[e->kind_of[i]];
      if (*named < 0) {
        e->first[seen] = i;
        *named = seen++;
      }
      e->kind_of[i] = *named;
    }
  }
  for (int64_t i = 0; i < e->n; i++) e->many[e->kind_of[i]]++;
}

static glia_status build_unique(gi_onnx_call *c) {
  const glia_tensor *x = NULL;
  int axis = 0;
  bool sorted = true;
  GI_TRY(gi_onnx_known(c, 0, &x));
  GI_TRY(gi_onnx_bool(c, "sorted", true, &sorted));
  entries e = {.type = gi_tensor_type(x), .p = glia_tensor_data(x)};
  glia_value entry = c->in[0];
  if (gi_onnx_has(c, "axis")) {
    GI_TRY(gi_onnx_axis(c, "axis", 0, e.type.rank, &axis));
  } else {
    e.type = (gi_type){.dtype = e.type.dtype, .rank = 1, .dim = {gi_type_count(&e.type)}};
    entry = gi_onnx_reshape(entry, &e.type);
  }
  e.n = e.type.dim[axis];
  e.outer = e.inner = 1;
  for (int d = 0; d < e.type.rank; d++)
    if (d != axis) *(d < axis ? &e.outer : &e.inner) *= e.type.dim[d];
  const size_t room = (size_t)e.n + 1;
  int64_t *space = gi_alloc(5 * room * sizeof *space);
  if (space == NULL) return gi_fail_nomem(5 * room * sizeof *space);
  e.order = space + room;
  e.first = e.order + room;
  e.many = e.first + room;
  e.kind_of = e.many + room;
  count_kinds(&e, sorted, space);
  const glia_value first = gi_onnx_ints_value(c->g, 1, &e.kinds, e.first);
  const glia_value all[] = {glia_gather(entry, first, axis), first,
                            gi_onnx_ints_value(c->g, 1, &e.n, e.kind_of),
                            gi_onnx_ints_value(c->g, 1, &e.kinds, e.many)};
  for (int i = 0; i < c->n_out; i++) {
    c->out[i] = all[i];
    c->out_type[i] = i == 0 ? c->in_type[0] : GI_ONNX_INT64;
  }
  gi_free(space);
  return GLIA_OK;
}

/* ---- rows ---------------------------------------------------------------------------------
 */

const gi_onnx_operator *const gi_onnx_operators_order[] = {
    GI_ONNX_ROW("TopK", "axis k largest sorted", 1, 2, 2, build_top_k, 1, 10, 11),
    GI_ONNX_ROW("NonZero", "", 1, 1, 1, build_non_zero, 9),
    GI_ONNX_ROW("Unique", "axis sorted", 1, 1, 4, build_unique, 11),
    NULL,
};
