/* glia rules [NAME]: what a training goes by - losses, optimisers, what goes around each
 * optimiser, and schedules of the learning rate - from their tables.
 */
#include "cli/cli.h"
#include "cli/schema.h"
#include "cli/table.h"
#include "optim/optim.h"
#include "train/loss.h"
#include "train/schedule.h"

typedef struct rule {
  const char *kind, *name, *doc, *source;
  const gi_field *fields;
} rule;

typedef bool visit_fn(const rule *r, void *user); /* false: stop */

/* Every row of the four tables, kind by kind. */
static void each_rule(visit_fn *visit, void *user) {
  for (int t = 0; gi_losses_table[t] != NULL; t++)
    for (const gi_loss *const *l = gi_losses_table[t]; *l != NULL; l++)
      if (!visit(&(rule){"loss", (*l)->name, (*l)->doc, (*l)->source, (*l)->fields}, user))
        return;
  for (int t = 0; gi_optims_table[t] != NULL; t++)
    for (const gi_optim *const *o = gi_optims_table[t]; *o != NULL; o++)
      if (!visit(&(rule){"optimizer", (*o)->name, (*o)->doc, (*o)->paper, (*o)->fields}, user))
        return;
  for (int t = 0; gi_wraps_table[t] != NULL; t++)
    for (const gi_wrap *const *w = gi_wraps_table[t]; *w != NULL; w++)
      if (!visit(&(rule){"any optimizer", (*w)->name, (*w)->doc, (*w)->paper, (*w)->fields},
                 user))
        return;
  for (int t = 0; gi_schedules_table[t] != NULL; t++)
    for (const gi_schedule_rule *const *s = gi_schedules_table[t]; *s != NULL; s++)
      if (!visit(&(rule){"schedule", (*s)->name, (*s)->doc, (*s)->source, (*s)->fields}, user))
        return;
}

/* ---- one, and all ------------------------------------------------------------------------ */

typedef struct search {
  const char *name;
  rule found; /* name NULL: not yet */
  const char *names[128];
  int n;
} search;

/* "smooth-l1" is "smooth_l1". */
static bool same_name(const char *a, const char *b) {
  for (; *a != '\0' && (*a == '-' ? '_' : *a) == (*b == '-' ? '_' : *b); a++) b++;
  return *a == '\0' && *b == '\0';
}

static bool look(const rule *r, void *user) {
  search *s = user;
  if (s->n < GI_COUNT(s->names)) s->names[s->n++] = r->name;
  if (!same_name(s->name, r->name)) return true;
  s->found = *r;
  return false;
}

static glia_status find(const char *name, rule *out) {
  search s = {.name = name};
  each_rule(look, &s);
  *out = s.found;
  if (s.found.name != NULL) return GLIA_OK;
  const int near = gi_nearest(name, s.names, s.n);
  if (near < 0)
    return gi_fail(GLIA_INVALID, "there is no rule '%s'; 'glia rules' lists them", name);
  return gi_fail(GLIA_INVALID, "there is no rule '%s'; did you mean '%s'?", name,
                 s.names[near]);
}

static gi_json *json_of(const rule *r) {
  gi_json *j = gi_json_object();
  gi_json_set_str(j, "name", r->name);
  gi_json_set_str(j, "kind", r->kind);
  gi_json_set_str(j, "doc", r->doc);
  gi_json_set_str(j, "source", r->source);
  gi_json_set(j, "options", gi_schema_json(r->fields));
  return j;
}

static bool add_json(const rule *r, void *user) {
  gi_json_add(user, json_of(r));
  return true;
}

static bool add_row(const rule *r, void *user) {
  gi_table_cell(user, "%s", r->name);
  gi_table_cell(user, "%s", r->kind);
  gi_table_cell(user, "%s", r->doc);
  return true;
}

static bool add_markdown(const rule *r, void *user) {
  gi_str *out = user;
  gi_str_printf(out, "\n## %s\n\n%s: ", r->name, r->kind);
  gi_markdown(out, r->doc);
  if (r->source != NULL) gi_str_printf(out, " (%s)", r->source);
  gi_str_puts(out, "\n");
  gi_schema_markdown(out, r->fields);
  return true;
}

static glia_status print_one(const gi_cli *c, const char *name) {
  rule r;
  gi_str text = {0};
  GI_TRY(find(name, &r));
  if (c->json) return gi_cli_print_json(json_of(&r));
  gi_str_printf(&text, "%s (%s): %s\n", r.name, r.kind, r.doc);
  if (r.source != NULL) gi_str_printf(&text, "as %s\n", r.source);
  gi_schema_text(&text, r.fields);
  return gi_cli_print_text(&text);
}

static glia_status run(gi_cli *c) {
  const char *name = gi_cli_argument(c, "NAME");
  gi_str text = {0};
  gi_table table;
  if (name != NULL) return print_one(c, name);
  if (c->json) {
    gi_json *list = gi_json_array();
    each_rule(add_json, list);
    return gi_cli_print_json(list);
  }
  if (gi_cli_flag(c, "markdown")) {
    each_rule(add_markdown, &text);
    return gi_cli_print_text(&text);
  }
  gi_table_begin(&table, "<rule|<of|<meaning");
  each_rule(add_row, &table);
  gi_table_print(&table, &text);
  gi_table_free(&table);
  return gi_cli_print_text(&text);
}

static const gi_argument arguments[] = {
    {.name = "NAME", .kind = GI_OPTION_TEXT, .optional = true, .help = "one rule; none: all"},
    {0},
};

static const gi_option options[] = {
    {.name = "markdown", .help = "all rules with their options, in Markdown"},
    {0},
};

static const gi_command rules = {
    .name = "rules",
    .group = GI_GROUP_LOOK,
    .summary = "list losses, optimisers and schedules, or tell about one",
    .help =
        "Lists what `glia train` takes for --loss, --optimizer and --schedule, and what any "
        "optimiser may have around it; with a NAME, its options, defaults and limits.",
    .example = "glia rules\nglia rules huber\nglia train d --loss 'huber delta=0.5'",
    .arguments = arguments,
    .options = options,
    .run = run,
};

const gi_command *const gi_commands_rules[] = {&rules, NULL};
