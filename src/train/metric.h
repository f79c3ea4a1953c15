/* train/metric.h - what a metric is, and the sums that all metrics share.
 *
 * A metric is one row in src/train/metrics/<file>.c, in one or both of two forms. value():
 * within an evaluation, from the counts that every evaluation keeps (n, hits, and per class:
 * samples, predictions, hits) or from a running state of its own, that add() brings forward row
 * by row. compute(): of whole arrays, with all options of the definition (metric_call.h).
 */
#ifndef GI_METRIC_H
#define GI_METRIC_H

#include "base/fields.h"
#include "glia/metrics.h"

/* One sample, with its scores or its numbers as double. */
typedef struct gi_metric_row {
  int columns;          /* C, or K in a regression */
  const double *output; /* [columns]: scores, or predicted numbers */
  const double *target; /* [columns]: true numbers; NULL for classes */
  int64_t truth;        /* true class; -1 in a regression */
  glia_scores scores;   /* what output holds, for classes */
  double epsilon;       /* machine epsilon of the dtype that output came in */
  int64_t index;        /* samples added before this one */
} gi_metric_row;

typedef struct gi_metric gi_metric;
typedef struct gi_metric_call gi_metric_call;

/* What an evaluation that keeps its predictions hands to compute(). */
typedef enum gi_metric_needs {
  GI_NEEDS_OTHER, /* nothing that an evaluation has: rankings, clusterings, images */
  GI_NEEDS_CLASSES,
  GI_NEEDS_SCORES, /* logits or probabilities, as they came; of two classes that of class 1 */
  GI_NEEDS_PROBABILITIES,
  GI_NEEDS_NUMBERS
} gi_metric_needs;

enum { /* options that are no fields */
       GI_TAKES_WEIGHT = 1,
       GI_TAKES_LABELS = 2,
       GI_TAKES_POSITIVE = 4,
       GI_TAKES_TARGET_WEIGHT = 8
};
typedef enum gi_metric_shape {
  GI_SHAPE_ROWS,  /* two arrays of rank 1 or 2, with as many rows */
  GI_SHAPE_EQUAL, /* of any rank, of one shape */
  GI_SHAPE_UNLIKE /* of rank 1 or 2, each with rows of its own */
} gi_metric_shape;

struct gi_metric {
  const char *name, *doc, *source; /* see glia_metric_info */
  bool regression, lower_is_better;
  int variant; /* tells like rows of one file apart; read by that file only */
  /* A metric that needs scores has both: the doubles of its state for `columns` (zeroed at
   * first), and how a sample changes it. */
  size_t (*state_size)(int columns);
  void (*add)(const gi_metric *m, double *state, const gi_metric_row *row);
  /* k: the number in the name's place of "_k_", else 0. Called for n >= 1. */
  double (*value)(const gi_metric *m, const glia_evaluation *e, const double *state, int64_t k);
  double (*class_value)(const gi_metric *m, const glia_evaluation *e, int c); /* may be NULL */
  /* Of whole arrays; NULL: there is no such form. */
  glia_status (*compute)(gi_metric_call *c);
  const gi_field *fields; /* of glia_metric_opts; NULL: none */
  int takes;              /* GI_TAKES_...; */
  gi_metric_shape shape;
  gi_metric_needs needs;
  const char *arguments[2]; /* their names in messages; NULL: y_true, y_pred */
};

struct glia_evaluation {
  int classes; /* C; 0: regression */
  int columns; /* C or K */
  glia_scores scores;
  int64_t count;       /* n */
  int64_t labels_only; /* of these, added as labels */
  int64_t hits;        /* predicted right; classes only, as the next four */
  int64_t *truths;     /* [C] samples of each class */
  int64_t *guesses;    /* [C] predictions of each class */
  int64_t *matches;    /* [C] right predictions of each class */
  int64_t *confusion;  /* [C, C]; NULL beyond GLIA_CONFUSION_MAX */
  double *output;      /* [columns], one row at a time */
  double *target;      /* [columns] */
  int metrics;         /* entries of state */
  double **state;      /* in table order; NULL for a metric of the other task or without one */
  size_t keep;         /* bytes that may be kept */
  GI_VEC(double) kept; /* a row a sample: truth (or the K targets), then the outputs */
  bool dropped;        /* there were more than that */
};

extern const gi_metric *const *const gi_metrics_table[];

/* Row i of the joined table, NULL past the last. */
const gi_metric *gi_metric_at(int i);
/* "fbeta beta=2 average=macro" as gi_metric_named (gi_metric_of_arrays where there are options:
 * then *index is that of the row) and its options; *n: how many words are options. GLIA_INVALID
 * names the options that there are. */
glia_status gi_metric_parse(const char *text, const gi_metric **out, int *index, int64_t *k,
                            glia_metric_opts *o, int *n);
/* The row of a name and the number in it (else 0); *index is its place in the table. */
glia_status gi_metric_named(const char *name, const gi_metric **out, int *index, int64_t *k);
/* The same, and a row's own name, "top_k_accuracy", where the number is an option. */
glia_status gi_metric_of_arrays(const char *name, const gi_metric **out, int64_t *k);

/* Whether labels alone do not do. */
static inline bool gi_metric_needs_scores(const gi_metric *m) {
  return !m->regression &&
         (m->add != NULL || m->needs == GI_NEEDS_SCORES || m->needs == GI_NEEDS_PROBABILITIES);
}

static inline double gi_ratio(double a, double b) { return b != 0 ? a / b : 0; }

#endif /* GI_METRIC_H */
