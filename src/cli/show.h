/* cli/show.h - how networks, epochs and results look in a terminal, wherever they are shown. */
#ifndef GI_SHOW_H
#define GI_SHOW_H

#include "cli/cli.h"
#include "glia/train.h"

/* The shape-and-cost table: layer, output shape, parameters, flops; then the totals. The
 * summary is of one sample; flops are shown for `batch`. */
void gi_show_summary(gi_str *out, const glia_summary *s, int batch);
gi_json *gi_show_summary_json(const glia_summary *s);

/* The confusion matrix of a classification, and with `report` precision, recall and f1 of each
 * class, as wide as the terminal. Nothing for a regression. */
glia_status gi_show_classes(gi_str *out, glia_run *r, const glia_result *result, bool report);

/* "loss 0.0312  accuracy 99.10 %  10000 samples". */
glia_status gi_show_result(gi_str *out, const glia_result *r);
/* Sets loss, count, accuracy (or r2), and each of the metrics. */
glia_status gi_show_result_json(gi_json *j, const glia_result *r, const char *metrics);

/* The metrics that a user asks for: "f1_macro,fbeta beta=2 average=macro". */
#define GI_OPTION_METRICS                                                                 \
  {                                                                                       \
    .name = "metrics", .kind = GI_OPTION_TEXT, .value = "LIST",                           \
    .help =                                                                               \
        "more metrics, joined by commas: f1_macro,roc_auc,'fbeta beta=2 average=macro'; " \
        "glia metrics lists them and their options"                                       \
  }
/* Names and options, before there is anything to measure. NULL: none. */
glia_status gi_check_metrics(const char *metrics);
/* "f1_macro 0.918" for each, a line. */
glia_status gi_show_metrics(gi_str *out, const glia_result *r, const char *metrics);

/* "0:07", "1:02:03" of seconds; borrowed until the fourth next call. */
const char *gi_show_time(double seconds);

#endif /* GI_SHOW_H */
