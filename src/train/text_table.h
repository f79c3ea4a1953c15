/* train/text_table.h - confusion matrix and per-class report as aligned text for terminals.
 *
 * Widths count what a terminal shows (utf8.h): accents take no column, East Asian characters
 * two.
 */
#ifndef GI_TEXT_TABLE_H
#define GI_TEXT_TABLE_H

#include "glia/metrics.h"
#include "train/utf8.h"

typedef struct gi_text_opts {
  const char *(*name)(void *user, int c); /* of class c; NULL: the number */
  void *user;
  int width;  /* columns of the terminal; 0 -> 80; at least 40 are used */
  bool ascii; /* the terminal has no UTF-8: other characters are shown as "?" */
  bool color; /* ANSI: hits bold, mistakes yellow, zeros faint */
  int limit;  /* rows at most, those with the worst f1; 0: all */
} gi_text_opts;

/* Counts [n, n], rows the true classes. Where the columns with their names do not fit, they are
 * headed by the classes' numbers; where these do not fit either, the classes with the most
 * mistakes are shown and the others added up in a last row and column "other". Without memory
 * out->failed is set. */
void gi_text_confusion(gi_str *out, const int64_t *counts, int n, const gi_text_opts *o);

/* Pairs of classes most often mistaken, "true -> predicted", count, share of the true class; at
 * most `limit` (0 -> 10) lines, nothing where there are no mistakes. */
void gi_text_most_confused(gi_str *out, const int64_t *counts, int n, const gi_text_opts *o);

/* Precision, recall, f1 and support of each class, then accuracy and the macro and weighted
 * averages, as scikit-learn's classification_report; nothing for a regression or without
 * samples. */
void gi_text_report(gi_str *out, const glia_evaluation *e, const gi_text_opts *o);

#endif /* GI_TEXT_TABLE_H */
