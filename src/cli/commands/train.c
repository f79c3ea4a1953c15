/* glia train DATA: trains a network and keeps the run in a folder; glia train --resume DIR goes
 * on with one that was stopped.
 *
 * Results (the network, a line an epoch, the confusion matrix) go to stdout as they come, the
 * progress bar to stderr. With --json stdout has one object, at the end.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/plot.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/table.h"

enum { SKIPPED_SHOWN = 10 };

/* What the callback needs. */
typedef struct watch {
  const gi_cli *c;
  glia_run *run;
  gi_table epochs;
  glia_status status; /* of printing */
} watch;

/* ---- settings -----------------------------------------------------------------------------
 */

/* A resumed run has its settings in its folder; others beside it would be silently ignored. */
static glia_status refuse_settings(const gi_cli *c) {
  if (gi_cli_argument(c, "DATA") != NULL)
    return gi_fail(GLIA_INVALID, "--resume goes on with the data of its run, got '%s' too",
                   gi_cli_argument(c, "DATA"));
  for (int i = 0; i < c->n_options; i++) {
    const gi_typed *t = &c->options[i];
    bool common = strcmp(t->option->name, "resume") == 0;
    for (const gi_option *o = gi_common_options; o->name != NULL; o++) common |= t->option == o;
    if (t->given && !common)
      return gi_fail(GLIA_INVALID,
                     "--resume goes on with the settings of its run; --%s cannot "
                     "be given with it",
                     t->option->name);
  }
  return GLIA_OK;
}

/* runs/NAME, NAME being the data's; runs/NAME-2 and so on where that is taken. Owned. */
static char *free_folder(const char *data) {
  char name[256];
  snprintf(name, sizeof name, "%s", data);
  for (size_t n = strlen(name); n > 1 && name[n - 1] == '/'; n--) name[n - 1] = '\0';
  const char *last = gi_path_name(name);
  char path[320];
  for (int i = 1; i < 10000; i++) {
    snprintf(path, sizeof path, i == 1 ? "runs/%s" : "runs/%s-%d", last, i);
    if (!gi_exists(path)) break;
  }
  return gi_strdup(path);
}

static glia_status open_run(const gi_cli *c, glia_run **out) {
  const char *resume = gi_cli_text(c, "resume"), *data = gi_cli_argument(c, "DATA");
  if (resume != NULL) {
    GI_TRY(refuse_settings(c));
    return glia_run_resume(resume, out);
  }
  if (data == NULL)
    return gi_fail(GLIA_INVALID,
                   "DATA is missing: a folder of pictures, idx files or a CSV "
                   "table; or --resume DIR");
  char *folder = NULL;
  if (gi_cli_text(c, "run") == NULL && (folder = free_folder(data)) == NULL)
    return gi_fail_nomem(320);
  const glia_train_opts opt = {
      .size = sizeof opt,
      .data = data,
      .net = gi_cli_text(c, gi_cli_given(c, "model") ? "model" : "net"),
      .run = folder != NULL ? folder : gi_cli_text(c, "run"),
      .epochs = gi_cli_i64(c, "epochs"),
      .batch = (int)gi_cli_i64(c, "batch"),
      .optimizer = gi_cli_text(c, "optimizer"),
      .lr = gi_cli_f64(c, "lr"),
      .loss = gi_cli_text(c, "loss"),
      .schedule = gi_cli_text(c, "schedule"),
      .clip_norm = gi_cli_f64(c, "clip-norm"),
      .label_smoothing = gi_cli_f64(c, "label-smoothing"),
      .valid = gi_cli_f64(c, "valid"),
      .patience = gi_cli_i64(c, "patience"),
      .target = gi_cli_text(c, "target"),
      .regression = gi_cli_flag(c, "regression"),
      .seed = (uint64_t)gi_cli_i64(c, "seed"),
      .workers = (int)gi_cli_i64(c, "workers"),
      .strict = gi_cli_flag(c, "strict"),
      .backend = gi_cli_text(c, "backend"),
      .threads = (int)gi_cli_i64(c, "threads"),
      .memory_limit = gi_cli_i64(c, "memory-limit"),
      .precision = gi_cli_precision(c),
      .deterministic = gi_cli_flag(c, "deterministic"),
      .tune = gi_cli_f64(c, "tune") > 0 ? gi_cli_f64(c, "tune") : -1,
      .exact_conv = gi_cli_flag(c, "exact-conv"),
  };
  const glia_status s = glia_run_new(&opt, out);
  gi_free(folder);
  return s;
}

/* ---- while it trains ------------------------------------------------------------------------
 */

static void show_memory(gi_str *out, const glia_memory *m) {
  gi_str_printf(out, "%s of memory planned: ",
                gi_table_bytes((double)(m->store + m->step + m->batches + m->data)));
  gi_str_printf(out, "%s parameters and state, %s a step, %s batches read ahead",
                gi_table_bytes((double)m->store), gi_table_bytes((double)m->step),
                gi_table_bytes((double)m->batches));
  if (m->data > 0) gi_str_printf(out, ", %s data", gi_table_bytes((double)m->data));
  gi_str_puts(out, "\n\n");
}

static glia_status show_network(const gi_cli *c, glia_run *r) {
  const glia_train_opts *opt = glia_run_opts(r);
  const int batch = opt->batch > 0 ? opt->batch : 64;
  glia_summary summary;
  glia_memory m;
  GI_TRY(glia_run_summary(r, &summary));
  gi_str text = {0};
  gi_show_summary(&text, &summary, batch);
  glia_summary_clear(&summary);
  const glia_status s = glia_run_memory(r, &m);
  if (s != GLIA_OK) {
    gi_str_free(&text);
    return s;
  }
  show_memory(&text, &m);
  if (c->json) {
    gi_str_free(&text);
    return GLIA_OK;
  }
  return gi_cli_print_text(&text);
}

static void begin_epoch(const watch *w, const glia_progress *p) {
  char title[48];
  snprintf(title, sizeof title, "epoch %" PRId64 "/%" PRId64, p->epoch, p->epochs);
  const int64_t count = glia_dataset_count(glia_run_train_data(w->run));
  gi_progress_begin(w->c, title, "samples", count, count * (p->epochs - p->epoch));
}

static void end_step(const watch *w, const glia_progress *p) {
  const int64_t count = glia_dataset_count(glia_run_train_data(w->run));
  /* Batches are of one size but the last. */
  const int64_t done = p->steps > 0 ? count * p->step / p->steps : 0;
  gi_progress_set(GI_MIN(done, count), "loss %.4f", p->mean_loss);
}

static void end_epoch(watch *w, const glia_progress *p) {
  const glia_epoch *e = p->row;
  gi_progress_end();
  if (w->c->json) return;
  gi_table *t = &w->epochs;
  gi_table_cell(t, "%" PRId64, e->epoch);
  gi_table_cell(t, "%.6f", e->train_loss);
  gi_table_cell(t, "%.6f", e->valid_loss);
  gi_table_cell(t, "%.6f", e->metric);
  gi_table_cell(t, "%s", gi_show_time(e->seconds));
  gi_str text = {0};
  gi_table_print(t, &text);
  w->status = gi_cli_print_text(&text);
}

static bool on_event(const glia_progress *p, void *user) {
  watch *w = user;
  switch (p->event) {
    case GLIA_EPOCH_BEGIN: begin_epoch(w, p); break;
    case GLIA_STEP_END: end_step(w, p); break;
    case GLIA_EPOCH_END: end_epoch(w, p); break;
    case GLIA_FIT_BEGIN:
    case GLIA_VALIDATE_BEGIN:
    case GLIA_FIT_END: break;
  }
  return !gi_interrupted() && w->status == GLIA_OK;
}

static glia_status fit(const gi_cli *c, glia_run *r) {
  watch w = {.c = c, .run = r};
  gi_table_begin(&w.epochs, glia_run_classes(r) > 0
                                ? "epoch|train_loss|valid_loss|accuracy|   time"
                                : "epoch|train_loss|valid_loss|      r2|   time");
  const glia_status s = glia_run_fit(r, on_event, &w);
  gi_progress_end();
  gi_table_free(&w.epochs);
  if (w.status != GLIA_OK) return w.status;
  if (s == GLIA_CANCELLED)
    return gi_fail(s,
                   "interrupted after epoch %" PRId64 " of %" PRId64
                   "; go on with: glia train "
                   "--resume %s",
                   glia_run_history(r)->n, glia_run_opts(r)->epochs, glia_run_opts(r)->run);
  return s;
}

/* ---- when it is done --------------------------------------------------------------------- */

static void show_skipped(const gi_cli *c, const glia_run *r) {
  const int64_t n = glia_run_skipped(r);
  if (n == 0) return;
  gi_cli_note(c, "%" PRId64 " samples could not be read and were left out:", n);
  for (int64_t i = 0; i < GI_MIN(n, SKIPPED_SHOWN); i++) {
    const char *message = glia_run_skipped_message(r, i);
    if (message != NULL) gi_cli_note(c, "  %s", message);
  }
  if (n > SKIPPED_SHOWN) gi_cli_note(c, "  ... and %" PRId64 " more", n - SKIPPED_SHOWN);
}

static void show_curves(gi_str *out, const glia_history *h) {
  double *y = gi_alloc(2 * (size_t)h->n * sizeof *y);
  if (y == NULL || h->n < 3) {
    gi_free(y);
    return;
  }
  for (int64_t i = 0; i < h->n; i++) {
    y[i] = h->rows[i].train_loss;
    y[h->n + i] = h->rows[i].valid_loss;
  }
  gi_str_puts(out, "\n");
  gi_plot_curves(
      out,
      (const gi_curve[]){{.name = "train_loss", .mark = '*', .y = y, .n = (int)h->n},
                         {.name = "valid_loss", .mark = 'o', .y = y + h->n, .n = (int)h->n}},
      2, "epoch", 60, 10);
  gi_free(y);
}

static glia_status show_end(const gi_cli *c, glia_run *r, const glia_result *result) {
  const glia_history *h = glia_run_history(r);
  const char *folder = glia_run_opts(r)->run;
  gi_str text = {0};
  if (gi_screen_is_live(STDOUT_FILENO)) show_curves(&text, h);
  gi_str_puts(&text, "\n");
  glia_status s = gi_show_classes(&text, r, result, false);
  gi_str_puts(&text, "\n");
  if (s == GLIA_OK) s = gi_show_metrics(&text, result, gi_cli_text(c, "metrics"));
  if (s == GLIA_OK) s = gi_show_result(&text, result);
  if (s != GLIA_OK) {
    gi_str_free(&text);
    return s;
  }
  char report[4096];
  snprintf(report, sizeof report, "%s/report.html", folder);
  if (gi_exists(report)) gi_str_printf(&text, "report: %s\n", report);
  show_skipped(c, r);
  return gi_cli_print_text(&text);
}

static glia_status print_end_json(const gi_cli *c, glia_run *r, const glia_result *result) {
  const glia_history *h = glia_run_history(r);
  gi_json *j = gi_json_object(), *epochs = gi_json_array(), *skipped = gi_json_array();
  gi_json_set_str(j, "run", glia_run_opts(r)->run);
  for (int64_t i = 0; i < h->n; i++) {
    gi_json *one = gi_json_object();
    gi_json_set_int(one, "epoch", h->rows[i].epoch);
    gi_json_set_num(one, "train_loss", h->rows[i].train_loss);
    gi_json_set_num(one, "valid_loss", h->rows[i].valid_loss);
    gi_json_set_num(one, glia_run_classes(r) > 0 ? "accuracy" : "r2", h->rows[i].metric);
    gi_json_set_num(one, "lr", h->rows[i].lr);
    gi_json_set_num(one, "seconds", h->rows[i].seconds);
    gi_json_add(epochs, one);
  }
  gi_json_set(j, "epochs", epochs);
  gi_json_set_int(j, "best_epoch", h->best);
  const char *message;
  for (int64_t i = 0; (message = glia_run_skipped_message(r, i)) != NULL; i++)
    gi_json_add_str(skipped, message);
  gi_json_set_int(j, "skipped", glia_run_skipped(r));
  gi_json_set(j, "skipped_samples", skipped);
  const glia_status s = gi_show_result_json(j, result, gi_cli_text(c, "metrics"));
  if (s == GLIA_OK) return gi_cli_print_json(j);
  gi_json_free(j);
  return s;
}

static glia_status train(const gi_cli *c, glia_run *r) {
  gi_cli_note(c, "%" PRId64 " samples to train on, %" PRId64 " to validate with; run folder %s",
              glia_dataset_count(glia_run_train_data(r)),
              glia_dataset_count(glia_run_valid_data(r)), glia_run_opts(r)->run);
  GI_TRY(show_network(c, r));
  if (glia_run_history(r)->n >= glia_run_opts(r)->epochs)
    gi_cli_note(c, "all %" PRId64 " epochs are done already", glia_run_opts(r)->epochs);
  GI_TRY(fit(c, r));
  glia_result result = {0};
  GI_TRY(glia_run_evaluate(r, NULL, &result));
  const glia_status s = c->json ? print_end_json(c, r, &result) : show_end(c, r, &result);
  glia_result_clear(&result);
  return s;
}

static glia_status run(gi_cli *c) {
  glia_run *r = NULL;
  GI_TRY(gi_check_metrics(gi_cli_text(c, "metrics")));
  GI_TRY(open_run(c, &r));
  const glia_status s = train(c, r);
  glia_run_free(r);
  return s;
}

/* ---- the row ----------------------------------------------------------------------------- */

static const gi_argument arguments[] = {
    {.name = "DATA",
     .kind = GI_OPTION_PATH,
     .optional = true,
     .help = "class folders of pictures, a folder of idx files, or a CSV table"},
    {0},
};

static const gi_option options[] = {
    {.name = "net",
     .letter = 'n',
     .kind = GI_OPTION_PATH,
     .value = "FILE",
     .help = "the network, a .net file (default: one that suits the data)"},
    {.name = "model",
     .kind = GI_OPTION_PATH,
     .value = "FILE",
     .help = "a trained network to go on with, an ONNX file; the same as --net FILE.onnx"},
    {.name = "epochs",
     .letter = 'e',
     .kind = GI_OPTION_I64,
     .min = 1,
     .max = 1000000,
     .fallback = "5",
     .help = "passes over the training data"},
    {.name = "run",
     .kind = GI_OPTION_PATH,
     .value = "DIR",
     .help = "the folder that keeps the run (default: runs/ and the name of the data)"},
    {.name = "resume",
     .kind = GI_OPTION_PATH,
     .value = "DIR",
     .help = "go on with a run that was stopped"},
    {.name = "batch",
     .letter = 'b',
     .kind = GI_OPTION_I64,
     .min = 1,
     .max = 1000000,
     .fallback = "64",
     .help = "samples in a step"},
    {.name = "optimizer",
     .kind = GI_OPTION_TEXT,
     .value = "RULE",
     .fallback = "adam",
     .help = "sgd, adam, adamw, nadam, radam, adamax, rmsprop, adagrad, adadelta, asgd, lamb, "
             "lion or rprop, and its options: 'sgd momentum=0.9'"},
    {.name = "lr",
     .kind = GI_OPTION_F64,
     .above = true,
     .max = 1000,
     .help = "learning rate (default: the optimiser's)"},
    {.name = "loss",
     .kind = GI_OPTION_TEXT,
     .value = "RULE",
     .help =
         "of classes cross-entropy (the default) or multi-margin; of numbers mse (the "
         "default), "
         "mae, huber, smooth-l1, poisson-nll, bce, focal, dice, hinge or soft-margin; and its "
         "options: 'huber delta=0.5'"},
    {.name = "schedule",
     .kind = GI_OPTION_TEXT,
     .value = "RULE",
     .fallback = "one-cycle",
     .help =
         "how the learning rate moves: constant, linear, cosine, cosine-restarts, one-cycle, "
         "cyclic, step, multi-step, exponential, polynomial, warmup or plateau, and its "
         "options: 'step step_size=2 per_epoch'"},
    {.name = "clip-norm",
     .kind = GI_OPTION_F64,
     .max = 1e6,
     .help = "largest norm of all gradients together; 0: any",
     .fallback = "0"},
    {.name = "label-smoothing",
     .kind = GI_OPTION_F64,
     .max = 0.99,
     .help = "share of each target that is spread over all classes",
     .fallback = "0"},
    {.name = "valid",
     .kind = GI_OPTION_F64,
     .above = true,
     .max = 0.9,
     .fallback = "0.1",
     .help = "share of the training data held out for validation"},
    GI_OPTION_METRICS,
    {.name = "patience",
     .kind = GI_OPTION_I64,
     .max = 1000000,
     .fallback = "0",
     .help = "stop after so many epochs without a better validation loss; 0: never"},
    {.name = "target",
     .kind = GI_OPTION_TEXT,
     .value = "COLUMN",
     .help = "column of a CSV table to predict (default: the last)"},
    {.name = "regression", .help = "the target of a CSV table is a number, not a class"},
    {.name = "strict",
     .help = "stop at a sample that cannot be read, instead of leaving it out"},
    {.name = "workers",
     .kind = GI_OPTION_I64,
     .min = 1,
     .max = 256,
     .fallback = "1",
     .help = "threads that read samples"},
    GI_OPTION_SEED,
    GI_OPTION_BACKEND,
    GI_OPTION_THREADS,
    GI_OPTION_MEMORY_LIMIT,
    GI_OPTION_PRECISION,
    GI_OPTION_TUNE("10"),
    GI_OPTION_DETERMINISTIC,
    GI_OPTION_EXACT_CONV,
    {0},
};

static const gi_command train_row = {
    .name = "train",
    .group = GI_GROUP_TRAIN,
    .summary = "train a network on data",
    .help =
        "Looks at DATA, trains the network on it and keeps everything in the run folder: the "
        "model, checkpoints, the log, plots and report.html.\n\n"
        "Ctrl-C stops between two steps. A run that was stopped, even by a power cut, goes on "
        "with --resume and ends in the same model, bit for bit, as one that was not.\n\n"
        "A share of the training data is held out for validation after each epoch. The test "
        "part of "
        "the data (test/, valid/ or val/ beside train/, or idx files named t10k) is measured "
        "only at "
        "the end, and by 'glia evaluate'.\n\n"
        "'glia rules' lists losses, optimisers and schedules with their options.",
    .example =
        "glia train data/digits --net lenet.net --epochs 8 --seed 1 --run runs/digits\n"
        "glia train --resume runs/digits\n"
        "glia train houses.csv --target price --regression --optimizer 'adamw "
        "weight_decay=0.01'",
    .arguments = arguments,
    .options = options,
    .run = run,
};

const gi_command *const gi_commands_train[] = {&train_row, NULL};
