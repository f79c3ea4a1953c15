/* train/report.h - report.html: one page that tells of a run, for people.
 *
 * The page stands alone: no scripts, nothing from elsewhere (a content security policy forbids
 * it besides), pictures within. It follows the reader's light or dark setting, can be read on a
 * telephone and printed. All texts are escaped, whatever they hold. A part without data is left
 * out.
 */
#ifndef GI_REPORT_H
#define GI_REPORT_H

#include "glia/metrics.h"
#include "glia/models.h"
#include "train/log_csv.h"
#include "train/plot.h"

typedef struct gi_fact { /* "seed", "42" */
  const char *name, *value;
} gi_fact;

enum { GI_REPORT_GUESSES = 5 };

/* A sample and what the model made of it. */
typedef struct gi_report_example {
  const gi_image *image;     /* NULL: none */
  const char *name;          /* file or row; NULL: none */
  const char *truth, *guess; /* classes or numbers; truth NULL: not known */
  bool wrong;
  int n; /* the most likely classes, most likely first; 0: no classes */
  const char *labels[GI_REPORT_GUESSES];
  double probabilities[GI_REPORT_GUESSES];
} gi_report_example;

typedef struct gi_report {
  const char *title;    /* "digits" */
  const char *summary;  /* one sentence below it; NULL: none */
  const char *command;  /* how the run was started; NULL: none */
  const gi_fact *facts; /* data, samples, optimiser, seed, versions, machine ... */
  int n_facts;
  const char *const *warnings; /* skipped files ... */
  int n_warnings;
  int64_t more_warnings; /* further ones that were not kept */

  const gi_log_csv *log; /* curves and a table of the epochs */
  int64_t best_epoch;    /* 0: none */
  const glia_summary *model;

  const glia_evaluation *evaluation; /* all metrics, per-class table, confusion matrix */
  const char *evaluated_on;          /* "test data, 1000 samples"; NULL: none */
  const char *(*class_name)(void *user, int c); /* NULL: the number */
  void *user;

  const gi_report_example *examples; /* some predictions */
  int n_examples;
  const gi_report_example *mistakes; /* the worst, worst first */
  int n_mistakes;
  const gi_picture *const *plots; /* further ones, e.g. of the learning rate finder */
  int n_plots;
} gi_report;

/* The page, appended to out; everything is borrowed for the call. */
glia_status gi_report_html(const gi_report *r, gi_str *out);
/* Writes it, atomically. */
glia_status gi_report_write(const gi_report *r, const char *path);

/* ---- within the report ------------------------------------------------------------------ */

extern const char gi_report_style[]; /* the style sheet without the colours (report_style.c) */
/* What the model is worth: metrics, classes, confusion matrix (report_evaluation.c). */
glia_status gi_report_evaluation(const gi_report *r, gi_str *out);
/* A drawing within the page, at its natural size at most; frees it. */
glia_status gi_report_plot(gi_str *out, gi_picture *p);
/* A number as a person reads it: at most five digits, NaN as a dash. */
void gi_report_number(gi_str *out, double v);
/* The same with four decimals for what lies within 0 and 1. */
void gi_report_score(gi_str *out, double v);
/* "12,345" with thin spaces for commas. */
void gi_report_count(gi_str *out, int64_t v);

#endif /* GI_REPORT_H */
