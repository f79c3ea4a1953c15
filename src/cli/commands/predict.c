/* glia predict DIR FILES...: what a trained model says to pictures. */
#include <stdlib.h>

#include "cli/open.h"
#include "cli/show.h"
#include "cli/table.h"

enum { BAR_WIDTH = 20, TOP_MAX = 100 };

/* Class of the k-th largest value; ties by class. */
static int ranked(const glia_prediction *p, int k) {
  for (int c = 0; c < p->n; c++) {
    int before = 0;
    for (int other = 0; other < p->n; other++)
      before +=
          p->values[other] > p->values[c] || (other < c && p->values[other] == p->values[c]);
    if (before == k) return c;
  }
  return 0;
}

static void set_prediction(gi_json *j, const gi_cli *c, const glia_run *run,
                           const glia_prediction *p) {
  if (glia_run_classes(run) == 0) {
    gi_json *values = gi_json_array();
    for (int i = 0; i < p->n; i++) gi_json_add_num(values, p->values[i]);
    gi_json_set(j, "values", values);
    return;
  }
  gi_json_set_str(j, "label", p->name);
  gi_json_set_num(j, "probability", p->probability);
  if (!gi_cli_given(c, "top")) return;
  gi_json *top = gi_json_array();
  for (int k = 0; k < GI_MIN((int)gi_cli_i64(c, "top"), p->n); k++) {
    gi_json *one = gi_json_object();
    const int label = ranked(p, k);
    gi_json_set_str(one, "label", glia_run_class(run, label));
    gi_json_set_num(one, "probability", p->values[label]);
    gi_json_add(top, one);
  }
  gi_json_set(j, "top", top);
}

/* "file", then the prediction or what went wrong: one object a line. */
static glia_status print_json(const gi_cli *c, const glia_run *run, const char *file,
                              const glia_prediction *p) {
  gi_json *j = gi_json_object();
  gi_json_set_str(j, "file", file);
  if (p != NULL)
    set_prediction(j, c, run, p);
  else
    gi_json_set_str(j, "error", glia_error_message());
  return gi_cli_print_json(j);
}

static glia_status print_rows(const gi_cli *c, const glia_run *run, gi_table *t,
                              const char *file, const glia_prediction *p) {
  gi_str text = {0};
  if (glia_run_classes(run) == 0) {
    gi_str_puts(&text, file);
    for (int i = 0; i < p->n; i++) gi_str_printf(&text, "  %.9g", p->values[i]);
    gi_str_puts(&text, "\n");
    return gi_cli_print_text(&text);
  }
  for (int k = 0; k < GI_MIN((int)gi_cli_i64(c, "top"), p->n); k++) {
    const int label = ranked(p, k);
    gi_str bar = {0};
    gi_table_bar(&bar, p->values[label], BAR_WIDTH);
    gi_table_cell(t, "%s", k == 0 ? file : "");
    gi_table_cell(t, "%s", glia_run_class(run, label));
    gi_table_cell(t, "%.4f", p->values[label]);
    gi_table_cell(t, "%s", bar.s != NULL ? bar.s : "");
    gi_str_free(&bar);
  }
  gi_table_print(t, &text);
  return gi_cli_print_text(&text);
}

static glia_status predict_all(const gi_cli *c, glia_run *run) {
  gi_table t;
  gi_table_begin(&t, "<file|<label|probability|<");
  for (int i = 0; i < c->n_rest; i++)
    t.width[0] = GI_MAX(t.width[0], (int)GI_MIN(strlen(c->rest[i]), (size_t)100));
  glia_status status = GLIA_OK, first = GLIA_OK;
  int failed = 0;
  for (int i = 0; i < c->n_rest && status == GLIA_OK; i++) {
    glia_prediction p;
    const glia_status s = glia_run_predict(run, c->rest[i], &p);
    if (s != GLIA_OK && failed++ == 0) first = s;
    if (c->json)
      status = print_json(c, run, c->rest[i], s == GLIA_OK ? &p : NULL);
    else if (s == GLIA_OK)
      status = print_rows(c, run, &t, c->rest[i], &p);
    else
      fprintf(stderr, "%s\n", glia_error_message());
    if (gi_interrupted())
      status = gi_fail(GLIA_CANCELLED, "interrupted after %d of %d files", i + 1, c->n_rest);
  }
  gi_table_free(&t);
  if (status != GLIA_OK || failed == 0) return status;
  return gi_fail(first, "%d of %d files could not be predicted", failed, c->n_rest);
}

static glia_status run_command(gi_cli *c) {
  glia_run *run = NULL;
  GI_TRY(gi_cli_open(c, &run));
  const glia_status s = predict_all(c, run);
  glia_run_free(run);
  return s;
}

static const gi_argument arguments[] = {
    {.name = "DIR", .kind = GI_OPTION_PATH, .help = "the folder of a run, or a model file"},
    {.name = "FILE", .kind = GI_OPTION_PATH, .many = true, .help = "pictures, PNG or JPEG"},
    {0},
};

static const gi_option options[] = {
    {.name = "top",
     .letter = 'k',
     .kind = GI_OPTION_I64,
     .min = 1,
     .max = TOP_MAX,
     .fallback = "1",
     .help = "how many of the likeliest classes to show"},
    GI_OPTIONS_OF_USE,
    {0},
};

static const gi_command predict = {
    .name = "predict",
    .group = GI_GROUP_TRAIN,
    .summary = "let a trained model say what pictures show",
    .help =
        "Prints the likeliest class of each picture and its probability. Pictures are "
        "converted as the training data were. A file that cannot be read is reported and the "
        "others go on; the exit code tells.\n\n"
        "With --json, one object a line: file, and label and probability, or error.",
    .example =
        "glia predict runs/digits a.png b.png --top 3\n"
        "glia predict runs/digits photos/*.jpg --json",
    .arguments = arguments,
    .options = options,
    .run = run_command,
};

const gi_command *const gi_commands_predict[] = {&predict, NULL};
