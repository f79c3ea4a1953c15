/* run_events.c - a run's TensorBoard file: each epoch the row of log.csv as curves and the
 * parameters as histograms, at the end the pictures of the report.
 *
 * The file is made at the end of the first epoch that is trained, so that a run which is
 * resumed goes on in a file of its own: TensorBoard joins those of a folder by their steps, the
 * epochs.
 */
#include <math.h>

#include "glia/formats.h"
#include "train/run.h"

static glia_status add_row(glia_run *r, const gi_log_csv *log, int64_t row, int64_t epoch) {
  for (int c = 1; c < gi_log_csv_columns(log); c++) {
    const double v = gi_log_csv_at(log, row, c);
    if (isfinite(v)) GI_TRY(glia_events_scalar(r->events, gi_log_csv_name(log, c), epoch, v));
  }
  return GLIA_OK;
}

/* A parameter that has become infinite in every place has no histogram. */
static glia_status add_parameters(glia_run *r, int64_t epoch) {
  const glia_store *store = r->learner->store;
  for (int i = 0; i < glia_store_count(store); i++) {
    if (glia_store_kind_of(store, i) != GLIA_PARAMETER) continue;
    const glia_status s = glia_events_histogram(r->events, glia_store_name(store, i), epoch,
                                                glia_store_tensor(store, i));
    if (s != GLIA_OK && s != GLIA_INVALID) return s;
  }
  return GLIA_OK;
}

glia_status gi_run_events(glia_run *r, const gi_log_csv *log) {
  const int64_t row = gi_log_csv_rows(log) - 1;
  if (row < 0) return GLIA_OK;
  const int64_t epoch = (int64_t)gi_log_csv_at(log, row, 0);
  if (r->events == NULL) GI_TRY(glia_events_new(r->o.run, &r->events));
  GI_TRY(add_row(r, log, row, epoch));
  return add_parameters(r, epoch);
}

glia_status gi_run_event_picture(const glia_run *r, const char *name, const char *path) {
  enum { PICTURE_MAX = 64 << 20 };
  char *png = NULL;
  size_t n = 0;
  if (r->events == NULL) return GLIA_OK;
  GI_TRY(gi_read_file(path, PICTURE_MAX, &png, &n));
  const int64_t epoch = r->history.n > 0 ? r->history.rows[r->history.n - 1].epoch : 0;
  const glia_status s = glia_events_image(r->events, name, epoch, png, n);
  gi_free(png);
  return s;
}
