/* cli/table.c - text in aligned columns, bars, and numbers as people read them. */
#include "cli/table.h"

#include <inttypes.h>

#include "cli/progress.h"

/* Characters of UTF-8 text: all bytes but those that go on with a character. */
static int characters(const char *s) {
  int n = 0;
  for (; *s != '\0'; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
  return n;
}

void gi_table_begin(gi_table *t, const char *heads) {
  *t = (gi_table){0};
  for (;;) {
    t->left[t->n] = *heads == '<';
    heads += t->left[t->n];
    const int n = (int)strcspn(heads, "|");
    snprintf(t->heads[t->n], GI_TABLE_HEAD, "%.*s", n, heads);
    t->width[t->n] = characters(t->heads[t->n]);
    t->n++;
    heads += n;
    if (*heads == '\0' || t->n == GI_TABLE_MAX) return;
    heads++;
  }
}

void gi_table_cell(gi_table *t, const char *fmt, ...) {
  char text[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  char *cell = gi_strdup(text);
  if (cell == NULL || !gi_vec_push(&t->cells, cell)) {
    gi_free(cell);
    t->failed = true;
  }
}

static void print_row(const gi_table *t, const char *const *cells, gi_str *out) {
  const int n = t->n;
  for (int i = 0; i < n; i++) {
    const int pad = t->width[i] - characters(cells[i]);
    const bool last = i + 1 == n; /* no blanks at the end of a line */
    gi_str_printf(out, "%*s%s%*s", t->left[i] ? 0 : pad, "", cells[i],
                  t->left[i] && !last ? pad : 0, "");
    gi_str_puts(out, last ? "\n" : "  ");
  }
}

void gi_table_print(gi_table *t, gi_str *out) {
  if (t->failed) out->failed = true;
  const size_t columns = (size_t)t->n, full = t->cells.n / columns * columns;
  for (size_t i = 0; i < full; i++) {
    int *width = &t->width[i % columns];
    *width = GI_MAX(*width, characters(t->cells.at[i]));
  }
  const char *heads[GI_TABLE_MAX] = {NULL};
  for (int i = 0; i < t->n; i++) heads[i] = t->heads[i];
  if (!t->headed) print_row(t, heads, out);
  t->headed = true;
  for (size_t i = 0; i < full && !t->failed; i += columns)
    print_row(t, (const char *const *)t->cells.at + i, out);
  for (size_t i = 0; i < t->cells.n; i++) gi_free(t->cells.at[i]);
  t->cells.n = 0;
}

void gi_table_free(gi_table *t) {
  for (size_t i = 0; i < t->cells.n; i++) gi_free(t->cells.at[i]);
  gi_vec_free(&t->cells);
}

/* ---- bars and numbers -------------------------------------------------------------------- */

void gi_table_bar(gi_str *out, double share, int width) {
  /* Eighths of a character where the terminal knows them. */
  static const char *const parts[] = {"",       "\u258f", "\u258e", "\u258d",
                                      "\u258c", "\u258b", "\u258a", "\u2589"};
  const double clipped = share > 0 ? GI_MIN(share, 1.0) : 0;
  const int eighths = (int)(clipped * width * 8 + 0.5);
  const bool utf8 = gi_screen_has_utf8();
  int used = 0;
  for (; used < eighths / 8; used++) gi_str_puts(out, utf8 ? "\u2588" : "#");
  if (utf8 && eighths % 8 != 0 && used < width) {
    gi_str_puts(out, parts[eighths % 8]);
    used++;
  }
  gi_str_printf(out, "%*s", width - used, "");
}

void gi_markdown(gi_str *out, const char *text) {
  for (; *text != '\0'; text++) {
    if (strchr("|*_<>[]`\\", *text) != NULL) gi_str_puts(out, "\\");
    gi_str_add(out, text, 1);
  }
}

void gi_markdown_code(gi_str *out, const char *text) {
  gi_str_puts(out, "`");
  for (; *text != '\0'; text++) {
    if (*text == '|') gi_str_puts(out, "\\"); /* tables are cut up before code is seen */
    gi_str_add(out, text, 1);
  }
  gi_str_puts(out, "`");
}

/* One of four buffers in turn, so that one printf may hold several numbers. */
static char *buffer(void) {
  static _Thread_local char buffers[4][40];
  static _Thread_local unsigned next;
  return buffers[next++ % 4];
}

const char *gi_table_count(int64_t n) {
  char digits[24], *out = buffer();
  const int length = snprintf(digits, sizeof digits, "%" PRId64, n);
  int k = 0;
  for (int i = 0; i < length; i++) {
    out[k++] = digits[i];
    const int left = length - 1 - i;
    if (left > 0 && left % 3 == 0 && digits[i] != '-') out[k++] = ',';
  }
  out[k] = '\0';
  return out;
}

static const char *scaled(double n, double step, const char *const *units, int n_units) {
  int i = 0;
  while (n >= step && i + 1 < n_units) {
    n /= step;
    i++;
  }
  char *out = buffer();
  snprintf(out, 40, "%.*f%s%s",
           i == 0 || n >= 100 ? 0
           : n >= 10          ? 1
                              : 2,
           n, units[i][0] != '\0' ? " " : "", units[i]);
  return out;
}

const char *gi_table_bytes(double bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  return scaled(bytes, 1024, units, GI_COUNT(units));
}

const char *gi_table_scaled(double n) {
  static const char *const units[] = {"", "k", "M", "G", "T", "P"};
  return scaled(n, 1000, units, GI_COUNT(units));
}
