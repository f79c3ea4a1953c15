/* csv.c - a table of numbers as a data set: one column is the target, the others are the
 * sample.
 *
 * The text is walked twice: first to see how many rows there are and what the target holds
 * (text, few integers, numbers), then to fill memory of exactly that size.
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <strings.h>

#include "data/csv_reader.h"
#include "data/dataset.h"

enum {
  HEADER_LOOK_AT = 20,  /* rows below a header that tell it from a row */
  INTEGERS_MOST = 20,   /* different integers that are still classes */
  CLASSES_MOST = 10000, /* different texts */
};

/* A file is held in memory while it is read; beyond this it is no table for one machine. */
static const size_t text_limit = (size_t)4 << 30;

typedef struct table {
  gi_csv csv;
  glia_csv_opts opt;
  size_t columns, target;
  bool has_header;
  gi_arena arena;             /* header and class names */
  GI_VEC(const char *) names; /* of the columns; none without a header */
  int64_t rows;
  bool text;                    /* a target is no number */
  bool integers;                /* all targets are integers, at most INTEGERS_MOST different */
  GI_VEC(int64_t) values;       /* which, sorted */
  GI_VEC(const char *) classes; /* texts, sorted; then the names of all classes */
} table;

static void clear(table *t) {
  gi_csv_close(&t->csv);
  gi_arena_free(&t->arena);
  gi_vec_free(&t->names);
  gi_vec_free(&t->values);
  gi_vec_free(&t->classes);
}

/* ---- cells ------------------------------------------------------------------------------- */

/* The last two stand for a missing number, but may well be the name of a class. */
static bool is_missing(const char *cell, bool target) {
  static const char *const marks[] = {"", "?", "NA", "N/A", "nan", "null", "none", "-"};
  for (int i = 0; i < GI_COUNT(marks) - (target ? 2 : 0); i++)
    if (strcasecmp(cell, marks[i]) == 0) return true;
  return false;
}

static bool is_number(const char *cell) {
  double v;
  return gi_parse_f64(cell, &v);
}

static bool is_integer(double v) {
  return v == floor(v) && fabs(v) <= 9007199254740992.0; /* 2^53 */
}

/* "file: line 3, column 2 (age)" leads what is said about a cell. */
static const char *place(const table *t, size_t column, char *buffer, size_t n) {
  const char *name = t->names.n > column ? t->names.at[column] : "";
  snprintf(buffer, n, "%s: line %" PRId64 ", column %zu%s%.64s%s", t->csv.what, t->csv.line,
           column + 1, name[0] != '\0' ? " (" : "", name, name[0] != '\0' ? ")" : "");
  return buffer;
}

static glia_status missing(const table *t, size_t column) {
  char where[512];
  return gi_fail(GLIA_FORMAT,
                 "%s: the value is missing; hint: fill it in or leave the line out",
                 place(t, column, where, sizeof where));
}

static glia_status read_number(const table *t, size_t column, float *out) {
  const char *cell = gi_csv_field(&t->csv, column);
  char where[512];
  double v;
  if (gi_parse_f64(cell, &v) && fabs(v) <= (double)FLT_MAX) {
    *out = (float)v;
    return GLIA_OK;
  }
  if (is_missing(cell, false)) return missing(t, column);
  return gi_fail(GLIA_FORMAT, "%s: \"%.64s\" is no number%s",
                 place(t, column, where, sizeof where), cell,
                 is_number(cell) ? " that f32 can hold" : "");
}

/* ---- the header and the columns ---------------------------------------------------------- */

/* Is the first record a header? Looks at which of its cells are numbers, then at those
 * below. */
static glia_status find_header(table *t) {
  bool more, any_number = false;
  GI_TRY(gi_csv_next(&t->csv, &more));
  if (!more) return gi_fail(GLIA_DATA, "%s: holds no rows", t->csv.what);
  t->columns = t->csv.fields.n;
  bool *text = gi_alloc(t->columns * sizeof *text);
  if (text == NULL) return gi_fail_nomem(t->columns);
  for (size_t i = 0; i < t->columns; i++) {
    const char *cell = gi_csv_field(&t->csv, i);
    any_number |= is_number(cell);
    text[i] = !is_number(cell) && !is_missing(cell, false);
  }
  t->has_header = !any_number;
  glia_status status = GLIA_OK;
  for (int row = 0; row < HEADER_LOOK_AT && !t->has_header; row++) {
    status = gi_csv_next(&t->csv, &more);
    if (status != GLIA_OK || !more) break;
    const size_t n = GI_MIN(t->columns, t->csv.fields.n);
    for (size_t i = 0; i < n; i++)
      t->has_header |= text[i] && is_number(gi_csv_field(&t->csv, i));
  }
  gi_free(text);
  gi_csv_rewind(&t->csv);
  return status;
}

static glia_status read_header(table *t) {
  GI_TRY(find_header(t));
  if (t->columns < 2)
    return gi_fail(GLIA_DATA,
                   "%s: has one column, wanted numbers and a target; hint: is the separator "
                   "comma, semicolon or tab?",
                   t->csv.what);
  if (!t->has_header) return GLIA_OK;
  bool more;
  GI_TRY(gi_csv_next(&t->csv, &more));
  for (size_t i = 0; i < t->columns; i++) {
    const char *name = gi_arena_strdup(&t->arena, gi_csv_field(&t->csv, i));
    if (name == NULL || !gi_vec_push(&t->names, name)) return gi_fail_nomem(sizeof name);
  }
  return GLIA_OK;
}

static glia_status find_target(table *t) {
  t->target = t->columns - 1;
  const char *wanted = t->opt.target;
  if (wanted == NULL) return GLIA_OK;
  for (size_t i = 0; i < t->names.n; i++)
    if (strcmp(t->names.at[i], wanted) == 0) {
      t->target = i;
      return GLIA_OK;
    }
  int64_t number;
  if (gi_parse_i64(wanted, &number) && number >= 0 && (uint64_t)number < t->columns) {
    t->target = (size_t)number;
    return GLIA_OK;
  }
  const int near =
      t->names.n > 0 ? gi_nearest(wanted, t->names.at, (int)GI_MIN(t->names.n, 10000)) : -1;
  return gi_fail(GLIA_INVALID, "%s: has no column \"%s\"%s%s%s (%zu columns%s)", t->csv.what,
                 wanted, near >= 0 ? "; hint: did you mean \"" : "",
                 near >= 0 ? t->names.at[near] : "", near >= 0 ? "\"?" : "", t->columns,
                 t->names.n > 0 ? "" : " without a header: name it by its number, from 0");
}

/* Reads a row; all must have the same columns. */
static glia_status next_row(table *t, bool *more) {
  GI_TRY(gi_csv_next(&t->csv, more));
  if (!*more || t->csv.fields.n == t->columns) return GLIA_OK;
  return gi_fail(GLIA_FORMAT, "%s: line %" PRId64 ": has %zu columns, wanted %zu as in line 1",
                 t->csv.what, t->csv.line, t->csv.fields.n, t->columns);
}

/* Back to the first row behind the header. */
static glia_status rewind_rows(table *t) {
  bool more;
  gi_csv_rewind(&t->csv);
  return t->has_header ? gi_csv_next(&t->csv, &more) : GLIA_OK;
}

/* ---- what the target holds --------------------------------------------------------------- */

/* First place in the sorted classes that is not before `text`. */
static size_t class_place(const table *t, const char *text) {
  size_t low = 0, high = t->classes.n;
  while (low < high) {
    const size_t mid = (low + high) / 2;
    if (strcmp(t->classes.at[mid], text) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

static glia_status note_text(table *t, const char *cell) {
  const size_t at = class_place(t, cell);
  if (at < t->classes.n && strcmp(t->classes.at[at], cell) == 0) return GLIA_OK;
  if (t->classes.n >= CLASSES_MOST) return GLIA_OK; /* check_classes sees that it is full */
  const char *kept = gi_arena_strdup(&t->arena, cell);
  if (kept == NULL || !gi_vec_push(&t->classes, kept)) return gi_fail_nomem(strlen(cell));
  memmove(t->classes.at + at + 1, t->classes.at + at,
          (t->classes.n - 1 - at) * sizeof *t->classes.at);
  t->classes.at[at] = kept;
  return GLIA_OK;
}

static glia_status note_integer(table *t, int64_t v) {
  size_t at = 0;
  while (at < t->values.n && t->values.at[at] < v) at++;
  if (at < t->values.n && t->values.at[at] == v) return GLIA_OK;
  if (t->values.n >= INTEGERS_MOST) {
    t->integers = false;
    return GLIA_OK;
  }
  if (!gi_vec_push(&t->values, v)) return gi_fail_nomem(sizeof v);
  memmove(t->values.at + at + 1, t->values.at + at,
          (t->values.n - 1 - at) * sizeof *t->values.at);
  t->values.at[at] = v;
  return GLIA_OK;
}

/* First walk: counts rows and looks at their targets. */
static glia_status survey(table *t) {
  t->integers = true;
  GI_TRY(rewind_rows(t));
  for (;;) {
    bool more;
    GI_TRY(next_row(t, &more));
    if (!more) break;
    const char *cell = gi_csv_field(&t->csv, t->target);
    double v;
    if (is_missing(cell, true)) return missing(t, t->target);
    const bool number = gi_parse_f64(cell, &v);
    if (!number) t->text = true;
    if (!number || !is_integer(v)) t->integers = false;
    if (t->integers) GI_TRY(note_integer(t, (int64_t)v));
    if (!t->opt.regression && t->opt.n_classes == 0) GI_TRY(note_text(t, cell));
    t->rows++;
  }
  if (t->rows == 0) return gi_fail(GLIA_DATA, "%s: holds no rows", t->csv.what);
  return GLIA_OK;
}

static const char *target_name(const table *t) {
  return t->names.n > 0 ? t->names.at[t->target] : "the target column";
}

/* Makes t->classes the names of all classes, in the order of their indices; none:
 * regression. */
static glia_status settle_classes(table *t) {
  const bool few = t->integers && (t->values.n <= 2 || (int64_t)t->values.n * 2 <= t->rows);
  const bool given = t->opt.n_classes > 0;
  if (given || !t->text || t->opt.regression) t->classes.n = 0;
  for (int c = 0; given && c < t->opt.n_classes; c++) {
    const char *kept = gi_arena_strdup(&t->arena, t->opt.classes[c]);
    if (kept == NULL || !gi_vec_push(&t->classes, kept)) return gi_fail_nomem(sizeof kept);
  }
  if (given || t->opt.regression || (!t->text && !few)) return GLIA_OK;
  for (size_t i = 0; !t->text && i < t->values.n; i++) {
    const char *kept = gi_arena_printf(&t->arena, "%" PRId64, t->values.at[i]);
    if (kept == NULL || !gi_vec_push(&t->classes, kept)) return gi_fail_nomem(sizeof kept);
  }
  if (t->classes.n < 2)
    return gi_fail(GLIA_DATA,
                   "%s: all %" PRId64
                   " rows are of one class (%s is \"%.64s\"), "
                   "wanted two at least",
                   t->csv.what, t->rows, target_name(t), t->classes.at[0]);
  if (t->classes.n >= CLASSES_MOST ||
      (t->classes.n > INTEGERS_MOST && (int64_t)t->classes.n * 2 > t->rows))
    return gi_fail(GLIA_DATA,
                   "%s: %s holds %zu different texts in %" PRId64
                   " rows, too many for classes; "
                   "hint: name another target column",
                   t->csv.what, target_name(t), t->classes.n, t->rows);
  return GLIA_OK;
}

/* ---- filling ----------------------------------------------------------------------------- */

static glia_status read_class(const table *t, int64_t *out) {
  const char *cell = gi_csv_field(&t->csv, t->target);
  char integer[32], where[512];
  double v;
  if (!t->text && t->integers && gi_parse_f64(cell, &v)) { /* 1, 1.0 and 01 are one class */
    snprintf(integer, sizeof integer, "%" PRId64, (int64_t)v);
    cell = integer;
  }
  if (t->text && t->opt.n_classes == 0) {
    *out = (int64_t)class_place(t, cell);
    return GLIA_OK;
  }
  for (size_t c = 0; c < t->classes.n; c++)
    if (strcmp(t->classes.at[c], cell) == 0) {
      *out = (int64_t)c;
      return GLIA_OK;
    }
  return gi_fail(GLIA_DATA, "%s: \"%.64s\" is none of the %zu classes",
                 place(t, t->target, where, sizeof where), cell, t->classes.n);
}

static glia_status fill_row(const table *t, gi_memory *m, int64_t row) {
  float *x = (float *)m->x + row * m->spec.shape[0];
  for (size_t i = 0; i < t->columns; i++)
    if (i != t->target) GI_TRY(read_number(t, i, x++));
  m->line[row] = t->csv.line;
  return m->spec.classes > 0 ? read_class(t, (int64_t *)m->y + row)
                             : read_number(t, t->target, (float *)m->y + row);
}

static glia_status reserve(const table *t, gi_memory *m) {
  const size_t rows = (size_t)t->rows;
  m->spec = (glia_sample_spec){.dtype = GLIA_F32,
                               .rank = 1,
                               .shape = {(int64_t)t->columns - 1},
                               .classes = (int)t->classes.n,
                               .targets = t->classes.n == 0};
  m->count = t->rows;
  size_t bytes;
  if (!gi_mul_size(rows, (t->columns - 1) * sizeof(float), &bytes))
    return gi_fail(GLIA_NOMEM, "%s: the table overflows", t->csv.what);
  m->x = gi_alloc(bytes);
  m->y = gi_alloc(rows * gi_target_bytes(&m->spec));
  m->line = gi_alloc(rows * sizeof *m->line);
  m->where = gi_strdup(t->csv.what);
  m->class_name = t->classes.n > 0 ? gi_alloc(t->classes.n * sizeof *m->class_name) : NULL;
  bool made = m->x != NULL && m->y != NULL && m->line != NULL && m->where != NULL &&
              (t->classes.n == 0 || m->class_name != NULL);
  for (size_t c = 0; made && c < t->classes.n; c++) {
    m->class_name[c] = gi_strdup(t->classes.at[c]);
    made = m->class_name[c] != NULL;
  }
  return made ? GLIA_OK : gi_fail_nomem(bytes);
}

static glia_status fill(table *t, gi_memory *m) {
  GI_TRY(reserve(t, m));
  GI_TRY(rewind_rows(t));
  for (int64_t row = 0; row < t->rows; row++) {
    bool more;
    GI_TRY(next_row(t, &more));
    GI_TRY(fill_row(t, m, row));
  }
  return GLIA_OK;
}

glia_status gi_csv_dataset(const char *text, size_t n, const char *what,
                           const glia_csv_opts *opt, glia_dataset **out) {
  table t = {.opt = *opt};
  gi_memory m = {0};
  glia_status status = GLIA_OK;
  if (opt->n_classes < 0 || (opt->n_classes > 0 && (opt->classes == NULL || opt->regression)))
    status = gi_fail(GLIA_INVALID, "%s: %d class names from nowhere, or for a regression", what,
                     opt->n_classes);
  if (status == GLIA_OK) status = gi_csv_open(&t.csv, text, n, what, opt->separator);
  if (status == GLIA_OK) status = read_header(&t);
  if (status == GLIA_OK) status = find_target(&t);
  if (status == GLIA_OK) status = survey(&t);
  if (status == GLIA_OK) status = settle_classes(&t);
  if (status == GLIA_OK) status = fill(&t, &m);
  if (status == GLIA_OK)
    status = gi_memory_dataset(&m, out);
  else
    gi_memory_clear(&m);
  clear(&t);
  return status;
}

glia_status glia_dataset_csv(const char *path, const glia_csv_opts *opt, glia_dataset **out) {
  if (path == NULL || out == NULL)
    return gi_fail(GLIA_INVALID, "csv: no path, or nowhere to put the data set");
  glia_csv_opts o;
  gi_data_options(&o, sizeof o, opt);
  gi_stream s;
  GI_TRY(gi_stream_open(&s, path));
  char *text;
  size_t n;
  glia_status status = gi_stream_all(&s, text_limit, &text, &n);
  gi_stream_close(&s);
  GI_TRY(status);
  status = gi_csv_dataset(text, n, path, &o, out);
  gi_free(text);
  return status;
}
