/* cli/help.c - help texts and their JSON, made from the table of commands. */
#include "cli/cli.h"

enum { WIDTH = 80, MARGIN = 26 }; /* columns of help text; where descriptions of a list begin */

const char *const gi_group_titles[] = {
    [GI_GROUP_TRAIN] = "train and use",
    [GI_GROUP_LOOK] = "look inside",
    [GI_GROUP_DATA] = "data",
    [GI_GROUP_PROGRAM] = "the program",
};

const gi_pair gi_help_exits[] = {
    {"0", "done"},
    {"2", "the command line is wrong"},
    {"3", "data is missing, unreadable or does not fit"},
    {"4", "the model or its shapes do not fit"},
    {"5", "training diverged"},
    {"6", "out of memory, or a file cannot be written"},
    {"130", "interrupted; what was saved can be resumed"},
    {NULL, NULL},
};

const gi_pair gi_help_environment[] = {
    {"GLIA_BACKEND", "ref: run everything on the plain reference kernels"},
    {"GLIA_CACHE",
     "folder for kernels' times (default: glia in the user's cache folder); "
     "empty: none is used"},
    {"GLIA_ISA", "base, avx2 or avx512: the best instructions to use"},
    {"OMP_WAIT_POLICY",
     "passive: threads that wait give their cores away; much faster on a machine that does "
     "other work, a little slower on one that does not"},
    {"OMP_PROC_BIND",
     "not set by glia, and best left alone: bound to cores, threads cannot leave one that "
     "another program takes, and those that read samples all stay on the first"},
    {"NO_COLOR", "set to anything: no colours"},
    {NULL, NULL},
};

/* ---- pieces ------------------------------------------------------------------------------ */

void gi_help_range(gi_str *out, const gi_option *o) {
  if (o->kind == GI_OPTION_I64 || o->kind == GI_OPTION_F64) {
    const char *what = o->kind == GI_OPTION_I64 ? "a whole number" : "a number";
    if (o->above)
      gi_str_printf(out, "%s above %.15g", what, o->min);
    else
      gi_str_printf(out, "%s %s %.15g", what, o->max != 0 ? "from" : "of at least", o->min);
    if (o->max != 0) gi_str_printf(out, o->above ? ", at most %.15g" : " to %.15g", o->max);
  } else if (o->kind == GI_OPTION_CHOICE) {
    gi_str_puts(out, "one of: ");
    for (int i = 0; o->choices[i] != NULL; i++)
      gi_str_printf(out, i > 0 ? ", %s" : "%s", o->choices[i]);
  } else if (o->kind == GI_OPTION_BYTES) {
    gi_str_puts(out, "bytes, as 800000, 500M or 1.5G");
  } else {
    gi_str_puts(out, o->kind == GI_OPTION_PATH ? "a path" : "a value");
  }
}

static const char *value_word(const gi_option *o) {
  if (o->value != NULL) return o->value;
  switch (o->kind) {
    case GI_OPTION_FLAG: return NULL;
    case GI_OPTION_I64: return "N";
    case GI_OPTION_F64: return "X";
    case GI_OPTION_BYTES: return "SIZE";
    case GI_OPTION_TEXT:
    case GI_OPTION_VERB: return "TEXT";
    case GI_OPTION_PATH: return "PATH";
    case GI_OPTION_CHOICE: return "WORD";
  }
  return NULL;
}

void gi_help_option(gi_str *out, const gi_option *o) {
  if (o->letter != 0) gi_str_printf(out, "-%c, ", o->letter);
  gi_str_printf(out, "--%s", o->name);
  if (value_word(o) != NULL) gi_str_printf(out, " %s", value_word(o));
}

void gi_help_usage(gi_str *out, const gi_command *command) {
  gi_str_printf(out, "glia %s", command->name);
  for (const gi_argument *a = command->arguments; a != NULL && a->name != NULL; a++)
    gi_str_printf(out, a->optional ? " [%s%s]" : " %s%s", a->name, a->many ? "..." : "");
  gi_str_puts(out, " [OPTIONS]");
}

/* Writes text in lines of at most WIDTH columns, each after `indent` blanks; the first line
 * goes on at `column`. Line ends in text are blanks, an empty line parts paragraphs. */
static void wrapped(gi_str *out, const char *text, int indent, int column) {
  while (*text != '\0') {
    if (text[0] == '\n' && text[1] == '\n') {
      gi_str_puts(out, "\n");
      column = WIDTH; /* the next word begins a line */
    }
    text += strspn(text, " \n");
    const int n = (int)strcspn(text, " \n");
    if (n == 0) break;
    if (column + 1 + n > WIDTH && column > indent) {
      gi_str_printf(out, "\n%*s", indent, "");
      column = indent;
    } else if (column > indent) {
      gi_str_puts(out, " ");
      column++;
    }
    gi_str_add(out, text, (size_t)n);
    column += n;
    text += n;
  }
  gi_str_puts(out, "\n");
}

/* "  name                  text", the text wrapped behind the margin. */
static void entry(gi_str *out, const char *name, const char *text) {
  int column = 2 + (int)strlen(name);
  gi_str_printf(out, "  %s", name);
  if (column + 2 > MARGIN) {
    gi_str_puts(out, "\n");
    column = 0;
  }
  gi_str_printf(out, "%*s", MARGIN - column, "");
  wrapped(out, text, MARGIN, MARGIN);
}

static void pairs(gi_str *out, const char *title, const gi_pair *p) {
  gi_str_printf(out, "\n%s:\n", title);
  for (; p->name != NULL; p++) entry(out, p->name, p->text);
}

/* Help of an option with what it may be and its default behind it. */
static void option_entry(gi_str *out, const gi_option *o) {
  gi_str name = {0}, text = {0};
  gi_help_option(&name, o);
  gi_str_puts(&text, o->help);
  const bool number = o->kind == GI_OPTION_I64 || o->kind == GI_OPTION_F64;
  if (number || o->kind == GI_OPTION_CHOICE) {
    gi_str_puts(&text, "; ");
    gi_help_range(&text, o);
  }
  if (o->fallback != NULL) gi_str_printf(&text, " (default: %s)", o->fallback);
  if (name.failed || text.failed)
    out->failed = true;
  else
    entry(out, name.s, text.s);
  gi_str_free(&name);
  gi_str_free(&text);
}

/* ---- the texts --------------------------------------------------------------------------- */

void gi_help_overview(gi_str *out) {
  gi_str_printf(out,
                "glia %s: trains, explains and runs neural networks\n\n"
                "usage: glia VERB [ARGUMENTS] [OPTIONS]\n",
                glia_version());
  const gi_command *last = NULL, *c;
  for (int i = 0; (c = gi_command_at(i)) != NULL; last = c, i++) {
    if (last == NULL || last->group != c->group)
      gi_str_printf(out, "\n%s:\n", gi_group_titles[c->group]);
    entry(out, c->name, c->summary);
  }
  gi_str_puts(out, "\noptions of every verb:\n");
  for (const gi_option *o = gi_common_options; o->name != NULL; o++) option_entry(out, o);
  pairs(out, "exit codes", gi_help_exits);
  gi_str_puts(out, "\n'glia help VERB' tells all about one verb.\n");
}

void gi_help_command(gi_str *out, const gi_command *c) {
  gi_str_printf(out, "glia %s: %s\n\nusage: ", c->name, c->summary);
  gi_help_usage(out, c);
  gi_str_puts(out, "\n\n");
  wrapped(out, c->help, 0, 0);
  if (c->arguments != NULL) gi_str_puts(out, "\narguments:\n");
  for (const gi_argument *a = c->arguments; a != NULL && a->name != NULL; a++)
    entry(out, a->name, a->help);
  gi_str_puts(out, "\noptions:\n");
  for (const gi_option *o = c->options; o != NULL && o->name != NULL; o++) option_entry(out, o);
  for (const gi_option *o = gi_common_options; o->name != NULL; o++) option_entry(out, o);
  if (c->example == NULL) return;
  gi_str_puts(out, "\nexamples:\n");
  for (const char *at = c->example; *at != '\0';) {
    const int n = (int)strcspn(at, "\n");
    gi_str_printf(out, "  %.*s\n", n, at);
    at += n + (at[n] == '\n');
  }
}

/* ---- the same as JSON -------------------------------------------------------------------- */

static gi_json *names_json(const char *const *names) {
  gi_json *list = gi_json_array();
  for (; *names != NULL; names++) gi_json_add_str(list, *names);
  return list;
}

static gi_json *option_json(const gi_option *o) {
  static const char *const kinds[] = {"flag", "integer", "number", "bytes",
                                      "text", "path",    "choice", "verb"};
  gi_json *j = gi_json_object();
  gi_json_set_str(j, "name", o->name);
  if (o->letter != 0) gi_json_set_str(j, "letter", (const char[]){o->letter, '\0'});
  gi_json_set_str(j, "kind", kinds[o->kind]);
  if (o->kind == GI_OPTION_I64 || o->kind == GI_OPTION_F64) {
    gi_json_set_num(j, o->above ? "above" : "min", o->min);
    if (o->max != 0) gi_json_set_num(j, "max", o->max);
  }
  if (o->choices != NULL) gi_json_set(j, "choices", names_json(o->choices));
  if (o->fallback != NULL) gi_json_set_str(j, "default", o->fallback);
  gi_json_set_str(j, "help", o->help);
  return j;
}

static gi_json *command_json(const gi_command *c) {
  gi_json *j = gi_json_object(), *arguments = gi_json_array(), *options = gi_json_array();
  gi_json_set_str(j, "name", c->name);
  gi_json_set_str(j, "group", gi_group_titles[c->group]);
  gi_json_set_str(j, "summary", c->summary);
  for (const gi_argument *a = c->arguments; a != NULL && a->name != NULL; a++) {
    gi_json *one = gi_json_object();
    gi_json_set_str(one, "name", a->name);
    gi_json_set_bool(one, "optional", a->optional);
    gi_json_set_bool(one, "many", a->many);
    if (a->choices != NULL) gi_json_set(one, "choices", names_json(a->choices));
    gi_json_set_str(one, "help", a->help);
    gi_json_add(arguments, one);
  }
  for (const gi_option *o = c->options; o != NULL && o->name != NULL; o++)
    gi_json_add(options, option_json(o));
  for (const gi_option *o = gi_common_options; o->name != NULL; o++)
    gi_json_add(options, option_json(o));
  gi_json_set(j, "arguments", arguments);
  gi_json_set(j, "options", options);
  return j;
}

gi_json *gi_help_json(const gi_command *command) {
  if (command != NULL) return command_json(command);
  gi_json *list = gi_json_array();
  for (int i = 0; i < gi_command_count(); i++)
    gi_json_add(list, command_json(gi_command_at(i)));
  return list;
}
