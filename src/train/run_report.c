/* run_report.c - what a finished run shows: curves.png, confusion.png, examples.png,
 * report.html. All of it is measured on the data that were held out for validation.
 */
#include <math.h>
#include <stdlib.h>

#include "train/report.h"
#include "train/run.h"
#include "vision/image.h"

enum { EXAMPLES = 12, MISTAKES = 12 };

typedef struct sample { /* one that is shown */
  int64_t index;
  double confidence; /* of the guess */
  int truth, guess;
  gi_image image;
  char name[256];
  gi_report_example shown;
} sample;

typedef struct reporter {
  glia_run *r;
  glia_evaluation *evaluation;
  double loss;
  sample examples[EXAMPLES], mistakes[MISTAKES];
  int n_examples, n_mistakes;
} reporter;

/* ---- looking at the samples -------------------------------------------------------------- */

static void softmax_row(const glia_tensor *logits, int64_t row, int n, double *p) {
  double largest = -INFINITY, sum = 0;
  for (int c = 0; c < n; c++) largest = fmax(largest, glia_tensor_get(logits, row * n + c));
  for (int c = 0; c < n; c++) sum += p[c] = exp(glia_tensor_get(logits, row * n + c) - largest);
  for (int c = 0; c < n; c++) p[c] /= sum;
}

/* The stored picture of a sample, if the samples are pictures. */
static void take_image(const reporter *p, sample *s) {
  const glia_sample_spec *spec = &p->r->info.spec;
  int64_t y[1];
  if (spec->rank != 3 || spec->dtype != GLIA_U8 || (spec->shape[0] != 1 && spec->shape[0] != 3))
    return;
  const int c = (int)spec->shape[0], h = (int)spec->shape[1], w = (int)spec->shape[2];
  uint8_t *planes = gi_alloc((size_t)c * (size_t)h * (size_t)w);
  if (planes != NULL && gi_image_new(&s->image, c, h, w, "report") == GLIA_OK) {
    if (glia_dataset_read(p->r->valid_part, s->index, planes, y) == GLIA_OK)
      for (int i = 0; i < h * w * c; i++) s->image.px[i] = planes[i % c * h * w + i / c];
    else
      gi_image_clear(&s->image);
  }
  gi_free(planes);
}

/* The most likely classes, most likely first. */
static void take_guesses(const reporter *p, sample *s, const double *probabilities) {
  const int n = p->r->info.spec.classes;
  int best[GI_REPORT_GUESSES];
  s->shown.n = GI_MIN(n, GI_REPORT_GUESSES);
  for (int k = 0; k < s->shown.n; k++) {
    best[k] = -1;
    for (int c = 0; c < n; c++) {
      bool taken = false;
      for (int j = 0; j < k; j++) taken |= best[j] == c;
      if (!taken && (best[k] < 0 || probabilities[c] > probabilities[best[k]])) best[k] = c;
    }
    s->shown.labels[k] = glia_run_class(p->r, best[k]);
    s->shown.probabilities[k] = probabilities[best[k]];
  }
}

static void fill(const reporter *p, sample *s, int64_t index, int truth, int guess,
                 const double *probabilities) {
  gi_image_clear(&s->image);
  *s = (sample){
      .index = index, .confidence = probabilities[guess], .truth = truth, .guess = guess};
  take_image(p, s);
  snprintf(s->name, sizeof s->name, "%s", glia_dataset_name(p->r->valid_part, index));
  take_guesses(p, s, probabilities);
  s->shown.truth = glia_run_class(p->r, truth);
  s->shown.guess = glia_run_class(p->r, guess);
  s->shown.wrong = truth != guess;
}

/* Keeps the mistakes of which the model was surest, surest first. */
static void keep_mistake(reporter *p, int64_t index, int truth, int guess, const double *prob) {
  int at = p->n_mistakes;
  while (at > 0 && p->mistakes[at - 1].confidence < prob[guess]) at--;
  if (at == MISTAKES) return;
  if (p->n_mistakes == MISTAKES)
    gi_image_clear(&p->mistakes[MISTAKES - 1].image);
  else
    p->n_mistakes++;
  memmove(&p->mistakes[at + 1], &p->mistakes[at],
          (size_t)(p->n_mistakes - 1 - at) * sizeof *p->mistakes);
  p->mistakes[at] = (sample){0};
  fill(p, &p->mistakes[at], index, truth, guess, prob);
}

static void look_at(reporter *p, const glia_batch *b, const glia_tensor *logits, double *prob) {
  const int n = p->r->info.spec.classes;
  const int64_t every = GI_MAX(glia_dataset_count(p->r->valid_part) / EXAMPLES, 1);
  for (int64_t i = 0; i < b->count && n > 0; i++) {
    const int truth = (int)glia_tensor_get(b->y, i);
    int guess = 0;
    softmax_row(logits, i, n, prob);
    for (int c = 1; c < n; c++)
      if (prob[c] > prob[guess]) guess = c;
    if (b->index[i] % every == 0 && p->n_examples < EXAMPLES)
      fill(p, &p->examples[p->n_examples++], b->index[i], truth, guess, prob);
    if (guess != truth) keep_mistake(p, b->index[i], truth, guess, prob);
  }
}

static glia_status measure(reporter *p, double *prob) {
  const glia_sample_spec *spec = &p->r->info.spec;
  const glia_evaluation_opts o = {
      .size = sizeof o, .classes = spec->classes, .targets = spec->targets};
  GI_TRY(glia_evaluation_new(&o, &p->evaluation));
  GI_TRY(glia_loader_start(p->r->valid_loader, 0));
  for (;;) {
    glia_batch b;
    const glia_tensor *out = NULL;
    double loss = 0;
    GI_TRY(glia_loader_next(p->r->valid_loader, &b));
    if (b.count == 0) return GLIA_OK;
    GI_TRY(gi_learner_evaluate(p->r->learner, b.x, b.y, &loss, &out));
    GI_TRY(glia_evaluation_add(p->evaluation, out, b.y));
    look_at(p, &b, out, prob);
  }
}

/* ---- the log ----------------------------------------------------------------------------- */

glia_status gi_run_log(const glia_run *r, gi_log_csv **out) {
  const char *const names[] = {"epoch",      "train_loss",
                               "valid_loss", r->info.spec.classes > 0 ? "accuracy" : "r2",
                               "lr",         "time"};
  gi_log_csv *log = NULL;
  GI_TRY(gi_log_csv_new(names, GI_COUNT(names), &log));
  glia_status s = GLIA_OK;
  for (int64_t i = 0; s == GLIA_OK && i < r->history.n; i++) {
    const glia_epoch *e = &r->history.rows[i];
    const double row[] = {(double)e->epoch, e->train_loss, e->valid_loss,
                          e->metric,        e->lr,         e->seconds};
    s = gi_log_csv_add(log, row);
  }
  if (s != GLIA_OK) {
    gi_log_csv_free(log);
    return s;
  }
  *out = log;
  return GLIA_OK;
}

/* ---- pictures ---------------------------------------------------------------------------- */

static const char *class_of(void *user, int c) { return glia_run_class(user, c); }

/* Saves a picture in the run's folder and frees it; without cairo there are no PNG files. */
static glia_status save_picture(const glia_run *r, gi_picture *p, const char *name) {
  char *path = gi_run_file(r, name);
  glia_status s = path == NULL ? gi_fail_nomem(1) : GLIA_OK;
  if (s == GLIA_OK && gi_picture_has_png()) {
    s = gi_picture_save(p, path);
    if (s == GLIA_OK) s = gi_run_event_picture(r, name, path);
  }
  gi_free(path);
  gi_picture_free(p);
  return s;
}

static glia_status save_curves(const glia_run *r, const gi_log_csv *log) {
  double *train = gi_log_csv_column(log, 1), *valid = gi_log_csv_column(log, 2);
  const gi_series series[] = {{.name = "training", .y = train, .n = r->history.n},
                              {.name = "validation", .y = valid, .n = r->history.n}};
  const gi_mark best = {(double)r->history.best, "best"};
  const gi_line_chart chart = {.title = "Loss",
                               .x_label = "epoch",
                               .y_label = "loss",
                               .series = series,
                               .n = 2,
                               .marks = &best,
                               .n_marks = r->history.best > 0,
                               .whole_x = true};
  gi_picture *p = NULL;
  glia_status s = train == NULL || valid == NULL ? gi_fail_nomem(1) : gi_plot_lines(&chart, &p);
  if (s == GLIA_OK) s = save_picture(r, p, "curves.png");
  gi_free(train);
  gi_free(valid);
  return s;
}

static glia_status save_confusion(const reporter *p) {
  glia_tensor *counts = NULL;
  gi_picture *picture = NULL;
  const int n = p->r->info.spec.classes;
  if (n == 0 || n > GLIA_CONFUSION_MAX) return GLIA_OK;
  GI_TRY(glia_evaluation_confusion(p->evaluation, &counts));
  const gi_confusion_chart chart = {.title = "Confusion matrix",
                                    .counts = glia_tensor_data(counts),
                                    .n = n,
                                    .name = class_of,
                                    .user = p->r};
  glia_status s = gi_plot_confusion(&chart, &picture);
  if (s == GLIA_OK) s = save_picture(p->r, picture, "confusion.png");
  glia_tensor_free(counts);
  return s;
}

static glia_status save_examples(const reporter *p) {
  gi_tile tiles[EXAMPLES + MISTAKES];
  char captions[EXAMPLES + MISTAKES][96], notes[EXAMPLES + MISTAKES][96];
  int n = 0;
  for (int i = 0; i < p->n_examples + p->n_mistakes; i++) {
    const sample *s = i < p->n_examples ? &p->examples[i] : &p->mistakes[i - p->n_examples];
    if (s->image.px == NULL) continue;
    snprintf(captions[n], sizeof captions[n], "%s (%.1f %%)", s->shown.guess,
             100 * s->confidence);
    snprintf(notes[n], sizeof notes[n], "is %s", s->shown.truth);
    tiles[n] =
        (gi_tile){&s->image, captions[n], s->shown.wrong ? notes[n] : NULL, s->shown.wrong};
    n++;
  }
  const gi_image_grid grid = {
      .title = "Examples, and the surest mistakes", .tiles = tiles, .n = n, .columns = 6};
  gi_picture *picture = NULL;
  if (n == 0) return GLIA_OK;
  GI_TRY(gi_plot_images(&grid, &picture));
  return save_picture(p->r, picture, "examples.png");
}

/* ---- the page ---------------------------------------------------------------------------- */

static const char *number(gi_arena *a, const char *fmt, double v) {
  char text[64];
  snprintf(text, sizeof text, fmt[0] == 'i' ? "%.0f" : "%g", v);
  return gi_arena_strdup(a, text);
}

static glia_status write_page(reporter *p, const gi_log_csv *log, const glia_summary *model) {
  glia_run *r = p->r;
  gi_report_example examples[EXAMPLES], mistakes[MISTAKES];
  const char *warnings[16];
  gi_arena a = {0};
  int n_warnings = 0;
  for (int i = 0; i < p->n_examples; i++) examples[i] = p->examples[i].shown;
  for (int i = 0; i < p->n_mistakes; i++) mistakes[i] = p->mistakes[i].shown;
  while (n_warnings < GI_COUNT(warnings) && glia_run_skipped_message(r, n_warnings) != NULL) {
    warnings[n_warnings] = glia_run_skipped_message(r, n_warnings);
    n_warnings++;
  }
  const gi_fact facts[] = {
      {"data", r->o.data},
      {"training samples", number(&a, "i", (double)glia_dataset_count(r->train_part))},
      {"validation samples", number(&a, "i", (double)glia_dataset_count(r->valid_part))},
      {"optimiser", r->learner->o.optimizer.name},
      {"learning rate", number(&a, "g", r->o.lr > 0 ? r->o.lr : r->learner->o.optimizer.lr)},
      {"batch", number(&a, "i", r->o.batch)},
      {"seed", number(&a, "i", (double)r->o.seed)},
      {"glia", glia_version()},
  };
  const gi_report report = {
      .title = gi_path_name(r->o.run),
      .summary = "measured on the data held out for validation",
      .facts = facts,
      .n_facts = GI_COUNT(facts),
      .warnings = warnings,
      .n_warnings = n_warnings,
      .more_warnings = glia_run_skipped(r) - n_warnings,
      .log = log,
      .best_epoch = r->history.best,
      .model = model,
      .evaluation = p->evaluation,
      .evaluated_on = "validation data",
      .class_name = class_of,
      .user = r,
      .examples = examples,
      .n_examples = p->n_examples,
      .mistakes = mistakes,
      .n_mistakes = p->n_mistakes,
  };
  char *path = gi_run_file(r, "report.html");
  const glia_status s = path == NULL ? gi_fail_nomem(1) : gi_report_write(&report, path);
  gi_free(path);
  gi_arena_free(&a);
  return s;
}

static void link_shown(sample *s, int n) {
  for (int i = 0; i < n; i++) {
    s[i].shown.image = s[i].image.px != NULL ? &s[i].image : NULL;
    s[i].shown.name = s[i].name;
  }
}

static glia_status report(reporter *p, double *prob) {
  gi_log_csv *log = NULL;
  glia_summary model = {0};
  glia_status s = measure(p, prob);
  link_shown(p->examples, p->n_examples);
  link_shown(p->mistakes, p->n_mistakes);
  if (s == GLIA_OK) s = gi_run_log(p->r, &log);
  if (s == GLIA_OK) s = glia_run_summary(p->r, &model);
  if (s == GLIA_OK) s = save_curves(p->r, log);
  if (s == GLIA_OK) s = save_confusion(p);
  if (s == GLIA_OK) s = save_examples(p);
  if (s == GLIA_OK) s = write_page(p, log, &model);
  gi_log_csv_free(log);
  glia_summary_clear(&model);
  return s;
}

glia_status gi_run_report(glia_run *r) {
  reporter *p = gi_alloc(sizeof *p);
  double *prob = gi_alloc((size_t)(r->info.spec.classes + 1) * sizeof *prob);
  glia_status s = p == NULL || prob == NULL ? gi_fail_nomem(sizeof *p) : GLIA_OK;
  if (s == GLIA_OK) {
    p->r = r;
    s = report(p, prob);
    for (int i = 0; i < p->n_examples; i++) gi_image_clear(&p->examples[i].image);
    for (int i = 0; i < p->n_mistakes; i++) gi_image_clear(&p->mistakes[i].image);
    glia_evaluation_free(p->evaluation);
  }
  gi_free(p);
  gi_free(prob);
  return gi_where(s, "report");
}
