/* glia evaluate DIR [DATA]: how good a trained model is. */
#include "cli/open.h"
#include "cli/show.h"

static glia_status describe(const gi_cli *c, glia_run *run, const glia_result *r,
                            gi_str *text) {
  GI_TRY(gi_show_classes(text, run, r, true));
  gi_str_puts(text, "\n");
  GI_TRY(gi_show_metrics(text, r, gi_cli_text(c, "metrics")));
  return gi_show_result(text, r);
}

static glia_status evaluate(const gi_cli *c, glia_run *run) {
  glia_result r = {0};
  GI_TRY(glia_run_evaluate(run, gi_cli_argument(c, "DATA"), &r));
  glia_status s;
  if (c->json) {
    gi_json *j = gi_json_object();
    s = gi_show_result_json(j, &r, gi_cli_text(c, "metrics"));
    if (s == GLIA_OK)
      s = gi_cli_print_json(j);
    else
      gi_json_free(j);
  } else {
    gi_str text = {0};
    s = describe(c, run, &r, &text);
    if (s == GLIA_OK)
      s = gi_cli_print_text(&text);
    else
      gi_str_free(&text);
  }
  glia_result_clear(&r);
  return s;
}

static glia_status run_command(gi_cli *c) {
  GI_TRY(gi_check_metrics(gi_cli_text(c, "metrics")));
  glia_run *run = NULL;
  GI_TRY(gi_cli_open(c, &run));
  const glia_status s = evaluate(c, run);
  glia_run_free(run);
  return s;
}

static const gi_argument arguments[] = {
    {.name = "DIR", .kind = GI_OPTION_PATH, .help = "the folder of a run, or a model file"},
    {.name = "DATA",
     .kind = GI_OPTION_PATH,
     .optional = true,
     .help = "other data than the run's own test or validation part"},
    {0},
};

static const gi_option options[] = {
    GI_OPTION_METRICS,
    GI_OPTIONS_OF_USE,
    {0},
};

static const gi_command evaluate_row = {
    .name = "evaluate",
    .group = GI_GROUP_TRAIN,
    .summary = "measure a trained model",
    .help =
        "Runs the model of DIR over the test or validation part of the data it was trained "
        "on, or over DATA, and prints loss, accuracy (r2 of a regression), the confusion "
        "matrix and each class. With --json, one object with loss, accuracy and count.",
    .example =
        "glia evaluate runs/digits\n"
        "glia evaluate runs/digits data/other --json --metrics f1_macro,log_loss",
    .arguments = arguments,
    .options = options,
    .run = run_command,
};

const gi_command *const gi_commands_evaluate[] = {&evaluate_row, NULL};
