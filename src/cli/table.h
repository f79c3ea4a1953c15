/* cli/table.h - text in aligned columns.
 *
 *     gi_table t;
 *     gi_table_begin(&t, "<layer|parameters");
 *     gi_table_cell(&t, "%s", "conv1"); gi_table_cell(&t, "%d", 320);
 *     gi_table_print(&t, &text);          (header and rows so far)
 *     gi_table_free(&t);
 *
 * Columns are as wide as their widest cell so far, and never narrower again: rows printed one
 * by one while a run goes on stand under each other as long as the heads leave room.
 */
#ifndef GI_TABLE_H
#define GI_TABLE_H

#include "cli/cli.h"

enum { GI_TABLE_MAX = 12, GI_TABLE_HEAD = 24 };

typedef struct gi_table {
  char heads[GI_TABLE_MAX][GI_TABLE_HEAD];
  bool left[GI_TABLE_MAX];
  int width[GI_TABLE_MAX]; /* in characters */
  int n;                   /* columns */
  bool headed, failed;     /* the header was printed; out of memory, reported by print */
  GI_VEC(char *) cells;    /* not yet printed, row by row */
} gi_table;

/* Heads are parted by "|"; "<" before one asks for left alignment. */
void gi_table_begin(gi_table *t, const char *heads);
/* The next cell of the current row; rows are full when every column has one. */
void gi_table_cell(gi_table *t, const char *fmt, ...) GLIA_PRINTF(2, 3);
/* Appends the header (the first time) and all full rows; all cells are then forgotten. */
void gi_table_print(gi_table *t, gi_str *out);
void gi_table_free(gi_table *t);

/* A bar of at most `width` characters, filled up to share (0..1), padded with blanks. */
void gi_table_bar(gi_str *out, double share, int width);

/* Text for a cell of a Markdown table, as it is and as code: what Markdown would take for its
 * own is escaped. */
void gi_markdown(gi_str *out, const char *text);
void gi_markdown_code(gi_str *out, const char *text);

/* Numbers for people: 1234567 as "1,234,567"; bytes as "1.2 MiB"; flops as "3.4 G". The text is
 * borrowed until the fourth next call on any of the three. */
const char *gi_table_count(int64_t n);
const char *gi_table_bytes(double bytes);
const char *gi_table_scaled(double n);

#endif /* GI_TABLE_H */
