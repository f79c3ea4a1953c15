/* train/text_metrics.h - texts as rows of numbers: words or characters that are equal have the
 * same one. */
#ifndef GI_TEXT_METRICS_H
#define GI_TEXT_METRICS_H

#include "base/base.h"
#include "glia/metrics.h"

typedef struct gi_words_of {
  int64_t *id;
  int64_t n;
} gi_words_of;

/* Texts as words, numbered alike over all of them. [texts] rows are owned: gi_texts_clear, also
 * after a failure. who leads messages. */
typedef struct gi_texts {
  int64_t texts;
  gi_words_of *at;
  int64_t *ids; /* of all, one behind the other */
} gi_texts;
/* Those of a, then those of b. */
glia_status gi_texts_words(const char *who, const char *const *a, int64_t na,
                           const char *const *b, int64_t nb, gi_texts *out);
void gi_texts_clear(gi_texts *t);

/* Runs of k words that two texts share, each as often as in the one that has fewer. */
glia_status gi_shared_runs(const gi_words_of *a, const gi_words_of *b, int k, int64_t *out);
/* The same of a and the largest count of each run in any of the references. */
glia_status gi_clipped_runs(const gi_words_of *a, const gi_words_of *refs, int n, int k,
                            int64_t *out);

#endif /* GI_TEXT_METRICS_H */
