/* tf_idf.c - TfIdfVectorizer: how often n-grams of a pool occur in rows of whole numbers.
 *
 *   X [C] or [N, C] -> Y [columns] or [N, columns], columns = max(ngram_indexes) + 1
 *
 * An n-gram is n elements that lie s + 1 apart, for every skip s from 0 to max_skip_count
 * (those of one element are counted once). pool_int64s holds all 1-grams, then all 2-grams and
 * so on; ngram_counts says where each kind begins. Gram i counts in column ngram_indexes[i]: TF
 * as it is, IDF as weights[i] if there is any, TFIDF times weights[i]. Elements are asked for
 * when the graph is built, the counts are a constant of it.
 */
#include <inttypes.h>

#include "formats/onnx/operators/common.h"

typedef struct pool {
  const int64_t *at;     /* elements of all grams */
  const int64_t *begin;  /* of the grams of 1, 2, ... elements */
  const int64_t *column; /* of each gram */
  const double *weight;  /* of each gram; NULL: 1 */
  int64_t n_at, n_column, shortest, longest, skips, columns;
  int kinds, mode;
} pool;

enum { TF, IDF, TFIDF };

static glia_status list_of(const gi_onnx_call *c, const char *name, int type,
                           const gi_onnx_attr **out) {
  *out = gi_onnx_attr_of(c, name);
  if (*out != NULL && (*out)->type == type) return GLIA_OK;
  return gi_onnx_fail(c, GLIA_MODEL, "attribute '%s' is missing or of another kind", name);
}

static glia_status read_pool(const gi_onnx_call *c, pool *p) {
  static const char *const words[] = {"TF", "IDF", "TFIDF", NULL};
  const gi_onnx_attr *at = NULL, *begin = NULL, *column = NULL, *weight = NULL;
  if (gi_onnx_has(c, "pool_strings"))
    return gi_onnx_fail(c, GLIA_UNSUPPORTED, "strings are not supported");
  GI_TRY(list_of(c, "pool_int64s", GI_ONNX_ATTR_INTS, &at));
  GI_TRY(list_of(c, "ngram_counts", GI_ONNX_ATTR_INTS, &begin));
  GI_TRY(list_of(c, "ngram_indexes", GI_ONNX_ATTR_INTS, &column));
  if (gi_onnx_has(c, "weights")) GI_TRY(list_of(c, "weights", GI_ONNX_ATTR_FLOATS, &weight));
  GI_TRY(gi_onnx_choice(c, "mode", NULL, words, &p->mode));
  GI_TRY(gi_onnx_int(c, "min_gram_length", 1, &p->shortest));
  GI_TRY(gi_onnx_int(c, "max_gram_length", 1, &p->longest));
  GI_TRY(gi_onnx_int(c, "max_skip_count", 0, &p->skips));
  p->at = at->ints, p->n_at = at->n;
  p->begin = begin->ints, p->kinds = begin->n;
  p->column = column->ints, p->n_column = column->n;
  p->weight = weight != NULL ? weight->floats : NULL;
  for (int64_t i = 0; i < p->n_column; i++) {
    if (p->column[i] < 0 || p->column[i] >= INT32_MAX)
      return gi_onnx_fail(c, GLIA_MODEL, "ngram_indexes holds %" PRId64, p->column[i]);
    p->columns = GI_MAX(p->columns, p->column[i] + 1);
  }
  for (int k = 0; k < p->kinds; k++) {
    const int64_t end = k + 1 < p->kinds ? p->begin[k + 1] : p->n_at;
    if (p->begin[k] < 0 || p->begin[k] > end || end > p->n_at ||
        (end - p->begin[k]) % (k + 1) != 0)
      return gi_onnx_fail(c, GLIA_MODEL, "ngram_counts: %d-grams from %" PRId64 " to %" PRId64,
                          k + 1, p->begin[k], end);
  }
  if (p->shortest < 1 || p->longest < p->shortest || p->skips < 0)
    return gi_onnx_fail(c, GLIA_INVALID,
                        "n-grams of %" PRId64 " to %" PRId64 " elements with up to %" PRId64
                        " skips",
                        p->shortest, p->longest, p->skips);
  if (weight != NULL && weight->n != p->n_column)
    return gi_onnx_fail(c, GLIA_MODEL, "%d weights for %" PRId64 " n-grams", weight->n,
                        p->n_column);
  return GLIA_OK;
}

/* How often a gram of n elements lies in `many` elements from `first` on, `apart`. */
static int64_t occurrences(const glia_tensor *x, int64_t first, int64_t many,
                           const int64_t *gram, int64_t n, int64_t apart) {
  int64_t count = 0;
  for (int64_t i = 0; i + (n - 1) * apart < many; i++) {
    int64_t k = 0;
    while (k < n && glia_tensor_get(x, first + i + k * apart) == (double)gram[k]) k++;
    count += k == n;
  }
  return count;
}

static void fill(const pool *p, const glia_tensor *x, int64_t rows, int64_t many, float *y) {
  int64_t gram = 0; /* its number in the pool */
  for (int k = 0; k < p->kinds; k++) {
    const int64_t n = k + 1, end = k + 1 < p->kinds ? p->begin[k + 1] : p->n_at;
    for (int64_t at = p->begin[k]; at < end; at += n, gram++) {
      if (n < p->shortest || n > p->longest || gram >= p->n_column) continue;
      const double weight = p->weight != NULL && p->mode != TF ? p->weight[gram] : 1;
      const int64_t most = n == 1 ? 0 : GI_MIN(p->skips, many);
      for (int64_t r = 0; r < rows; r++) {
        int64_t count = 0;
        for (int64_t s = 0; s <= most; s++)
          count += occurrences(x, r * many, many, p->at + at, n, s + 1);
        if (p->mode == IDF) count = count > 0;
        y[r * p->columns + p->column[gram]] += (float)(weight * (double)count);
      }
    }
  }
}

static glia_status build_tf_idf(gi_onnx_call *c) {
  pool p = {0};
  const glia_tensor *x = NULL;
  GI_TRY(read_pool(c, &p));
  GI_TRY(gi_onnx_known(c, 0, &x));
  const gi_type t = gi_tensor_type(x);
  if (t.rank < 1 || t.rank > 2) return gi_onnx_fail(c, GLIA_SHAPE, "wants [C] or [N, C]");
  const int64_t rows = t.rank == 2 ? t.dim[0] : 1;
  gi_type y = {.dtype = GLIA_F32, .rank = t.rank, .dim = {rows, p.columns}};
  if (t.rank == 1) y.dim[0] = p.columns, y.dim[1] = 0;
  GI_TRY(gi_type_check(&y, "TfIdfVectorizer"));
  GI_TRY(gi_onnx_room(c, rows, p.columns));
  float *counts = gi_alloc(gi_type_bytes(&y) + 1);
  if (counts == NULL) return gi_fail_nomem(gi_type_bytes(&y));
  fill(&p, x, rows, t.dim[t.rank - 1], counts);
  c->out[0] = glia_constant(c->g, GLIA_F32, y.rank, y.dim, counts);
  c->out_type[0] = GI_ONNX_FLOAT;
  gi_free(counts);
  return GLIA_OK;
}

const gi_onnx_operator *const gi_onnx_operators_tf_idf[] = {
    GI_ONNX_ROW(
        "TfIdfVectorizer",
        "max_gram_length max_skip_count min_gram_length mode ngram_counts ngram_indexes "
        "pool_int64s pool_strings weights",
        1, 1, 1, build_tf_idf, 9),
    NULL,
};
