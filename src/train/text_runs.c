/* text_runs.c - BLEU and ROUGE: how many runs of words two texts share.
 *
 * The runs of k words of a text are their beginnings, sorted by the words that follow: equal
 * ones lie beside each other, and two such lists are compared like the halves of a merge sort.
 */
#include <math.h>
#include <stdlib.h>

#include "train/text_metrics.h"

/* ---- runs ------------------------------------------------------------------------------- */

typedef struct run {
  const int64_t *id;
  int k;
} run;

static int by_words(const void *x, const void *y) {
  const run *a = x, *b = y;
  for (int i = 0; i < a->k; i++)
    if (a->id[i] != b->id[i]) return a->id[i] < b->id[i] ? -1 : 1;
  return 0;
}

static int64_t runs_in(const gi_words_of *w, int k) { return GI_MAX(w->n - k + 1, 0); }

/* Sorted; owned (gi_free). */
static glia_status runs_of(const gi_words_of *w, int k, run **out) {
  const int64_t n = runs_in(w, k);
  *out = gi_alloc(((size_t)n + 1) * sizeof **out);
  if (*out == NULL) return gi_fail_nomem(((size_t)n + 1) * sizeof **out);
  for (int64_t i = 0; i < n; i++) (*out)[i] = (run){w->id + i, k};
  qsort(*out, (size_t)n, sizeof **out, by_words);
  return GLIA_OK;
}

/* How many of n sorted runs equal the one at `from`. */
static int64_t equal_from(const run *r, int64_t from, int64_t n) {
  int64_t to = from;
  while (to < n && by_words(&r[to], &r[from]) == 0) to++;
  return to - from;
}

static int64_t count_of(const run *r, int64_t n, const run *wanted) {
  int64_t low = 0, high = n;
  while (low < high) {
    const int64_t mid = low + (high - low) / 2;
    if (by_words(&r[mid], wanted) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return low < n && by_words(&r[low], wanted) == 0 ? equal_from(r, low, n) : 0;
}

glia_status gi_clipped_runs(const gi_words_of *a, const gi_words_of *refs, int n, int k,
                            int64_t *out) {
  run *mine = NULL, **theirs = gi_alloc((size_t)n * sizeof *theirs);
  glia_status s = theirs != NULL ? runs_of(a, k, &mine) : gi_fail_nomem(sizeof *theirs);
  for (int r = 0; r < n && s == GLIA_OK; r++) s = runs_of(&refs[r], k, &theirs[r]);
  *out = 0;
  for (int64_t i = 0, same; s == GLIA_OK && i < runs_in(a, k); i += same) {
    int64_t most = 0;
    same = equal_from(mine, i, runs_in(a, k));
    for (int r = 0; r < n; r++)
      most = GI_MAX(most, count_of(theirs[r], runs_in(&refs[r], k), &mine[i]));
    *out += GI_MIN(same, most);
  }
  for (int r = 0; theirs != NULL && r < n; r++) gi_free(theirs[r]);
  gi_free(theirs);
  gi_free(mine);
  return s;
}

glia_status gi_shared_runs(const gi_words_of *a, const gi_words_of *b, int k, int64_t *out) {
  return gi_clipped_runs(a, b, 1, k, out);
}

/* ---- BLEU ------------------------------------------------------------------------------- */

enum { LONGEST = 16 };

typedef struct sums {
  double hits[LONGEST], runs[LONGEST], words, reference_words;
} sums;

/* Words of the reference whose length is nearest; of two the shorter. */
static int64_t nearest_length(const gi_words_of *refs, int n, int64_t length) {
  int64_t best = refs[0].n;
  for (int r = 1; r < n; r++) {
    const int64_t off = llabs(refs[r].n - length), least = llabs(best - length);
    if (off < least || (off == least && refs[r].n < best)) best = refs[r].n;
  }
  return best;
}

static glia_status add_text(sums *s, const gi_words_of *text, const gi_words_of *refs, int n,
                            int longest) {
  s->words += (double)text->n;
  s->reference_words += (double)nearest_length(refs, n, text->n);
  for (int k = 1; k <= longest; k++) {
    int64_t hits = 0;
    GI_TRY(gi_clipped_runs(text, refs, n, k, &hits));
    s->hits[k - 1] += (double)hits;
    s->runs[k - 1] += (double)runs_in(text, k);
  }
  return GLIA_OK;
}

static double bleu_of(const sums *s, int longest, bool smooth) {
  double log_sum = 0;
  for (int k = 0; k < longest; k++) {
    const double more = smooth && k > 0 ? 1 : 0;
    if (s->hits[k] + more == 0) return 0;
    log_sum += log((s->hits[k] + more) / (s->runs[k] + more)) / longest;
  }
  const double brevity = s->words < s->reference_words ? 1 - s->reference_words / s->words : 0;
  return exp(log_sum + brevity);
}

glia_status glia_bleu(const char *const *reference, int references, const char *const *text,
                      int64_t n, int longest, bool smooth, double *out) {
  gi_texts t;
  sums s = {.words = 0};
  if (longest == 0) longest = 4;
  if (longest < 1 || longest > LONGEST || references < 1)
    return gi_fail(GLIA_INVALID,
                   "bleu: longest is %d, references %d; wanted 1..%d and 1 or more", longest,
                   references, LONGEST);
  glia_status status = gi_texts_words("bleu", text, n, reference, n * references, &t);
  for (int64_t i = 0; i < n && status == GLIA_OK; i++)
    status = add_text(&s, &t.at[i], &t.at[n + i * references], references, longest);
  gi_texts_clear(&t);
  if (status == GLIA_OK && s.reference_words == 0)
    status = gi_fail(GLIA_DATA, "bleu: the references are empty");
  if (status == GLIA_OK) *out = bleu_of(&s, longest, smooth);
  return status;
}

/* ---- ROUGE ------------------------------------------------------------------------------ */

static glia_status common_subsequence(const gi_words_of *a, const gi_words_of *b,
                                      int64_t *out) {
  int64_t *row = gi_alloc((size_t)(b->n + 1) * sizeof *row);
  if (row == NULL) return gi_fail_nomem((size_t)(b->n + 1) * sizeof *row);
  for (int64_t i = 0; i < a->n; i++) {
    int64_t before = 0; /* of i, j */
    for (int64_t j = 0; j < b->n; j++) {
      const int64_t above = row[j + 1];
      row[j + 1] = a->id[i] == b->id[j] ? before + 1 : GI_MAX(above, row[j]);
      before = above;
    }
  }
  *out = row[b->n];
  gi_free(row);
  return GLIA_OK;
}

static glia_status add_pair(const gi_words_of *reference, const gi_words_of *text, int kind,
                            glia_rouge_score *out) {
  int64_t shared = 0;
  const int64_t mine = kind > 0 ? runs_in(text, kind) : text->n;
  const int64_t theirs = kind > 0 ? runs_in(reference, kind) : reference->n;
  if (kind > 0)
    GI_TRY(gi_shared_runs(text, reference, kind, &shared));
  else
    GI_TRY(common_subsequence(reference, text, &shared));
  if (shared == 0) return GLIA_OK;
  const double p = (double)shared / (double)mine, r = (double)shared / (double)theirs;
  out->precision += p;
  out->recall += r;
  out->f1 += 2 * p * r / (p + r);
  return GLIA_OK;
}

glia_status glia_rouge(const char *const *reference, const char *const *text, int64_t n,
                       int kind, glia_rouge_score *out) {
  gi_texts t;
  glia_rouge_score sum = {0};
  if (kind < 0 || kind > LONGEST)
    return gi_fail(GLIA_INVALID, "rouge: kind is %d, wanted 0..%d", kind, LONGEST);
  glia_status s = gi_texts_words("rouge", reference, n, text, n, &t);
  for (int64_t i = 0; i < n && s == GLIA_OK; i++)
    s = add_pair(&t.at[i], &t.at[n + i], kind, &sum);
  gi_texts_clear(&t);
  GI_TRY(s);
  *out =
      (glia_rouge_score){sum.precision / (double)n, sum.recall / (double)n, sum.f1 / (double)n};
  return GLIA_OK;
}
