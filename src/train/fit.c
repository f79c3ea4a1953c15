/* fit.c - the loop over epochs: steps, validation, the best weights, early stopping, events. */
#include <math.h>

#include "train/learner.h"

void glia_history_clear(glia_history *h) {
  gi_free(h->rows);
  *h = (glia_history){0};
}

/* ---- the best weights -------------------------------------------------------------------- */

typedef struct fitter {
  glia_learner *l;
  glia_loader *train, *valid;
  glia_history *history;
  glia_fit_opts o;
  glia_progress p;
  glia_tensor **best; /* copies of the store's tensors at the best epoch; NULL: none yet */
  int n_best;
  double *metrics; /* the monitored value of each epoch in the history */
  double began;
  int64_t seen; /* samples in this epoch */
} fitter;

static void free_best(fitter *f) {
  for (int i = 0; f->best != NULL && i < f->n_best; i++) glia_tensor_free(f->best[i]);
  gi_free(f->best);
  f->best = NULL;
}

static bool kept(const glia_store *s, int i) {
  return glia_store_kind_of(s, i) != GLIA_STATE || gi_store_is_average(s, i);
}

static glia_status keep_best(fitter *f) {
  const glia_store *s = f->l->store;
  free_best(f);
  f->n_best = glia_store_count(s);
  f->best = gi_alloc((size_t)f->n_best * sizeof *f->best);
  if (f->best == NULL) return gi_fail_nomem((size_t)f->n_best * sizeof *f->best);
  for (int i = 0; i < f->n_best; i++)
    if (kept(s, i)) GI_TRY(glia_tensor_copy(glia_store_tensor(s, i), &f->best[i]));
  return GLIA_OK;
}

static void restore_best(fitter *f) {
  for (int i = 0; f->best != NULL && i < f->n_best; i++) {
    glia_tensor *t = glia_store_tensor(f->l->store, i);
    if (f->best[i] != NULL)
      memcpy(glia_tensor_data(t), glia_tensor_data(f->best[i]), glia_tensor_bytes(t));
  }
}

/* ---- an epoch ---------------------------------------------------------------------------- */

static glia_status tell(fitter *f, glia_event e) {
  f->p.event = e;
  if (f->o.on_event == NULL || f->o.on_event(&f->p, f->o.user)) return GLIA_OK;
  return gi_fail(GLIA_CANCELLED, "stopped on request in epoch %lld, step %lld",
                 (long long)f->p.epoch, (long long)f->p.step);
}

static glia_rates rates_now(const fitter *f) {
  const glia_schedule *s = &f->o.schedule;
  const double peak = gi_schedule_find(s->name)->peak;
  const double own = f->l->o.optimizer.lr * (peak > 0 ? peak : 1);
  const int64_t done = (f->p.epoch - 1) * f->p.steps + f->p.step;
  const glia_schedule_point at = {
      .lr = f->o.lr > 0 ? f->o.lr : own,
      .step = s->per_epoch ? f->p.epoch - 1 : done,
      .steps = s->per_epoch ? f->p.epochs : f->p.epochs * f->p.steps,
      .metrics = f->metrics,
      .n_metrics = f->history->n,
  };
  return gi_schedule_rates(s, &at);
}

static glia_status one_step(fitter *f, const glia_batch *b, double *total) {
  const glia_rates rates = rates_now(f);
  f->p.lr = rates.lr;
  GI_TRY(gi_learner_step(f->l, b->x, b->y, rates, &f->p.loss));
  f->seen += b->count;
  *total += f->p.loss * (double)b->count;
  f->p.step++;
  f->p.mean_loss = *total / (double)f->seen;
  f->p.samples_per_second = (double)f->seen / fmax(gi_now() - f->began, 1e-9);
  return tell(f, GLIA_STEP_END);
}

static glia_status train_epoch(fitter *f) {
  double total = 0;
  f->p.step = 0;
  f->seen = 0;
  f->p.steps = glia_loader_batches(f->train);
  f->began = gi_now();
  GI_TRY(tell(f, GLIA_EPOCH_BEGIN));
  GI_TRY(glia_loader_start(f->train, f->p.epoch - 1));
  for (;;) {
    glia_batch b;
    GI_TRY(glia_loader_next(f->train, &b));
    if (b.count == 0) break;
    GI_TRY(one_step(f, &b, &total));
  }
  if (f->seen == 0)
    return gi_fail(GLIA_DATA,
                   "fit: the training data have no batch; hint: a smaller batch, or "
                   "data that can be read");
  return GLIA_OK;
}

static glia_status validate(fitter *f, glia_epoch *row) {
  glia_result r;
  row->valid_loss = row->metric = NAN;
  if (f->valid == NULL) return GLIA_OK;
  GI_TRY(tell(f, GLIA_VALIDATE_BEGIN));
  GI_TRY(glia_evaluate(f->l, f->valid, &r));
  row->valid_loss = r.loss;
  const glia_status s = glia_evaluation_value(
      r.evaluation, f->l->o.data.classes > 0 ? "accuracy" : "r2", &row->metric);
  glia_result_clear(&r);
  return s;
}

static bool better(const fitter *f, double v) {
  const glia_history *h = f->history;
  if (isnan(v)) return false;
  if (h->best == 0) return true;
  const bool by_metric = f->o.monitor == GLIA_MONITOR_METRIC && f->valid != NULL;
  return by_metric ? v > h->best_value : v < h->best_value;
}

static double monitored(const fitter *f, const glia_epoch *row) {
  if (f->valid == NULL) return row->train_loss;
  return f->o.monitor == GLIA_MONITOR_METRIC ? row->metric : row->valid_loss;
}

static glia_status gather_metrics(fitter *f) {
  const size_t n = (size_t)f->history->n;
  double *metrics = gi_realloc(f->metrics, (n + 1) * sizeof *metrics);
  if (metrics == NULL) return gi_fail_nomem((n + 1) * sizeof *metrics);
  f->metrics = metrics;
  for (size_t i = 0; i < n; i++) metrics[i] = monitored(f, &f->history->rows[i]);
  return GLIA_OK;
}

static glia_status add_row(fitter *f, const glia_epoch *row) {
  glia_history *h = f->history;
  glia_epoch *rows = gi_realloc(h->rows, (size_t)(h->n + 1) * sizeof *rows);
  if (rows == NULL) return gi_fail_nomem((size_t)(h->n + 1) * sizeof *rows);
  h->rows = rows;
  h->rows[h->n++] = *row;
  const double v = monitored(f, row);
  f->p.best = better(f, v);
  if (!f->p.best) return GLIA_OK;
  h->best = row->epoch;
  h->best_value = v;
  return f->o.keep_best ? keep_best(f) : GLIA_OK;
}

static glia_status run_epoch(fitter *f, int64_t epoch) {
  glia_epoch row = {.epoch = epoch};
  f->p.epoch = epoch;
  GI_TRY(gather_metrics(f));
  GI_TRY(train_epoch(f));
  row.train_loss = f->p.mean_loss;
  row.lr = f->p.lr;
  GI_TRY(validate(f, &row));
  row.seconds = gi_now() - f->began;
  GI_TRY(add_row(f, &row));
  f->p.row = &f->history->rows[f->history->n - 1];
  const glia_status s = tell(f, GLIA_EPOCH_END);
  f->p.row = NULL;
  return s;
}

static bool out_of_patience(const fitter *f) {
  const glia_history *h = f->history;
  return f->o.patience > 0 && h->n > 0 && h->rows[h->n - 1].epoch - h->best >= f->o.patience;
}

static glia_status run(fitter *f) {
  f->p.epochs = f->o.epochs > 0 ? f->o.epochs : 1;
  GI_TRY(glia_schedule_resolve(&f->o.schedule));
  if (f->o.schedule.cycle_momentum) GI_TRY(gi_learner_move_momentum(f->l));
  GI_TRY(tell(f, GLIA_FIT_BEGIN));
  for (int64_t e = f->history->n + 1; e <= f->p.epochs && !out_of_patience(f); e++)
    GI_TRY(run_epoch(f, e));
  if (f->o.keep_best) restore_best(f);
  return tell(f, GLIA_FIT_END);
}

glia_status glia_fit_opt(glia_learner *l, glia_loader *train, glia_loader *valid,
                         glia_history *history, const glia_fit_opts *opt) {
  glia_history mine = {0};
  fitter f = {
      .l = l, .train = train, .valid = valid, .history = history != NULL ? history : &mine};
  gi_opts(&f.o, sizeof f.o, opt);
  if (f.o.epochs < 0 || f.o.patience < 0 || f.o.lr < 0 || !isfinite(f.o.lr))
    return gi_fail(GLIA_INVALID, "fit: epochs %lld, patience %lld, lr %g: wanted 0 or more",
                   (long long)f.o.epochs, (long long)f.o.patience, f.o.lr);
  if (f.o.patience > 0 && history == NULL) f.o.keep_best = true;
  const glia_status s = run(&f);
  free_best(&f);
  gi_free(f.metrics);
  glia_history_clear(&mine);
  return s;
}
