/* cli/parse.c - fits the words of a command line to a command's row.
 *
 * --name value, --name=value, -n value, -nvalue, flags, and `--` behind which all words are
 * arguments. The last of a repeated option counts, so that scripts can append. A value may
 * begin with one dash (--epochs -1 is a number, out of range) but not with two: `--net --json`
 * is much more likely a forgotten file name than a file of that name, which --net=--json still
 * reaches.
 */
#include <assert.h>

#include "cli/cli.h"

const gi_option gi_common_options[] = {
    {.name = "json", .help = "print the result as JSON"},
    {.name = "quiet",
     .letter = 'q',
     .help = "no progress and no notes, only results and errors"},
    {.name = "help", .letter = 'h', .help = "say what this verb does and takes"},
    {0},
};

static glia_status fail(const gi_cli *c, const char *what, const char *word) {
  return gi_fail(GLIA_INVALID, "%s '%s'; 'glia help %s' says what it takes", what, word,
                 c->command->name);
}

/* ---- values ----------------------------------------------------------------------------- */

static glia_status refuse(const gi_option *o, const char *text) {
  gi_str range = {0};
  gi_help_range(&range, o);
  const glia_status s = gi_fail(GLIA_INVALID, "--%s is '%s', wanted %s", o->name, text,
                                range.s != NULL ? range.s : "something else");
  gi_str_free(&range);
  return s;
}

static glia_status refuse_choice(const char *what, const char *text,
                                 const char *const *choices) {
  int n = 0;
  gi_str list = {0};
  for (; choices[n] != NULL; n++) gi_str_printf(&list, n > 0 ? ", %s" : "%s", choices[n]);
  const int near = gi_nearest(text, choices, n);
  const glia_status s =
      near >= 0 ? gi_fail(GLIA_INVALID, "%s is '%s', wanted one of: %s; did you mean '%s'?",
                          what, text, list.s != NULL ? list.s : "", choices[near])
                : gi_fail(GLIA_INVALID, "%s is '%s', wanted one of: %s", what, text,
                          list.s != NULL ? list.s : "");
  gi_str_free(&list);
  return s;
}

static int choice_index(const char *text, const char *const *choices) {
  for (int i = 0; choices[i] != NULL; i++)
    if (strcmp(choices[i], text) == 0) return i;
  return -1;
}

static bool in_range(const gi_option *o, double v) {
  if (o->above ? v <= o->min : v < o->min) return false;
  return o->max == 0 || v <= o->max;
}

static glia_status set_value(gi_typed *t, const char *text) {
  const gi_option *o = t->option;
  t->text = text;
  switch (o->kind) {
    case GI_OPTION_FLAG: t->i = 1; return GLIA_OK;
    case GI_OPTION_I64:
      if (!gi_parse_i64(text, &t->i) || !in_range(o, (double)t->i)) return refuse(o, text);
      return GLIA_OK;
    case GI_OPTION_F64:
      if (!gi_parse_f64(text, &t->f) || !in_range(o, t->f)) return refuse(o, text);
      return GLIA_OK;
    case GI_OPTION_BYTES: return gi_parse_bytes(text, &t->i) ? GLIA_OK : refuse(o, text);
    case GI_OPTION_CHOICE: {
      t->i = choice_index(text, o->choices);
      char what[64];
      snprintf(what, sizeof what, "--%s", o->name);
      return t->i >= 0 ? GLIA_OK : refuse_choice(what, text, o->choices);
    }
    case GI_OPTION_TEXT:
    case GI_OPTION_PATH:
    case GI_OPTION_VERB:
      if (*text == '\0') return gi_fail(GLIA_INVALID, "--%s is empty", o->name);
      return GLIA_OK;
  }
  return gi_fail(GLIA_INVALID, "--%s is of no known kind", o->name);
}

/* ---- options ---------------------------------------------------------------------------- */

static void add_options(gi_cli *c, const gi_option *o) {
  for (; o != NULL && o->name != NULL; o++) {
    assert(c->n_options < GI_CLI_MAX_OPTIONS);
    c->options[c->n_options++] = (gi_typed){.option = o};
  }
}

static glia_status set_fallbacks(gi_cli *c) {
  for (int i = 0; i < c->n_options; i++)
    if (c->options[i].option->fallback != NULL)
      GI_TRY(set_value(&c->options[i], c->options[i].option->fallback));
  return GLIA_OK;
}

static gi_typed *find_long(gi_cli *c, const char *name, size_t n) {
  for (int i = 0; i < c->n_options; i++) {
    const char *own = c->options[i].option->name;
    if (strlen(own) == n && memcmp(own, name, n) == 0) return &c->options[i];
  }
  return NULL;
}

static gi_typed *find_letter(gi_cli *c, char letter) {
  for (int i = 0; i < c->n_options; i++)
    if (c->options[i].option->letter == letter) return &c->options[i];
  return NULL;
}

static glia_status unknown_option(gi_cli *c, const char *word) {
  const char *names[GI_CLI_MAX_OPTIONS];
  for (int i = 0; i < c->n_options; i++) names[i] = c->options[i].option->name;
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)GI_MIN(strcspn(word + 2, "="), sizeof name - 1),
           word + 2);
  const int near = gi_nearest(name, names, c->n_options);
  if (near < 0) return fail(c, "there is no option", word);
  return gi_fail(GLIA_INVALID, "there is no option '%s'; did you mean '--%s'?", word,
                 names[near]);
}

/* Takes the option at argv[*at] and its value; *at is left at the last word used. */
static glia_status take_option(gi_cli *c, int argc, const char **argv, int *at) {
  const char *word = argv[*at], *value = NULL;
  gi_typed *t;
  if (word[1] == '-') {
    const size_t n = strcspn(word + 2, "=");
    t = find_long(c, word + 2, n);
    if (t == NULL) return unknown_option(c, word);
    if (word[2 + n] == '=') value = word + 2 + n + 1;
  } else {
    t = find_letter(c, word[1]);
    if (t == NULL) return fail(c, "there is no option", word);
    if (word[2] != '\0') value = word + 2;
  }
  if (t->option->kind == GI_OPTION_FLAG) {
    if (value != NULL)
      return gi_fail(GLIA_INVALID, "--%s is a switch and takes no value, got '%s'",
                     t->option->name, word);
  } else if (value == NULL) {
    const char *next = *at + 1 < argc ? argv[*at + 1] : NULL;
    if (next == NULL || strncmp(next, "--", 2) == 0) {
      gi_str range = {0};
      gi_help_range(&range, t->option);
      const glia_status s =
          gi_fail(GLIA_INVALID, "--%s wants %s, but %s%s%s", t->option->name,
                  range.s != NULL ? range.s : "a value", next != NULL ? "'" : "nothing follows",
                  next != NULL ? next : "", next != NULL ? "' follows" : "");
      gi_str_free(&range);
      return s;
    }
    value = next;
    ++*at;
  }
  t->given = true;
  return set_value(t, value != NULL ? value : "");
}

/* ---- arguments -------------------------------------------------------------------------- */

static glia_status place_arguments(gi_cli *c, int n, const char **words) {
  int used = 0, place = 0;
  const gi_argument *a = c->command->arguments;
  for (; a != NULL && a->name != NULL; a++, place++) {
    assert(place < GI_CLI_MAX_ARGUMENTS);
    if (used == n) {
      if (a->optional) continue;
      gi_str usage = {0};
      gi_help_usage(&usage, c->command);
      const glia_status s = gi_fail(GLIA_INVALID, "%s is missing (%s); usage: %s", a->name,
                                    a->help, usage.s != NULL ? usage.s : "");
      gi_str_free(&usage);
      return s;
    }
    if (a->kind == GI_OPTION_CHOICE && choice_index(words[used], a->choices) < 0)
      return refuse_choice(a->name, words[used], a->choices);
    if (*words[used] == '\0') return gi_fail(GLIA_INVALID, "%s is empty", a->name);
    c->arguments[place] = words[used];
    if (a->many) {
      c->rest = &words[used];
      c->n_rest = n - used;
      used = n;
    } else {
      used++;
    }
  }
  return used == n ? GLIA_OK : fail(c, "nothing is known to do with", words[used]);
}

glia_status gi_cli_parse(gi_cli *c, const gi_command *command, int argc, const char **argv) {
  *c = (gi_cli){.command = command};
  add_options(c, command->options);
  add_options(c, gi_common_options);
  GI_TRY(set_fallbacks(c));
  int n_words = 0; /* arguments move to the front of argv, in order */
  bool only_words = false;
  for (int i = 0; i < argc; i++) {
    const char *word = argv[i];
    if (only_words || word[0] != '-' || word[1] == '\0') {
      argv[n_words++] = word;
    } else if (strcmp(word, "--") == 0) {
      only_words = true;
    } else {
      GI_TRY(take_option(c, argc, argv, &i));
    }
  }
  c->json = gi_cli_flag(c, "json");
  c->quiet = gi_cli_flag(c, "quiet");
  c->help = gi_cli_flag(c, "help");
  return c->help ? GLIA_OK : place_arguments(c, n_words, argv);
}

/* ---- what was typed ---------------------------------------------------------------------- */

static const gi_typed *typed(const gi_cli *c, const char *name) {
  for (int i = 0; i < c->n_options; i++)
    if (strcmp(c->options[i].option->name, name) == 0) return &c->options[i];
  assert(false && "the command's row has no option of this name");
  return &c->options[0];
}

bool gi_cli_given(const gi_cli *c, const char *name) { return typed(c, name)->given; }

bool gi_cli_flag(const gi_cli *c, const char *name) { return typed(c, name)->i != 0; }

int64_t gi_cli_i64(const gi_cli *c, const char *name) { return typed(c, name)->i; }

double gi_cli_f64(const gi_cli *c, const char *name) { return typed(c, name)->f; }

const char *gi_cli_text(const gi_cli *c, const char *name) { return typed(c, name)->text; }

int gi_cli_choice(const gi_cli *c, const char *name) {
  const gi_typed *t = typed(c, name);
  return t->text != NULL ? (int)t->i : -1;
}

const char *const gi_precisions[] = {"f32", "bf16", NULL};

glia_dtype gi_cli_precision(const gi_cli *c) {
  return gi_cli_choice(c, "precision") == 1 ? GLIA_BF16 : GLIA_F32;
}

const char *gi_cli_argument(const gi_cli *c, const char *name) {
  const gi_argument *a = c->command->arguments;
  for (int i = 0; a != NULL && a[i].name != NULL; i++)
    if (strcmp(a[i].name, name) == 0) return c->arguments[i];
  assert(false && "the command's row has no argument of this name");
  return NULL;
}
