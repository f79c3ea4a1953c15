/* cli/show.c - tables of networks and results. */
#include "cli/show.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "cli/table.h"

enum { CONFUSION_SHOWN = 20, PAIRS_SHOWN = 10 };

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
  gi_table_begin(&t, "<layer", "<op", "<output", "parameters", "flops", NULL);
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

/* ---- the confusion matrix -------------------------------------------------------------------
 */

static void whole_matrix(gi_str *out, const glia_tensor *counts, int classes,
                         const char *(*class_name)(const void *user, int c), const void *user) {
  gi_table t;
  gi_table_begin(&t, "<true \\ predicted", NULL);
  /* Heads are borrowed until the table is printed, and names only for a call. */
  char *heads[CONFUSION_SHOWN] = {NULL};
  for (int c = 0; c < classes; c++) {
    heads[c] = gi_strdup(class_name(user, c));
    if (heads[c] == NULL) t.failed = true;
    gi_table_head(&t, heads[c] != NULL ? heads[c] : "");
  }
  for (int c = 0; c < classes; c++) {
    gi_table_cell(&t, "%s", class_name(user, c));
    for (int p = 0; p < classes; p++) {
      const double n = glia_tensor_get(counts, (int64_t)c * classes + p);
      gi_table_cell(&t, n > 0 ? "%.0f" : ".", n);
    }
  }
  gi_table_print(&t, out);
  gi_table_free(&t);
  for (int c = 0; c < classes; c++) gi_free(heads[c]);
}

/* The most frequent mistakes: each time the largest count that comes after the last one shown.
 */
static void worst_pairs(gi_str *out, const glia_tensor *counts, int classes,
                        const char *(*class_name)(const void *user, int c), const void *user) {
  gi_table t;
  gi_table_begin(&t, "count", "<true", "<predicted", NULL);
  double last = INFINITY;
  int64_t last_at = -1;
  const int64_t cells = (int64_t)classes * classes;
  for (int shown = 0; shown < PAIRS_SHOWN; shown++) {
    double most = 0;
    int64_t at = -1;
    for (int64_t i = 0; i < cells; i++) {
      const double n = glia_tensor_get(counts, i);
      if (i / classes == i % classes || n <= most || n > last) continue;
      if (n == last && i <= last_at) continue;
      most = n;
      at = i;
    }
    if (at < 0) break;
    gi_table_cell(&t, "%.0f", most);
    gi_table_cell(&t, "%s", class_name(user, (int)(at / classes)));
    gi_table_cell(&t, "%s", class_name(user, (int)(at % classes)));
    last = most;
    last_at = at;
  }
  gi_str_puts(out, "most frequent mistakes:\n");
  gi_table_print(&t, out);
  gi_table_free(&t);
}

glia_status gi_show_confusion(gi_str *out, const glia_evaluation *e,
                              const char *(*class_name)(const void *user, int c),
                              const void *user) {
  glia_tensor *counts = NULL;
  GI_TRY(glia_evaluation_confusion(e, &counts));
  const int classes = glia_evaluation_classes(e);
  (classes <= CONFUSION_SHOWN ? whole_matrix : worst_pairs)(out, counts, classes, class_name,
                                                            user);
  glia_tensor_free(counts);
  return GLIA_OK;
}

/* ---- results
 * ---------------------------------------------------------------------------------- */

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

glia_status gi_each_word(const char *list, glia_status (*fn)(const char *word, void *user),
                         void *user) {
  char word[64];
  while (list != NULL && *list != '\0') {
    const size_t n = strcspn(list, ",");
    if (n > 0 && n < sizeof word) {
      memcpy(word, list, n);
      word[n] = '\0';
      GI_TRY(fn(word, user));
    } else if (n > 0) {
      return gi_fail(GLIA_INVALID, "'%.*s' is too long for a name", (int)GI_MIN(n, (size_t)80),
                     list);
    }
    list += n + (list[n] == ',');
  }
  return GLIA_OK;
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
  return gi_each_word(metrics, set_metric, &m);
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
