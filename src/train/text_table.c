/* text_table.c - tables for terminals; see text_table.h. */
#include "train/text_table.h"

#include <stdlib.h>

enum { NAME_MAX_COLUMNS = 24, LEAST_WIDTH = 40, LEAST_HEAD = 4, LEAST_NAME = 8 };

/* ---- cells ------------------------------------------------------------------------------ */

static const char *name_of(const gi_text_opts *o, int c, char number[16]) {
  const char *name = o->name != NULL ? o->name(o->user, c) : NULL;
  if (name != NULL) return name;
  snprintf(number, 16, "%d", c);
  return number;
}

/* Text in exactly `columns`: to the left for pad 1, to the right for -1. */
static void put(gi_str *out, const gi_text_opts *o, const char *text, int columns, int pad) {
  gi_str cell = {0};
  gi_utf8_fit(&cell, text, columns, pad);
  const char *s = cell.s != NULL ? cell.s : "";
  for (uint32_t c; o->ascii && (c = gi_utf8_next(&s)) != 0;) {
    const char one[3] = {c >= 128 ? (c == 0x2026 ? '~' : '?') : (char)c, '?', '\0'};
    gi_str_add(out, one, (size_t)gi_utf8_columns_of(c)); /* a wide one is two "?" */
  }
  if (!o->ascii) gi_str_puts(out, s);
  if (cell.failed) out->failed = true;
  gi_str_free(&cell);
}

static int digits(int64_t v) {
  int n = 1;
  while ((v /= 10) > 0) n++;
  return n;
}

static int width_of(const gi_text_opts *o) {
  return GI_MAX(o->width > 0 ? o->width : 80, LEAST_WIDTH);
}

/* ---- confusion matrix ------------------------------------------------------------------- */

typedef struct grid {
  const int64_t *counts;
  int n;
  const gi_text_opts *o;
  int *shown;     /* [rows] classes of the rows and columns, ascending */
  bool *is_shown; /* [n] */
  int rows;
  bool other;           /* a last row and column for the classes that are not shown */
  bool numbered;        /* columns are headed by numbers, rows are "3 cat" */
  int head, cell, last; /* widths: of row names, of a column with the blanks before it, of the
                           column "other" likewise */
} grid;

/* Count of row r and column k, where index `rows` stands for all others. */
static int64_t sum_at(const grid *g, int r, int k) {
  int64_t sum = 0;
  for (int i = r < g->rows ? g->shown[r] : 0; i < g->n; i++) {
    if (r == g->rows && g->is_shown[i]) continue;
    const int64_t *row = g->counts + (int64_t)i * g->n;
    if (k < g->rows) sum += row[g->shown[k]];
    for (int j = 0; k == g->rows && j < g->n; j++) sum += g->is_shown[j] ? 0 : row[j];
    if (r < g->rows) break;
  }
  return sum;
}

static void row_name(const grid *g, int r, char *text, size_t size) {
  char number[16];
  if (r == g->rows) {
    snprintf(text, size, "other");
    return;
  }
  const int c = g->shown[r];
  const char *name = name_of(g->o, c, number);
  if (g->numbered && g->o->name != NULL)
    snprintf(text, size, "%d %s", c, name);
  else
    snprintf(text, size, "%s", name);
}

static void column_name(const grid *g, int k, char *text, size_t size) {
  if (g->numbered && k < g->rows)
    snprintf(text, size, "%d", g->shown[k]);
  else
    row_name(g, k, text, size);
}

/* Sets the widths for the classes shown; true if the whole fits. */
static bool measure(grid *g) {
  char text[256];
  int widest = 0, count = 1;
  g->head = 5; /* "other" */
  g->last = g->other ? 6 : 0;
  for (int r = 0; r < g->rows + g->other; r++) {
    row_name(g, r, text, sizeof text);
    g->head = GI_MAX(g->head, GI_MIN(gi_utf8_columns(text), NAME_MAX_COLUMNS));
    column_name(g, r, text, sizeof text);
    if (r < g->rows) widest = GI_MAX(widest, gi_utf8_columns(text));
    for (int k = 0; k < g->rows; k++) count = GI_MAX(count, digits(sum_at(g, r, k)));
    if (g->other) g->last = GI_MAX(g->last, 1 + digits(sum_at(g, r, g->rows)));
  }
  const int width = width_of(g->o), room = (width - g->head - g->last) / GI_MAX(g->rows, 1) - 1;
  const int wanted = GI_MAX(count, GI_MIN(widest, 12));
  const int least = GI_MAX(count, g->numbered ? widest : GI_MIN(widest, LEAST_HEAD));
  g->cell = 1 + GI_MAX(least, GI_MIN(wanted, room));
  const int over = g->head + g->rows * g->cell + g->last - width;
  if (over > 0 && g->head - over >= LEAST_NAME) g->head -= over;
  return g->head + g->rows * g->cell + g->last <= width;
}

typedef struct ranked {
  int64_t weight;
  int c;
} ranked;

static int by_weight(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->weight != y->weight) return x->weight < y->weight ? 1 : -1;
  return x->c - y->c;
}

/* All classes, those with the most mistakes (as truth or prediction) first. */
static void rank(const grid *g, ranked *all) {
  for (int i = 0; i < g->n; i++) {
    all[i] = (ranked){.c = i};
    for (int j = 0; j < g->n; j++)
      if (j != i)
        all[i].weight += g->counts[(int64_t)i * g->n + j] + g->counts[(int64_t)j * g->n + i];
  }
  qsort(all, (size_t)g->n, sizeof *all, by_weight);
}

/* Shows the first m of them, in ascending order. */
static void choose(grid *g, const ranked *all, int m) {
  for (int i = 0; i < g->n; i++) g->is_shown[all[i].c] = i < m;
  g->rows = 0;
  for (int i = 0; i < g->n; i++)
    if (g->is_shown[i]) g->shown[g->rows++] = i;
  g->other = m < g->n;
}

static void print_count(const grid *g, gi_str *out, int r, int k) {
  const int64_t v = sum_at(g, r, k);
  const bool color = g->o->color, hit = r == k && r < g->rows;
  const int width = k < g->rows ? g->cell : g->last;
  gi_str_printf(out, "%*s", GI_MAX(width - digits(v), 0), "");
  if (color) gi_str_puts(out, hit ? "\033[1m" : v == 0 ? "\033[2m" : "\033[33m");
  if (v == 0 && !hit)
    gi_str_puts(out, "0");
  else
    gi_str_printf(out, "%lld", (long long)v);
  if (color) gi_str_puts(out, "\033[0m");
}

static void print_grid(const grid *g, gi_str *out) {
  char text[256];
  put(out, g->o, "true", g->head, 1);
  for (int k = 0; k < g->rows + g->other; k++) {
    column_name(g, k, text, sizeof text);
    gi_str_puts(out, " ");
    put(out, g->o, text, (k < g->rows ? g->cell : g->last) - 1, -1);
  }
  gi_str_puts(out, "\n");
  for (int r = 0; r < g->rows + g->other; r++) {
    row_name(g, r, text, sizeof text);
    put(out, g->o, text, g->head, 1);
    for (int k = 0; k < g->rows + g->other; k++) print_count(g, out, r, k);
    gi_str_puts(out, "\n");
  }
}

/* Settles what is shown: names over the columns, else numbers, else fewer classes. */
static void fit(grid *g, ranked *all) {
  const int most = GI_MIN(g->n, width_of(g->o) / 2); /* a column takes at least two places */
  rank(g, all);
  choose(g, all, g->n);
  if (g->n == most && measure(g)) return;
  g->numbered = true;
  for (int m = most; m > 1; m--) {
    choose(g, all, m);
    if (measure(g)) return;
  }
  choose(g, all, 1);
  measure(g);
}

void gi_text_confusion(gi_str *out, const int64_t *counts, int n, const gi_text_opts *o) {
  grid g = {.counts = counts, .n = n, .o = o};
  ranked *all = gi_alloc((size_t)n * sizeof *all);
  g.shown = gi_alloc((size_t)n * sizeof *g.shown);
  g.is_shown = gi_alloc((size_t)n * sizeof *g.is_shown);
  if (all != NULL && g.shown != NULL && g.is_shown != NULL) {
    fit(&g, all);
    gi_str_printf(out, "%*s predicted\n", g.head, "");
    print_grid(&g, out);
    if (g.other) gi_str_printf(out, "(%d of %d classes, the most mistaken)\n", g.rows, n);
  } else {
    out->failed = true;
  }
  gi_free(all);
  gi_free(g.shown);
  gi_free(g.is_shown);
}

/* ---- most confused ---------------------------------------------------------------------- */

typedef struct mistake {
  int64_t count;
  int truth, guess;
} mistake;

/* Puts m into its place in the list of the largest; equal counts stay in order. */
static void keep(mistake *list, int *n, int limit, mistake m) {
  int at = *n;
  while (at > 0 && list[at - 1].count < m.count) at--;
  if (at >= limit) return;
  if (*n < limit) (*n)++;
  for (int i = *n - 1; i > at; i--) list[i] = list[i - 1];
  list[at] = m;
}

void gi_text_most_confused(gi_str *out, const int64_t *counts, int n, const gi_text_opts *o) {
  mistake list[64];
  const int limit = GI_MIN(o->limit > 0 ? o->limit : 10, GI_COUNT(list));
  int found = 0, name = 0, count = 0;
  char number[16];
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++)
      if (i != j && counts[(int64_t)i * n + j] > 0)
        keep(list, &found, limit, (mistake){counts[(int64_t)i * n + j], i, j});
  for (int k = 0; k < found; k++) {
    name = GI_MAX(name, gi_utf8_columns(name_of(o, list[k].truth, number)));
    name = GI_MAX(name, gi_utf8_columns(name_of(o, list[k].guess, number)));
    count = GI_MAX(count, digits(list[k].count));
  }
  name = GI_MIN(name, GI_MIN(NAME_MAX_COLUMNS, (width_of(o) - count - 16) / 2));
  for (int k = 0; k < found; k++) {
    int64_t support = 0;
    for (int j = 0; j < n; j++) support += counts[(int64_t)list[k].truth * n + j];
    put(out, o, name_of(o, list[k].truth, number), name, 1);
    gi_str_puts(out, o->ascii ? " -> " : " → ");
    put(out, o, name_of(o, list[k].guess, number), name, 1);
    gi_str_printf(out, "  %*lld  %5.1f %%\n", count, (long long)list[k].count,
                  100.0 * (double)list[k].count / (double)support);
  }
}

/* ---- report ----------------------------------------------------------------------------- */

static double class_value(const glia_evaluation *e, const char *metric, int c) {
  double v = 0;
  return glia_evaluation_class(e, metric, c, &v) == GLIA_OK ? v : 0;
}

static double value(const glia_evaluation *e, const char *metric, const char *average) {
  char name[64];
  double v = 0;
  snprintf(name, sizeof name, "%s%s", metric, average);
  return glia_evaluation_value(e, name, &v) == GLIA_OK ? v : 0;
}

static void print_line(gi_str *out, const gi_text_opts *o, int head, const char *name,
                       double precision, double recall, double f1, int64_t support) {
  put(out, o, name, head, 1);
  gi_str_printf(out, "  %9.4f  %6.4f  %6.4f  %7lld\n", precision, recall, f1,
                (long long)support);
}

typedef struct scored {
  double f1;
  int c;
} scored;

static int by_f1(const void *a, const void *b) {
  const scored *x = a, *y = b;
  if (x->f1 != y->f1) return x->f1 < y->f1 ? -1 : 1;
  return x->c - y->c;
}

/* The classes in the order in which they are printed; NULL without memory. */
static scored *order(const glia_evaluation *e, bool worst_first) {
  const int n = glia_evaluation_classes(e);
  scored *list = gi_alloc((size_t)n * sizeof *list);
  for (int c = 0; list != NULL && c < n; c++) list[c] = (scored){class_value(e, "f1", c), c};
  if (list != NULL && worst_first) qsort(list, (size_t)n, sizeof *list, by_f1);
  return list;
}

void gi_text_report(gi_str *out, const glia_evaluation *e, const gi_text_opts *o) {
  const int n = glia_evaluation_classes(e);
  const int64_t samples = glia_evaluation_count(e);
  if (n == 0 || samples == 0) return;
  char number[16];
  const bool some = o->limit > 0 && o->limit < n;
  scored *list = order(e, some);
  if (list == NULL) {
    out->failed = true;
    return;
  }
  const int rows = some ? o->limit : n;
  int head = 8; /* "accuracy", "weighted" */
  for (int i = 0; i < rows; i++)
    head = GI_MAX(head, gi_utf8_columns(name_of(o, list[i].c, number)));
  head = GI_MIN(head, width_of(o) - 36);
  gi_str_printf(out, "%*s  precision  recall      f1  support\n", head, "");
  for (int i = 0; i < rows; i++) {
    const int c = list[i].c;
    print_line(out, o, head, name_of(o, c, number), class_value(e, "precision", c),
               class_value(e, "recall", c), list[i].f1, glia_evaluation_support(e, c));
  }
  if (some) gi_str_printf(out, "(%d of %d classes, of least f1)\n", rows, n);
  gi_str_printf(out, "\n%-*s  %9s  %6s  %6.4f  %7lld\n", head, "accuracy", "", "",
                value(e, "accuracy", ""), (long long)samples);
  print_line(out, o, head, "macro", value(e, "precision", "_macro"),
             value(e, "recall", "_macro"), value(e, "f1", "_macro"), samples);
  print_line(out, o, head, "weighted", value(e, "precision", "_weighted"),
             value(e, "recall", "_weighted"), value(e, "f1", "_weighted"), samples);
  gi_free(list);
}
