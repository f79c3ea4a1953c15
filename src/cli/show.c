/* cli/show.c - tables of networks and results. */
#include "cli/show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/progress.h"
#include "base/fields.h"
#include "cli/table.h"
#include "train/metric.h"
#include "train/text_table.h"

/* ---- networks -----------------------------------------------------------------------------
 */

/* "[N, 32, 26, 26]": the batch is left open. */
static void shape_text(char *out, size_t room, const glia_summary_row *row) {
  size_t n = (size_t)snprintf(out, room, "[N");
  for (int i = 1; i < row->rank && n < room; i++)
    n += (size_t)snprintf(out + n, room - n, ", %" PRId64, row->shape[i]);
  if (n < room) snprintf(out + n, room - n, "]");
}

void gi_show_summary(gi_str *out, const glia_summary *s, int batch) {
  gi_table t;
  gi_table_begin(&t, "<layer|<op|<output|parameters|flops");
  for (int i = 0; i < s->n; i++) {
    char shape[160];
    shape_text(shape, sizeof shape, &s->rows[i]);
    gi_table_cell(&t, "%s", s->rows[i].layer);
    gi_table_cell(&t, "%s", s->rows[i].op);
    gi_table_cell(&t, "%s", shape);
    gi_table_cell(&t, "%s", gi_table_count(s->rows[i].parameters));
    gi_table_cell(&t, "%s", gi_table_scaled(s->rows[i].flops * batch));
  }
  gi_table_print(&t, out);
  gi_table_free(&t);
  gi_str_printf(out, "%s parameters, %sflop forward for a batch of %d\n",
                gi_table_count(s->parameters), gi_table_scaled(s->flops * batch), batch);
}

gi_json *gi_show_summary_json(const glia_summary *s) {
  gi_json *list = gi_json_array();
  for (int i = 0; i < s->n; i++) {
    const glia_summary_row *row = &s->rows[i];
    gi_json *one = gi_json_object(), *shape = gi_json_array();
    for (int k = 1; k < row->rank; k++) gi_json_add_int(shape, row->shape[k]);
    gi_json_set_str(one, "layer", row->layer);
    gi_json_set_str(one, "op", row->op);
    gi_json_set(one, "output", shape);
    gi_json_set_int(one, "parameters", row->parameters);
    gi_json_set_num(one, "flops", row->flops);
    gi_json_add(list, one);
  }
  return list;
}

/* ---- classes ------------------------------------------------------------------------------
 */

static const char *class_name(void *run, int c) { return glia_run_class(run, c); }

glia_status gi_show_classes(gi_str *out, glia_run *r, const glia_result *result, bool report) {
  if (glia_run_classes(r) == 0) return GLIA_OK;
  const gi_text_opts opt = {
      .name = class_name,
      .user = r,
      .width = gi_screen_width(STDOUT_FILENO),
      .ascii = !gi_screen_has_utf8(),
      .color = gi_screen_has_color(STDOUT_FILENO),
  };
  glia_tensor *counts = NULL;
  GI_TRY(glia_evaluation_confusion(result->evaluation, &counts));
  gi_text_confusion(out, glia_tensor_data(counts), glia_run_classes(r), &opt);
  glia_tensor_free(counts);
  if (!report) return GLIA_OK;
  gi_str_puts(out, "\n");
  gi_text_report(out, result->evaluation, &opt);
  return GLIA_OK;
}

/* ---- results ----------------------------------------------------------------------------- */

/* What stands for a result in one number. */
static const char *main_metric(const glia_result *r) {
  return glia_evaluation_classes(r->evaluation) > 0 ? "accuracy" : "r2";
}

glia_status gi_show_result(gi_str *out, const glia_result *r) {
  double value;
  const char *metric = main_metric(r);
  GI_TRY(glia_evaluation_value(r->evaluation, metric, &value));
  gi_str_printf(out, "loss %.4f  ", r->loss);
  if (strcmp(metric, "accuracy") == 0)
    gi_str_printf(out, "accuracy %.2f %%", 100 * value);
  else
    gi_str_printf(out, "%s %.4f", metric, value);
  gi_str_printf(out, "  %" PRId64 " samples\n", r->count);
  return GLIA_OK;
}

/* Calls fn for each entry of a comma-separated list, without the blanks before it. */
static glia_status each_metric(const char *list,
                               glia_status (*fn)(const char *metric, void *user), void *user) {
  char text[GI_WORDS_TEXT];
  while (list != NULL && *list != '\0') {
    const size_t n = strcspn(list, ","), blanks = GI_MIN(strspn(list, " \t"), n);
    if (n >= sizeof text)
      return gi_fail(GLIA_INVALID, "metric: '%.40s...' is too long", list + blanks);
    memcpy(text, list, n);
    text[n] = '\0';
    if (blanks < n) GI_TRY(fn(text + blanks, user));
    list += n + (list[n] == ',');
  }
  return GLIA_OK;
}

static glia_status check_metric(const char *text, void *user) {
  const gi_metric *m;
  glia_metric_opts o;
  int index, options;
  int64_t k;
  (void)user;
  return gi_metric_parse(text, &m, &index, &k, &o, &options);
}

glia_status gi_check_metrics(const char *metrics) {
  return each_metric(metrics, check_metric, NULL);
}

typedef struct printed {
  gi_str *text;
  const glia_result *r;
} printed;

static glia_status print_metric(const char *text, void *user) {
  const printed *p = user;
  double value;
  GI_TRY(glia_evaluation_value(p->r->evaluation, text, &value));
  gi_str_printf(p->text, "%s %.6g\n", text, value);
  return GLIA_OK;
}

glia_status gi_show_metrics(gi_str *out, const glia_result *r, const char *metrics) {
  printed p = {.text = out, .r = r};
  return each_metric(metrics, print_metric, &p);
}

typedef struct measured {
  gi_json *j;
  const glia_result *r;
} measured;

static glia_status set_metric(const char *name, void *user) {
  const measured *m = user;
  double value;
  GI_TRY(glia_evaluation_value(m->r->evaluation, name, &value));
  gi_json_set_num(m->j, name, value);
  return GLIA_OK;
}

glia_status gi_show_result_json(gi_json *j, const glia_result *r, const char *metrics) {
  measured m = {.j = j, .r = r};
  gi_json_set_num(j, "loss", r->loss);
  GI_TRY(set_metric(main_metric(r), &m));
  gi_json_set_int(j, "count", r->count);
  return each_metric(metrics, set_metric, &m);
}

const char *gi_show_time(double seconds) {
  static _Thread_local char buffers[4][32];
  static _Thread_local unsigned next;
  char *out = buffers[next++ % 4];
  const long s = seconds > 0 && seconds < 1e9 ? (long)(seconds + 0.5) : 0;
  if (s >= 3600)
    snprintf(out, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  else
    snprintf(out, 32, "%ld:%02ld", s / 60, s % 60);
  return out;
}
