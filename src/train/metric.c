/* metric.c - finding a metric by its name.
 *
 * Names are saved in logs and given on the command line. A row's name may hold "_k_" in the
 * place of a number, so that "top_3_accuracy" and "top_5_accuracy" are one row.
 */
#include "train/metric.h"

#define PLACE "_k_"
enum { LARGEST_K = 1000000, NAMES_MAX = 256 };

const gi_metric *gi_metric_at(int i) {
  for (int f = 0; i >= 0 && gi_metrics_table[f] != NULL; f++)
    for (int r = 0; gi_metrics_table[f][r] != NULL; r++)
      if (i-- == 0) return gi_metrics_table[f][r];
  return NULL;
}

/* Does `name` spell the row's name with a number for k? *k stays 0 for a plain name. A number
 * that is out of range yields k = -1. */
static bool spells(const char *row, const char *name, int64_t *k) {
  *k = 0;
  if (strcmp(row, name) == 0) return strstr(row, PLACE) == NULL;
  const char *place = strstr(row, PLACE);
  if (place == NULL) return false;
  const size_t head = (size_t)(place - row) + 1; /* up to and with the underscore */
  if (strncmp(row, name, head) != 0) return false;
  const size_t digits = strspn(name + head, "0123456789");
  if (digits == 0 || strcmp(name + head + digits, place + 2) != 0) return false;
  for (size_t i = 0; i < digits && *k <= LARGEST_K; i++) *k = *k * 10 + (name[head + i] - '0');
  if (*k < 1 || *k > LARGEST_K) *k = -1;
  return true;
}

/* The name that looks most like it, or NULL. */
static const char *nearest(const char *name) {
  const char *names[NAMES_MAX];
  int n = 0;
  for (const gi_metric *m; n < NAMES_MAX && (m = gi_metric_at(n)) != NULL; n++)
    names[n] = m->name;
  const int near = gi_nearest(name, names, n);
  return near >= 0 ? names[near] : NULL;
}

static glia_status unknown(const char *name) {
  const char *near = nearest(name);
  if (near != NULL)
    return gi_fail(GLIA_INVALID, "metric: there is no \"%s\"; hint: did you mean \"%s\"%s?",
                   name, near,
                   strstr(near, PLACE) != NULL ? " (a number in the place of k)" : "");
  return gi_fail(GLIA_INVALID,
                 "metric: there is no \"%s\"; wanted e.g. accuracy, f1_macro, "
                 "top_5_accuracy",
                 name);
}

glia_status gi_metric_named(const char *name, const gi_metric **out, int *index, int64_t *k) {
  if (name == NULL) return gi_fail(GLIA_INVALID, "metric: the name is NULL");
  const gi_metric *m;
  for (int i = 0; (m = gi_metric_at(i)) != NULL; i++) {
    if (!spells(m->name, name, k)) continue;
    if (*k < 0)
      return gi_fail(GLIA_INVALID, "metric: the number in \"%s\" is out of range, wanted 1..%d",
                     name, LARGEST_K);
    *out = m;
    *index = i;
    return GLIA_OK;
  }
  return unknown(name);
}

glia_status gi_metric_of_arrays(const char *name, const gi_metric **out, int64_t *k) {
  int index;
  *k = 0;
  for (int i = 0; name != NULL && (*out = gi_metric_at(i)) != NULL; i++)
    if (strcmp((*out)->name, name) == 0) return GLIA_OK;
  return gi_metric_named(name, out, &index, k);
}

glia_status gi_metric_parse(const char *text, const gi_metric **out, int *index, int64_t *k,
                            glia_metric_opts *o, int *n) {
  static const gi_field none[] = {{.name = NULL}};
  gi_words words;
  if (text == NULL) return gi_fail(GLIA_INVALID, "metric: the name is NULL");
  GI_TRY(gi_words_read("metric", text, &words));
  *n = words.n - 1;
  *o = (glia_metric_opts){.size = sizeof *o};
  *index = -1;
  if (*n == 0)
    GI_TRY(gi_metric_named(words.at[0], out, index, k));
  else
    GI_TRY(gi_metric_of_arrays(words.at[0], out, k));
  const gi_metric *m = *out;
  const gi_field *fields = m->fields != NULL && m->compute != NULL ? m->fields : none;
  if (gi_fields_parse_exact(fields, m->name, words.at + 1, *n, o) != GLIA_OK)
    return gi_fail(GLIA_INVALID, "metric: %s", glia_error_message());
  return GLIA_OK;
}

static void describe(const gi_metric *m, glia_metric_info *out) {
  *out = (glia_metric_info){.name = m->name,
                            .doc = m->doc,
                            .source = m->source,
                            .regression = m->regression,
                            .needs_scores = gi_metric_needs_scores(m),
                            .per_class = m->class_value != NULL,
                            .lower_is_better = m->lower_is_better,
                            .running = m->value != NULL,
                            .whole = m->compute != NULL};
}

bool glia_metric_get(int i, glia_metric_info *out) {
  const gi_metric *m = gi_metric_at(i);
  if (m == NULL) return false;
  describe(m, out);
  return true;
}

glia_status glia_metric_find(const char *name, glia_metric_info *out) {
  const gi_metric *m;
  int index;
  int64_t k;
  GI_TRY(gi_metric_named(name, &m, &index, &k));
  describe(m, out);
  return GLIA_OK;
}
