/* isa/attention.h - rows of a tile of attention scores. */
#ifndef GI_ATTENTION_H
#define GI_ATTENTION_H

#include <stdint.h>

typedef struct gi_scores { /* of one query against n keys that lie side by side */
  float *s; /* products of query and key; behind n up to a whole vector is room */
  int64_t n;
  float scale;
  const float *bias;   /* n, added to the scaled products; NULL: none */
  const uint8_t *seen; /* n, 0: the key is not; NULL: all are */
} gi_scores;

typedef struct gi_running { /* softmax so far: largest score, and sum of e^(score - top) */
  float top, sum;
} gi_running;

typedef struct gi_attention_loops {
  /* s = e^(score - top), where top is raised first; 0 where the key is not seen. Adds to the
   * sum; returns what was summed with the old top is to be multiplied by. */
  float (*soften)(const gi_scores *r, gi_running *w);
  /* s = e^(score - l), 0 where the key is not seen. */
  void (*again)(const gi_scores *r, float l);
  /* dp = p (dp - delta) scale */
  void (*slopes)(const float *p, int64_t n, float delta, float scale, float *dp);
  /* y = x by, 0 where mask (bits in the place of floats; NULL: nowhere) has zeros. */
  void (*scaled)(const float *x, const float *mask, int64_t n, float by, float *y);
  /* s[j] = q . k[j], rows of k are `depth` floats. */
  void (*dots)(const float *q, const float *k, int64_t n, int64_t depth, float *s);
  /* y += sum over j of p[j] v[j], rows of v are `width` floats. */
  void (*add_rows)(const float *p, const float *v, int64_t n, int64_t width, float *y);
} gi_attention_loops;

#endif /* GI_ATTENTION_H */
