/* csv_reader.c - CSV as RFC 4180 has it, and as it is found.
 *
 *   record = field *(separator field) end      end = LF / CRLF / CR / end of file
 *   field  = *plain / '"' *(any / '""') '"'
 *
 * Beyond the RFC: a byte order mark in front, other separators, empty lines (passed over),
 * blanks around fields (cut off, inside quotes too), and quotes in the middle of an unquoted
 * field (kept).
 */
#include <inttypes.h>

#include "data/csv_reader.h"

enum { LOOK_AT = 25 }; /* records that decide the separator */

static bool ends_record(char c) { return c == '\n' || c == '\r'; }

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* Steps over one line end, if there is one. */
static void pass_line_end(gi_csv *r) {
  if (r->at >= r->n || !ends_record(r->text[r->at])) return;
  const bool crlf = r->text[r->at] == '\r' && r->at + 1 < r->n && r->text[r->at + 1] == '\n';
  r->at += crlf ? 2 : 1;
  r->next_line++;
}

/* Adds text[from, to) to the current field. */
static glia_status add(gi_csv *r, size_t from, size_t to) {
  if (memchr(r->text + from, 0, to - from) != NULL)
    return gi_fail(GLIA_FORMAT, "%s: line %" PRId64 ": holds a NUL byte; not a text file?",
                   r->what, r->next_line);
  gi_str_add(&r->buffer, r->text + from, to - from);
  return GLIA_OK;
}

static glia_status read_plain(gi_csv *r) {
  const size_t from = r->at;
  while (r->at < r->n && r->text[r->at] != r->separator && !ends_record(r->text[r->at]))
    r->at++;
  return add(r, from, r->at);
}

/* From behind the opening quote to behind the closing one. */
static glia_status read_quoted(gi_csv *r) {
  const int64_t begun = r->next_line;
  for (;;) {
    const size_t from = r->at;
    while (r->at < r->n && r->text[r->at] != '"') {
      const bool crlf =
          r->text[r->at] == '\r' && r->at + 1 < r->n && r->text[r->at + 1] == '\n';
      if (ends_record(r->text[r->at]) && !crlf) r->next_line++;
      r->at++;
    }
    GI_TRY(add(r, from, r->at));
    if (r->at >= r->n)
      return gi_fail(GLIA_FORMAT,
                     "%s: line %" PRId64 ", column %zu: a quote is opened and never closed",
                     r->what, begun, r->fields.n);
    r->at++;
    if (r->at >= r->n || r->text[r->at] != '"') break;
    GI_TRY(add(r, r->at, r->at + 1)); /* "" is one quote */
    r->at++;
  }
  while (r->at < r->n && is_blank(r->text[r->at]) && r->text[r->at] != r->separator) r->at++;
  if (r->at < r->n && r->text[r->at] != r->separator && !ends_record(r->text[r->at]))
    return gi_fail(GLIA_FORMAT,
                   "%s: line %" PRId64 ", column %zu: text follows a closing quote", r->what,
                   r->next_line, r->fields.n);
  return GLIA_OK;
}

static glia_status read_field(gi_csv *r) {
  if (!gi_vec_push(&r->fields, r->buffer.n)) return gi_fail_nomem(sizeof(size_t));
  const bool quoted = r->at < r->n && r->text[r->at] == '"';
  r->at += quoted;
  GI_TRY(quoted ? read_quoted(r) : read_plain(r));
  size_t begin = r->fields.at[r->fields.n - 1];
  while (r->buffer.n > begin && is_blank(r->buffer.s[r->buffer.n - 1])) r->buffer.n--;
  gi_str_add(&r->buffer, "", 1);
  if (r->buffer.failed) return gi_fail_nomem(r->buffer.n);
  while (is_blank(r->buffer.s[begin])) begin++;
  r->fields.at[r->fields.n - 1] = begin;
  return GLIA_OK;
}

glia_status gi_csv_next(gi_csv *r, bool *more) {
  while (r->at < r->n && ends_record(r->text[r->at])) pass_line_end(r);
  *more = r->at < r->n;
  r->line = r->next_line;
  r->buffer.n = 0;
  r->fields.n = 0;
  if (!*more) return GLIA_OK;
  for (;;) {
    GI_TRY(read_field(r));
    if (r->at >= r->n || r->text[r->at] != r->separator) break;
    r->at++;
  }
  pass_line_end(r);
  return GLIA_OK;
}

const char *gi_csv_field(const gi_csv *r, size_t i) { return r->buffer.s + r->fields.at[i]; }

void gi_csv_rewind(gi_csv *r) {
  r->at = r->n >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
  r->next_line = r->line = 1;
}

void gi_csv_close(gi_csv *r) {
  gi_str_free(&r->buffer);
  gi_vec_free(&r->fields);
}

/* Columns that a separator makes of the first record, and whether the next ones have as many.
 */
static glia_status try_separator(gi_csv *r, char separator, size_t *columns, bool *even) {
  gi_csv_rewind(r);
  r->separator = separator;
  *columns = 0;
  *even = true;
  for (int i = 0; i < LOOK_AT && *even; i++) {
    bool more;
    const glia_status status = gi_csv_next(r, &more);
    if (status == GLIA_NOMEM) return status;
    if (status == GLIA_OK && !more) break;
    if (i == 0) *columns = r->fields.n;
    *even = status == GLIA_OK && r->fields.n == *columns;
  }
  *even = *even && *columns > 1;
  return GLIA_OK;
}

static glia_status find_separator(gi_csv *r) {
  static const char separators[] = {',', ';', '\t'};
  char best = ',';
  size_t most = 0;
  bool most_even = false;
  for (int i = 0; i < GI_COUNT(separators); i++) {
    size_t columns;
    bool even;
    GI_TRY(try_separator(r, separators[i], &columns, &even));
    if (even != most_even ? even : columns > most) {
      most = columns;
      most_even = even;
      best = separators[i];
    }
  }
  r->separator = best;
  gi_csv_rewind(r);
  return GLIA_OK;
}

glia_status gi_csv_open(gi_csv *r, const char *text, size_t n, const char *what,
                        char separator) {
  *r = (gi_csv){.text = text, .n = n, .what = what, .separator = separator};
  if (n >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
    return gi_fail(GLIA_FORMAT, "%s: is UTF-16, wanted UTF-8; hint: iconv -f UTF-16 -t UTF-8",
                   what);
  if (separator == '"' || separator == '\n' || separator == '\r')
    return gi_fail(GLIA_INVALID, "%s: quotes and line ends are no separators", what);
  gi_csv_rewind(r);
  return separator == '\0' ? find_separator(r) : GLIA_OK;
}
