/* data/csv_reader.h - records of a CSV text, one at a time. */
#ifndef GI_CSV_READER_H
#define GI_CSV_READER_H

#include "base/base.h"

typedef struct gi_csv {
  const char *text, *what; /* borrowed; `what` leads messages */
  size_t n, at;
  char separator;
  int64_t next_line;     /* 1-based */
  int64_t line;          /* on which the current record begins */
  gi_str buffer;         /* fields of the current record, unquoted, each with a NUL behind it */
  GI_VEC(size_t) fields; /* where they begin */
} gi_csv;

/* Starts at the first record, behind a byte order mark. separator 0: of comma, semicolon and
 * tab the one that cuts the first records into the most columns, equally many in each. */
glia_status gi_csv_open(gi_csv *r, const char *text, size_t n, const char *what,
                        char separator);
/* Reads the next record; empty lines are passed over. *more is false at the end. GLIA_FORMAT
 * for quotes that do not end, text behind a closing quote, NUL bytes. */
glia_status gi_csv_next(gi_csv *r, bool *more);
void gi_csv_rewind(gi_csv *r);
/* Field i of the current record without blanks around it; borrowed until the next record. */
const char *gi_csv_field(const gi_csv *r, size_t i);
void gi_csv_close(gi_csv *r);

#endif /* GI_CSV_READER_H */
