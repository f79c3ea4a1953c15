/* glia metrics [NAME]: how good predictions can be said to be, from the table of metrics. */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "glia/metrics.h"

static gi_json *metric_json(const glia_metric_info *m) {
  gi_json *j = gi_json_object();
  gi_json_set_str(j, "name", m->name);
  gi_json_set_str(j, "doc", m->doc);
  gi_json_set_str(j, "source", m->source);
  gi_json_set_bool(j, "regression", m->regression);
  gi_json_set_bool(j, "needs_scores", m->needs_scores);
  gi_json_set_bool(j, "per_class", m->per_class);
  gi_json_set_bool(j, "lower_is_better", m->lower_is_better);
  gi_json_set_bool(j, "running", m->running);
  gi_json_set_bool(j, "whole", m->whole);
  return j;
}

static glia_status print_one(const gi_cli *c, const char *name) {
  glia_metric_info m;
  gi_str text = {0};
  char *s = NULL;
  if (c->json) {
    GI_TRY(glia_metric_find(name, &m));
    return gi_cli_print_json(metric_json(&m));
  }
  GI_TRY(glia_metric_text(name, &s));
  gi_str_puts(&text, s);
  free(s);
  return gi_cli_print_text(&text);
}

static glia_status print_json(void) {
  gi_json *list = gi_json_array();
  glia_metric_info m;
  for (int i = 0; glia_metric_get(i, &m); i++) gi_json_add(list, metric_json(&m));
  return gi_cli_print_json(list);
}

/* Each with its options, as in `glia metrics NAME`. */
static glia_status print_markdown(void) {
  gi_str out = {0};
  glia_metric_info m;
  for (int i = 0; glia_metric_get(i, &m); i++) {
    char *s = NULL;
    GI_TRY(glia_metric_text(m.name, &s));
    gi_str_printf(&out, "\n## %s\n\n```\n%s```\n", m.name, s);
    free(s);
  }
  return gi_cli_print_text(&out);
}

static glia_status run(gi_cli *c) {
  const char *name = gi_cli_argument(c, "NAME");
  gi_str text = {0};
  gi_table table;
  glia_metric_info m;
  if (name != NULL) return print_one(c, name);
  if (c->json) return print_json();
  if (gi_cli_flag(c, "markdown")) return print_markdown();
  gi_table_begin(&table, "<metric|<meaning");
  for (int i = 0; glia_metric_get(i, &m); i++) {
    gi_table_cell(&table, "%s", m.name);
    gi_table_cell(&table, "%s", m.doc);
  }
  gi_table_print(&table, &text);
  gi_table_free(&table);
  return gi_cli_print_text(&text);
}

static const gi_argument arguments[] = {
    {.name = "NAME", .kind = GI_OPTION_TEXT, .optional = true, .help = "one metric; none: all"},
    {0},
};

static const gi_option options[] = {
    {.name = "markdown", .help = "all metrics with their options, in Markdown"},
    {0},
};

static const gi_command metrics = {
    .name = "metrics",
    .group = GI_GROUP_LOOK,
    .summary = "list the metrics, or tell about one",
    .help =
        "Lists what `glia evaluate --metrics` and the library can say of predictions, each "
        "with "
        "its formula; with a NAME, the function of scikit-learn that it equals and its "
        "options.",
    .example = "glia metrics\nglia metrics fbeta",
    .arguments = arguments,
    .options = options,
    .run = run,
};

const gi_command *const gi_commands_metrics[] = {&metrics, NULL};
