/* report_evaluation.c - the part of the report that says what the model is worth. */
#include <math.h>

#include "train/report.h"

enum { CLASSES_SHOWN = 25, CONFUSED = 10 };

static const char *class_name(const gi_report *r, int c, char number[16]) {
  const char *name = r->class_name != NULL ? r->class_name(r->user, c) : NULL;
  if (name != NULL) return name;
  snprintf(number, 16, "%d", c);
  return number;
}

/* ---- metrics ---------------------------------------------------------------------------- */

static void metric_row(const gi_report *r, const char *name, const char *doc, gi_str *out) {
  double v;
  if (glia_evaluation_value(r->evaluation, name, &v) != GLIA_OK) return; /* needs scores */
  gi_str_printf(out, "<tr><td class=\"l\">%s</td><td>", name);
  gi_report_score(out, v);
  gi_str_puts(out, "</td><td class=\"l wrap muted\">");
  gi_markup(out, doc);
  gi_str_puts(out, "</td></tr>\n");
}

/* Those that say the same in another way here are left out: micro averages equal the accuracy
 * where each sample has one class, plain names equal the macro average or class 1. */
static bool redundant(const glia_metric_info *m) {
  return strstr(m->name, "_micro") != NULL || m->per_class;
}

static void metrics(const gi_report *r, gi_str *out) {
  const int classes = glia_evaluation_classes(r->evaluation);
  gi_str_puts(out,
              "<div class=\"scroll\"><table><tr><th class=\"l\">metric</th><th>value</th>"
              "<th class=\"l\"></th></tr>\n");
  glia_metric_info m;
  for (int i = 0; glia_metric_get(i, &m); i++) {
    if (!m.running || m.regression != (classes == 0) || redundant(&m)) continue;
    if (strcmp(m.name, "top_k_accuracy") != 0) {
      metric_row(r, m.name, m.doc, out);
      continue;
    }
    if (classes > 3) metric_row(r, "top_3_accuracy", m.doc, out);
    if (classes > 10) metric_row(r, "top_5_accuracy", m.doc, out);
  }
  gi_str_puts(out, "</table></div>\n");
}

/* ---- classes ---------------------------------------------------------------------------- */

static double of_class(const gi_report *r, const char *metric, int c) {
  double v;
  return glia_evaluation_class(r->evaluation, metric, c, &v) == GLIA_OK ? v : (double)NAN;
}

static void class_row(const gi_report *r, int c, gi_str *out) {
  char number[16];
  const double f1 = of_class(r, "f1", c);
  gi_str_puts(out, "<tr><td class=\"l\">");
  gi_markup(out, class_name(r, c, number));
  gi_str_printf(out,
                "</td><td class=\"l\"><span class=\"bar\"><i style=\"width:%d%%\"></i></span>",
                (int)lround(100 * f1));
  static const char *const names[] = {"f1", "precision", "recall"};
  for (int i = 0; i < GI_COUNT(names); i++) {
    gi_str_puts(out, "</td><td>");
    gi_report_score(out, of_class(r, names[i], c));
  }
  gi_str_puts(out, "</td><td>");
  gi_report_count(out, glia_evaluation_support(r->evaluation, c));
  gi_str_puts(out, "</td></tr>\n");
}

/* Many classes are folded away. */
static void classes_table(const gi_report *r, gi_str *out) {
  const int n = glia_evaluation_classes(r->evaluation);
  gi_str_puts(out, "<h3>Classes</h3>\n");
  if (n > CLASSES_SHOWN) gi_str_printf(out, "<details><summary>All %d classes</summary>\n", n);
  gi_str_puts(out,
              "<div class=\"scroll\"><table><tr><th class=\"l\">class</th>"
              "<th class=\"l\"></th><th>f1</th><th>precision</th><th>recall</th>"
              "<th>samples</th></tr>\n");
  for (int c = 0; c < n; c++) class_row(r, c, out);
  gi_str_puts(out, "</table></div>\n");
  if (n > CLASSES_SHOWN) gi_str_puts(out, "</details>\n");
}

/* ---- confusion matrix ------------------------------------------------------------------- */

typedef struct pair {
  int64_t count;
  int truth, guess;
} pair;

static void most_confused(const gi_report *r, const int64_t *counts, int n, gi_str *out) {
  pair top[CONFUSED];
  int found = 0;
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      const int64_t v = counts[(int64_t)i * n + j];
      if (i == j || v == 0 || (found == CONFUSED && v <= top[found - 1].count)) continue;
      int at = found < CONFUSED ? found++ : CONFUSED - 1;
      for (; at > 0 && top[at - 1].count < v; at--) top[at] = top[at - 1];
      top[at] = (pair){v, i, j};
    }
  if (found == 0 || n < 3) return;
  gi_str_puts(out,
              "<h3>Most confused</h3>\n<div class=\"scroll\"><table><tr>"
              "<th class=\"l\">true</th><th class=\"l\">predicted</th><th>samples</th>"
              "<th>share of the class</th></tr>\n");
  for (int k = 0; k < found; k++) {
    char number[16];
    gi_str_puts(out, "<tr><td class=\"l\">");
    gi_markup(out, class_name(r, top[k].truth, number));
    gi_str_puts(out, "</td><td class=\"l\">");
    gi_markup(out, class_name(r, top[k].guess, number));
    gi_str_puts(out, "</td><td>");
    gi_report_count(out, top[k].count);
    const double all = (double)glia_evaluation_support(r->evaluation, top[k].truth);
    gi_str_printf(out, "</td><td>%.1f %%</td></tr>\n", 100 * (double)top[k].count / all);
  }
  gi_str_puts(out, "</table></div>\n");
}

static glia_status confusion(const gi_report *r, gi_str *out) {
  const int n = glia_evaluation_classes(r->evaluation);
  glia_tensor *t;
  if (n > GLIA_CONFUSION_MAX) return GLIA_OK;
  GI_TRY(glia_evaluation_confusion(r->evaluation, &t));
  const int64_t *counts = glia_tensor_data(t);
  gi_picture *p;
  glia_status s = gi_plot_confusion(
      &(gi_confusion_chart){.counts = counts, .n = n, .name = r->class_name, .user = r->user},
      &p);
  if (s == GLIA_OK) {
    gi_str_puts(out, "<h3>Confusion matrix</h3>\n");
    s = gi_report_plot(out, p);
    most_confused(r, counts, n, out);
  }
  glia_tensor_free(t);
  return s;
}

glia_status gi_report_evaluation(const gi_report *r, gi_str *out) {
  if (r->evaluation == NULL || glia_evaluation_count(r->evaluation) == 0) return GLIA_OK;
  gi_str_puts(out, "<h2>Evaluation</h2>\n");
  if (r->evaluated_on != NULL) {
    gi_str_puts(out, "<p class=\"muted\">On ");
    gi_markup(out, r->evaluated_on);
    gi_str_puts(out, ".</p>\n");
  }
  metrics(r, out);
  if (glia_evaluation_classes(r->evaluation) == 0) return GLIA_OK;
  classes_table(r, out);
  return confusion(r, out);
}
