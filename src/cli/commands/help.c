/* glia help, glia help VERB, and the manual page. */
#include "cli/cli.h"

/* The words behind `help` joined, as a verb: `glia help data make`. */
static glia_status find(const gi_cli *c, const gi_command **out) {
  gi_str name = {0};
  for (int i = 0; i < c->n_rest; i++) gi_str_printf(&name, i > 0 ? " %s" : "%s", c->rest[i]);
  char *verb = gi_str_take(&name);
  if (verb == NULL) return gi_fail_nomem(1);
  *out = gi_command_find(verb);
  const glia_status s = *out != NULL ? GLIA_OK : gi_command_unknown(verb);
  gi_free(verb);
  return s;
}

static glia_status run(gi_cli *c) {
  const gi_command *command = NULL;
  if (c->n_rest > 0) GI_TRY(find(c, &command));
  if (c->json) return gi_cli_print_json(gi_help_json(command));
  gi_str text = {0};
  if (gi_cli_flag(c, "man"))
    gi_help_man(&text);
  else if (command != NULL)
    gi_help_command(&text, command);
  else
    gi_help_overview(&text);
  return gi_cli_print_text(&text);
}

static const gi_argument arguments[] = {
    {.name = "VERB",
     .kind = GI_OPTION_VERB,
     .optional = true,
     .many = true,
     .help = "the verb to tell about; none: the list of all"},
    {0},
};

static const gi_option options[] = {
    {.name = "man", .help = "the manual page of the whole program, as roff source"},
    {0},
};

static const gi_command help = {
    .name = "help",
    .group = GI_GROUP_PROGRAM,
    .summary = "list the verbs, or tell about one",
    .help =
        "Without a word, lists what glia can do. With a verb, says what it does, what it "
        "takes and shows examples. With --json, the same as data.",
    .example = "glia help train\nglia help --man | man -l -",
    .arguments = arguments,
    .options = options,
    .run = run,
};

const gi_command *const gi_commands_help[] = {&help, NULL};
