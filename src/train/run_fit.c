/* run_fit.c - training a run: what is written after each epoch and at the end. */
#include "train/run.h"

static glia_status save(glia_run *r, const char *name, bool state) {
  char *info = gi_info_text(&r->info, &r->history, r->learner->steps, r->o.seed);
  char *path = gi_run_file(r, name);
  glia_status s = info == NULL || path == NULL ? gi_fail_nomem(1) : GLIA_OK;
  const glia_metadata m = {"glia", info};
  if (s == GLIA_OK)
    s = state ? glia_checkpoint_save(r->learner->store, path, &m, 1)
              : glia_save(r->learner->store, path, &m, 1);
  gi_free(info);
  gi_free(path);
  return s;
}

static glia_status write_log(glia_run *r) {
  gi_log_csv *log = NULL;
  char *path = gi_run_file(r, "log.csv");
  glia_status s = path == NULL ? gi_fail_nomem(1) : gi_run_log(r, &log);
  if (s == GLIA_OK) s = gi_log_csv_write(log, path);
  if (s == GLIA_OK) s = gi_run_events(r, log);
  gi_log_csv_free(log);
  gi_free(path);
  return s;
}

/* The checkpoint last: what it says was done is on disk then. */
static glia_status save_epoch(glia_run *r, const glia_progress *p) {
  if (p->best && r->o.patience > 0) GI_TRY(save(r, "best.safetensors", false));
  GI_TRY(write_log(r));
  return save(r, "checkpoint.safetensors", true);
}

static bool on_event(const glia_progress *p, void *user) {
  glia_run *r = user;
  if (p->event == GLIA_EPOCH_END) {
    r->failed = save_epoch(r, p);
    if (r->failed != GLIA_OK) {
      r->failure = gi_strdup(glia_error_message());
      return false;
    }
  }
  return r->on_event == NULL || r->on_event(p, r->user);
}

static glia_status load_best(glia_run *r) {
  char *path = gi_run_file(r, "best.safetensors");
  if (path == NULL) return gi_fail_nomem(1);
  const glia_status s = gi_exists(path) ? glia_load(r->learner->store, path, false) : GLIA_OK;
  gi_free(path);
  return s;
}

glia_status glia_run_fit(glia_run *r, bool (*fn)(const glia_progress *p, void *user),
                         void *user) {
  const glia_fit_opts o = {.size = sizeof o,
                           .epochs = r->o.epochs,
                           .lr = r->o.lr,
                           .schedule = r->schedule,
                           .patience = r->o.patience,
                           .on_event = on_event,
                           .user = r};
  if (r->train_loader == NULL)
    return gi_fail(GLIA_INVALID, "run: was opened for use; hint: resume it to train on");
  r->on_event = fn;
  r->user = user;
  const glia_status s =
      glia_fit_opt(r->learner, r->train_loader, r->valid_loader, &r->history, &o);
  if (r->failed != GLIA_OK)
    return gi_fail(r->failed, "%s", r->failure != NULL ? r->failure : "");
  GI_TRY(s);
  if (r->o.patience > 0) GI_TRY(load_best(r));
  GI_TRY(save(r, "model.safetensors", false));
  return gi_run_report(r);
}
