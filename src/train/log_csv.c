/* log_csv.c - a table of numbers and its file; see log_csv.h.
 *
 * The file is plain: a header of names, a line for each epoch, commas, no quotes (names that
 * would want them are refused), "inf" and "-inf" for infinities, nothing for NaN.
 */
#include "train/log_csv.h"

#include <math.h>

struct gi_log_csv {
  int columns;
  char (*names)[GI_LOG_CSV_NAME];
  int64_t rows;
  GI_VEC(double) cells; /* [rows, columns] */
};

enum { FILE_LIMIT = 256 << 20 };

static bool name_is_fine(const char *name, size_t n) {
  static const char allowed[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/ ";
  if (n == 0 || n >= GI_LOG_CSV_NAME) return false;
  for (size_t i = 0; i < n; i++)
    if (name[i] == '\0' || strchr(allowed, name[i]) == NULL) return false;
  return true;
}

/* ---- the table -------------------------------------------------------------------------- */

glia_status gi_log_csv_new(const char *const *names, int columns, gi_log_csv **out) {
  if (columns < 2 || columns > GI_LOG_CSV_COLUMNS)
    return gi_fail(GLIA_INVALID, "history: %d columns, wanted 2..%d", columns,
                   GI_LOG_CSV_COLUMNS);
  if (strcmp(names[0], "epoch") != 0)
    return gi_fail(GLIA_INVALID, "history: the first column is \"%.40s\", wanted \"epoch\"",
                   names[0]);
  for (int i = 0; i < columns; i++) {
    if (!name_is_fine(names[i], strlen(names[i])))
      return gi_fail(GLIA_INVALID,
                     "history: \"%.40s\" cannot be the name of a column; wanted 1..%d letters, "
                     "digits, blanks and _.-/",
                     names[i], GI_LOG_CSV_NAME - 1);
    for (int j = 0; j < i; j++)
      if (strcmp(names[i], names[j]) == 0)
        return gi_fail(GLIA_INVALID, "history: two columns are called \"%s\"", names[i]);
  }
  gi_log_csv *h = gi_alloc(sizeof *h);
  if (h == NULL) return gi_fail_nomem(sizeof *h);
  h->columns = columns;
  h->names = gi_alloc((size_t)columns * sizeof *h->names);
  if (h->names == NULL) {
    gi_free(h);
    return gi_fail_nomem((size_t)columns * sizeof *h->names);
  }
  for (int i = 0; i < columns; i++) memcpy(h->names[i], names[i], strlen(names[i]) + 1);
  *out = h;
  return GLIA_OK;
}

void gi_log_csv_free(gi_log_csv *h) {
  if (h == NULL) return;
  gi_vec_free(&h->cells);
  gi_free(h->names);
  gi_free(h);
}

glia_status gi_log_csv_add(gi_log_csv *h, const double *row) {
  const double before = h->rows > 0 ? gi_log_csv_at(h, h->rows - 1, 0) : 0;
  const bool follows = h->rows > 0 ? row[0] == before + 1 : row[0] >= 1;
  if (!follows || row[0] != floor(row[0]) || row[0] > 1e15)
    return gi_fail(GLIA_INVALID,
                   "history: epoch %.17g follows %.17g, wanted whole numbers in order", row[0],
                   before);
  if (h->rows >= GI_LOG_CSV_ROWS)
    return gi_fail(GLIA_INVALID, "history: more than %d epochs", GI_LOG_CSV_ROWS);
  const size_t columns = (size_t)h->columns;
  if (!gi_vec_reserve(&h->cells, h->cells.n + columns))
    return gi_fail_nomem((h->cells.n + columns) * sizeof(double));
  memcpy(h->cells.at + h->cells.n, row, columns * sizeof(double));
  h->cells.n += columns;
  h->rows++;
  return GLIA_OK;
}

void gi_log_csv_cut(gi_log_csv *h, int64_t rows) {
  if (rows < 0 || rows >= h->rows) return;
  h->rows = rows;
  h->cells.n = (size_t)rows * (size_t)h->columns;
}

int gi_log_csv_columns(const gi_log_csv *h) { return h->columns; }

int64_t gi_log_csv_rows(const gi_log_csv *h) { return h->rows; }

const char *gi_log_csv_name(const gi_log_csv *h, int column) {
  return column >= 0 && column < h->columns ? h->names[column] : NULL;
}

int gi_log_csv_find(const gi_log_csv *h, const char *name) {
  for (int i = 0; i < h->columns; i++)
    if (strcmp(h->names[i], name) == 0) return i;
  return -1;
}

double gi_log_csv_at(const gi_log_csv *h, int64_t row, int column) {
  if (row < 0 || row >= h->rows || column < 0 || column >= h->columns) return (double)NAN;
  return h->cells.at[row * h->columns + column];
}

double *gi_log_csv_column(const gi_log_csv *h, int column) {
  double *v = gi_alloc((size_t)h->rows * sizeof *v);
  for (int64_t i = 0; v != NULL && i < h->rows; i++) v[i] = gi_log_csv_at(h, i, column);
  return v;
}

/* ---- writing ---------------------------------------------------------------------------- */

/* The shortest of 15, 16 and 17 digits that reads back as v. printf's decimal point is the
 * locale's; whatever it is, it becomes a full stop. */
static void number(char text[40], double v) {
  for (int digits = 15; digits <= 17; digits++) {
    char raw[40];
    double back;
    snprintf(raw, sizeof raw, "%.*g", digits, v);
    char *to = text;
    for (const char *p = raw; *p != '\0'; p++) {
      const bool own = strchr("0123456789+-e", *p) != NULL;
      if (own)
        *to++ = *p;
      else if (to == text || to[-1] != '.')
        *to++ = '.';
    }
    *to = '\0';
    if (gi_parse_f64(text, &back) && back == v) return;
  }
}

static void cell(gi_str *out, double v) {
  char text[40];
  if (isnan(v)) return;
  if (isinf(v)) {
    gi_str_puts(out, v > 0 ? "inf" : "-inf");
    return;
  }
  number(text, v);
  gi_str_puts(out, text);
}

void gi_log_csv_text(const gi_log_csv *h, gi_str *out) {
  for (int i = 0; i < h->columns; i++)
    gi_str_printf(out, "%s%s", i > 0 ? "," : "", h->names[i]);
  gi_str_puts(out, "\n");
  for (int64_t r = 0; r < h->rows; r++) {
    for (int i = 0; i < h->columns; i++) {
      if (i > 0) gi_str_puts(out, ",");
      cell(out, gi_log_csv_at(h, r, i));
    }
    gi_str_puts(out, "\n");
  }
}

glia_status gi_log_csv_write(const gi_log_csv *h, const char *path) {
  gi_str out = {0};
  gi_log_csv_text(h, &out);
  const glia_status s = out.failed ? gi_fail_nomem(out.n) : gi_write_file(path, out.s, out.n);
  gi_str_free(&out);
  return s;
}

/* ---- reading ---------------------------------------------------------------------------- */

typedef struct reader {
  const char *path, *at, *end; /* the text not yet read */
  int64_t line;
} reader;

/* The next line without its end; false after the last. */
static bool next_line(reader *r, const char **line, size_t *n) {
  if (r->at >= r->end) return false;
  const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
  if (stop == NULL) stop = r->end;
  *line = r->at;
  *n = (size_t)(stop - r->at);
  if (*n > 0 && (*line)[*n - 1] == '\r') (*n)--;
  r->at = stop < r->end ? stop + 1 : stop;
  r->line++;
  return true;
}

/* The next cell of a line, which is NULL behind the last. */
static size_t next_cell(const char **line, size_t *left, const char **text) {
  const char *comma = memchr(*line, ',', *left);
  const size_t n = comma != NULL ? (size_t)(comma - *line) : *left;
  *text = *line;
  *left -= comma != NULL ? n + 1 : n;
  *line = comma != NULL ? comma + 1 : NULL;
  return n;
}

static glia_status read_header(reader *r, gi_log_csv **out) {
  char names[GI_LOG_CSV_COLUMNS][GI_LOG_CSV_NAME];
  const char *list[GI_LOG_CSV_COLUMNS], *line, *text;
  size_t left;
  int n = 0;
  if (!next_line(r, &line, &left))
    return gi_fail(GLIA_FORMAT, "%s: is empty, wanted a header of names", r->path);
  while (line != NULL) {
    const size_t length = next_cell(&line, &left, &text);
    if (n == GI_LOG_CSV_COLUMNS || !name_is_fine(text, length))
      return gi_fail(GLIA_FORMAT,
                     "%s:1: column %d: wanted the name of a column, at most %d of them",
                     r->path, n + 1, GI_LOG_CSV_COLUMNS);
    memcpy(names[n], text, length);
    names[n][length] = '\0';
    list[n] = names[n];
    n++;
  }
  const glia_status s = gi_log_csv_new(list, n, out);
  if (s == GLIA_OK) return s;
  return gi_where(s == GLIA_INVALID ? gi_fail(GLIA_FORMAT, "%s", glia_error_message()) : s,
                  "%s:1", r->path);
}

static bool parse_cell(const char *text, size_t n, double *v) {
  char copy[64];
  if (n == 0) {
    *v = (double)NAN;
    return true;
  }
  if (n >= sizeof copy || memchr(text, '\0', n) != NULL) return false;
  memcpy(copy, text, n);
  copy[n] = '\0';
  if (strcmp(copy, "inf") == 0 || strcmp(copy, "-inf") == 0) {
    *v = copy[0] == '-' ? -INFINITY : INFINITY;
    return true;
  }
  return gi_parse_f64(copy, v);
}

static glia_status read_row(const reader *r, gi_log_csv *h, const char *line, size_t left) {
  double row[GI_LOG_CSV_COLUMNS];
  const char *text;
  int n = 0;
  for (; line != NULL && n < h->columns; n++) {
    const size_t length = next_cell(&line, &left, &text);
    if (!parse_cell(text, length, &row[n]))
      return gi_fail(GLIA_FORMAT, "%s:%lld: column %s is no number", r->path,
                     (long long)r->line, h->names[n]);
  }
  if (n != h->columns || line != NULL)
    return gi_fail(GLIA_FORMAT, "%s:%lld: has %s than the %d columns of the header", r->path,
                   (long long)r->line, line != NULL ? "more" : "fewer", h->columns);
  const glia_status s = gi_log_csv_add(h, row);
  if (s != GLIA_INVALID) return s;
  return gi_fail(GLIA_FORMAT, "%s:%lld: epoch is %g, wanted 1, 2, 3 ... in order", r->path,
                 (long long)r->line, row[0]);
}

glia_status gi_log_csv_parse(const char *text, size_t n, const char *what, gi_log_csv **out) {
  gi_log_csv *h = NULL;
  reader r = {.path = what, .at = text, .end = text + n};
  glia_status s = read_header(&r, &h);
  const char *line;
  size_t left;
  while (s == GLIA_OK && next_line(&r, &line, &left)) s = read_row(&r, h, line, left);
  if (s == GLIA_OK)
    *out = h;
  else
    gi_log_csv_free(h);
  return s;
}

glia_status gi_log_csv_read(const char *path, gi_log_csv **out) {
  char *text;
  size_t n;
  GI_TRY(gi_read_file(path, FILE_LIMIT, &text, &n));
  const glia_status s = gi_log_csv_parse(text, n, path, out);
  gi_free(text);
  return s;
}
