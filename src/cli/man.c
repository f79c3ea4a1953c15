/* cli/man.c - the manual page glia(1), made from the table of commands.
 *
 * Written in the man(7) macros that every roff knows. Text from the table is escaped: a
 * backslash becomes \e, a dash \-, and a line never begins with a dot or an apostrophe.
 */
#include "cli/cli.h"

static void escaped(gi_str *out, const char *text, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const bool line_start = i == 0 ? out->n == 0 || out->s == NULL || out->s[out->n - 1] == '\n'
                                   : text[i - 1] == '\n';
    if (line_start && (text[i] == '.' || text[i] == '\'')) gi_str_puts(out, "\\&");
    if (text[i] == '\\')
      gi_str_puts(out, "\\e");
    else if (text[i] == '-')
      gi_str_puts(out, "\\-");
    else
      gi_str_add(out, &text[i], 1);
  }
}

static void line(gi_str *out, const char *text) {
  escaped(out, text, strlen(text));
  gi_str_puts(out, "\n");
}

/* Paragraphs of a help text. */
static void paragraphs(gi_str *out, const char *text) {
  while (*text != '\0') {
    const char *end = strstr(text, "\n\n");
    const size_t n = end != NULL ? (size_t)(end - text) : strlen(text);
    escaped(out, text, n);
    gi_str_puts(out, "\n");
    text += n;
    if (end != NULL) {
      gi_str_puts(out, ".PP\n");
      text += 2;
    }
  }
}

static void tagged(gi_str *out, const char *name, const char *text) {
  gi_str_puts(out, ".TP\n.B ");
  line(out, name);
  line(out, text);
}

static void option(gi_str *out, const gi_option *o) {
  gi_str name = {0}, text = {0};
  gi_help_option(&name, o);
  gi_str_puts(&text, o->help);
  if (o->kind == GI_OPTION_I64 || o->kind == GI_OPTION_F64 || o->kind == GI_OPTION_CHOICE) {
    gi_str_puts(&text, "; ");
    gi_help_range(&text, o);
  }
  if (o->fallback != NULL) gi_str_printf(&text, " (default: %s)", o->fallback);
  if (name.failed || text.failed)
    out->failed = true;
  else
    tagged(out, name.s, text.s);
  gi_str_free(&name);
  gi_str_free(&text);
}

static void command(gi_str *out, const gi_command *c) {
  gi_str usage = {0};
  gi_help_usage(&usage, c);
  gi_str_puts(out, ".SS ");
  line(out, c->name);
  gi_str_puts(out, ".B ");
  line(out, usage.s != NULL ? usage.s : "");
  gi_str_puts(out, ".PP\n");
  paragraphs(out, c->help);
  for (const gi_argument *a = c->arguments; a != NULL && a->name != NULL; a++)
    tagged(out, a->name, a->help);
  for (const gi_option *o = c->options; o != NULL && o->name != NULL; o++) option(out, o);
  if (c->example != NULL) {
    gi_str_puts(out, ".PP\n.nf\n");
    line(out, c->example);
    gi_str_puts(out, ".fi\n");
  }
  gi_str_free(&usage);
}

static void pairs(gi_str *out, const char *title, const gi_pair *p) {
  gi_str_printf(out, ".SH %s\n", title);
  for (; p->name != NULL; p++) tagged(out, p->name, p->text);
}

void gi_help_man(gi_str *out) {
  gi_str_printf(out, ".TH GLIA 1 \"\" \"glia %s\" \"User Commands\"\n", glia_version());
  gi_str_puts(out, ".SH NAME\nglia \\- trains, explains and runs neural networks\n");
  gi_str_puts(out, ".SH SYNOPSIS\n.B glia\n.I VERB\n[\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n");
  gi_str_puts(out,
              ".SH DESCRIPTION\nResults go to standard output, progress and messages to "
              "standard error. An option may be written \\-\\-name value or "
              "\\-\\-name=value; behind \\-\\- all words are arguments.\n");
  const gi_command *last = NULL, *c;
  for (int i = 0; (c = gi_command_at(i)) != NULL; last = c, i++) {
    if (last == NULL || last->group != c->group) {
      gi_str_puts(out, ".SH VERBS: ");
      line(out, gi_group_titles[c->group]);
    }
    command(out, c);
  }
  gi_str_puts(out, ".SH OPTIONS OF EVERY VERB\n");
  for (const gi_option *o = gi_common_options; o->name != NULL; o++) option(out, o);
  pairs(out, "EXIT STATUS", gi_help_exits);
  pairs(out, "ENVIRONMENT", gi_help_environment);
}
