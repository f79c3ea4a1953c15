/* train/log_csv.h - the history of a run, and log.csv, the file that keeps it.
 *
 * A history is a table of numbers with a row for each epoch: epoch (1, 2 ...), train_loss,
 * valid_loss, metrics by their names, time (seconds of the epoch). What does not exist (a
 * validation loss without a validation set) is NaN, and an empty cell in the file.
 *
 * log.csv is read back on resuming; as it lies in the user's folder it may hold anything, and
 * is checked field by field. Numbers are written with as many digits as it takes to read back
 * the same double.
 */
#ifndef GI_LOG_CSV_H
#define GI_LOG_CSV_H

#include "base/base.h"

enum { GI_LOG_CSV_COLUMNS = 256, GI_LOG_CSV_NAME = 64, GI_LOG_CSV_ROWS = 1000000 };

typedef struct gi_log_csv gi_log_csv;

/* An empty history with these columns (copied), the first of them "epoch". GLIA_INVALID for
 * fewer than two or more than 256 columns, equal names, or a name that is not 1..63 of A-Z a-z
 * 0-9 _ . - / and blanks. Owned. */
glia_status gi_log_csv_new(const char *const *names, int columns, gi_log_csv **out);
void gi_log_csv_free(gi_log_csv *h);

/* One row of `columns` numbers; its epoch is that of the row before plus one, or any from 1 in
 * the first row: else GLIA_INVALID. */
glia_status gi_log_csv_add(gi_log_csv *h, const double *row);
/* Forgets rows from the end until `rows` are left (a run resumed from a checkpoint). */
void gi_log_csv_cut(gi_log_csv *h, int64_t rows);

int gi_log_csv_columns(const gi_log_csv *h);
int64_t gi_log_csv_rows(const gi_log_csv *h);
const char *gi_log_csv_name(const gi_log_csv *h, int column);       /* NULL out of range */
int gi_log_csv_find(const gi_log_csv *h, const char *name);         /* -1 if there is none */
double gi_log_csv_at(const gi_log_csv *h, int64_t row, int column); /* NaN out of range */
/* The numbers of a column, owned (gi_free); NULL without memory. */
double *gi_log_csv_column(const gi_log_csv *h, int column);

/* Atomically: the old file or the new one. */
glia_status gi_log_csv_write(const gi_log_csv *h, const char *path);
void gi_log_csv_text(const gi_log_csv *h, gi_str *out); /* what is written */

/* GLIA_FORMAT names file, line and column. Owned. */
glia_status gi_log_csv_read(const char *path, gi_log_csv **out);
/* The same from n bytes of text; `what` stands for the file in messages. */
glia_status gi_log_csv_parse(const char *text, size_t n, const char *what, gi_log_csv **out);

#endif /* GI_LOG_CSV_H */
