/* cli/completion.c - completion scripts for bash, zsh and fish, made from the table of
 * commands.
 *
 * The scripts hold the whole table: completing a word starts no program. A verb of two words
 * ("data make") is completed word by word; an argument of CHOICE kind offers its choices, one
 * of VERB kind the verbs, all others offer files.
 */
#include "cli/cli.h"

const char *const gi_shells[] = {"bash", "zsh", "fish", NULL};

/* ---- what all three walk over ------------------------------------------------------------ */

/* Calls fn for each option of the command, the common ones included. */
static void each_option(gi_str *out, const gi_command *c,
                        void (*fn)(gi_str *out, const gi_command *c, const gi_option *o)) {
  for (const gi_option *o = c->options; o != NULL && o->name != NULL; o++) fn(out, c, o);
  for (const gi_option *o = gi_common_options; o->name != NULL; o++) fn(out, c, o);
}

/* Bytes of the first word of a verb. */
static int first_word(const gi_command *c) { return (int)strcspn(c->name, " "); }

/* The second word of a verb; NULL if it has one word. */
static const char *second_word(const gi_command *c) {
  const char *blank = strchr(c->name, ' ');
  return blank != NULL ? blank + 1 : NULL;
}

static bool same_first_word(const gi_command *a, const gi_command *b) {
  return first_word(a) == first_word(b) && memcmp(a->name, b->name, (size_t)first_word(a)) == 0;
}

/* Whether a verb before the i-th has the same first word. */
static bool first_word_seen(int i) {
  for (int k = 0; k < i; k++)
    if (same_first_word(gi_command_at(k), gi_command_at(i))) return true;
  return false;
}

/* First words of all verbs, or (first of a pair given) the second words behind it. */
static void verb_words(gi_str *out, const gi_command *behind) {
  const gi_command *c;
  for (int i = 0; (c = gi_command_at(i)) != NULL; i++) {
    if (behind == NULL && !first_word_seen(i))
      gi_str_printf(out, "%.*s ", first_word(c), c->name);
    else if (behind != NULL && same_first_word(c, behind))
      gi_str_printf(out, "%s ", second_word(c));
  }
}

static void join(gi_str *out, const char *const *words) {
  for (int i = 0; words[i] != NULL; i++) gi_str_printf(out, i > 0 ? " %s" : "%s", words[i]);
}

/* What a CHOICE or VERB argument offers; nothing for others. */
static void argument_words(gi_str *out, const gi_argument *a) {
  if (a->kind == GI_OPTION_CHOICE) join(out, a->choices);
  if (a->kind == GI_OPTION_VERB) verb_words(out, NULL);
}

/* text for a place within single quotes; `special` are characters that want a backslash. */
static void quoted(gi_str *out, const char *text, const char *special) {
  for (; *text != '\0'; text++) {
    if (*text == '\'') {
      gi_str_puts(out, "'\\''");
      continue;
    }
    if (strchr(special, *text) != NULL) gi_str_puts(out, "\\");
    gi_str_add(out, text, 1);
  }
}

/* ---- bash -------------------------------------------------------------------------------- */

static void bash_option_word(gi_str *out, const gi_command *c, const gi_option *o) {
  (void)c;
  gi_str_printf(out, " --%s", o->name);
}

/* A case for the word behind an option that takes a value. */
static void bash_option_value(gi_str *out, const gi_command *c, const gi_option *o) {
  if (o->kind == GI_OPTION_FLAG) return;
  gi_str_printf(out, "    '%s --%s'", c->name, o->name);
  if (o->letter != 0) gi_str_printf(out, "|'%s -%c'", c->name, o->letter);
  gi_str_puts(out, ") words='");
  if (o->kind == GI_OPTION_CHOICE) join(out, o->choices);
  gi_str_puts(out, "' value=1 ;;\n");
}

static void bash_command(gi_str *out, const gi_command *c) {
  gi_str_printf(out, "    '%s') options='", c->name);
  each_option(out, c, bash_option_word);
  gi_str_puts(out, "'");
  const gi_argument *a = c->arguments;
  if (a != NULL && (a->kind == GI_OPTION_CHOICE || a->kind == GI_OPTION_VERB)) {
    gi_str_puts(out, "; [ $COMP_CWORD -eq $after ] && [[ $cur != -* ]] && words='");
    argument_words(out, a);
    gi_str_puts(out, "'");
  }
  gi_str_puts(out, " ;;\n");
}

static void bash(gi_str *out) {
  gi_str_puts(out,
              "# bash completion of glia; made by 'glia completion bash'\n"
              "_glia() {\n"
              "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
              "  local verb=${COMP_WORDS[1]} after=2 options= words= value=\n"
              "  [ \"$cur\" = = ] && cur=\n"
              "  [ \"$prev\" = = ] && prev=${COMP_WORDS[COMP_CWORD-2]}\n"
              "  COMPREPLY=()\n"
              "  if [ $COMP_CWORD -eq 1 ]; then\n"
              "    COMPREPLY=($(compgen -W '");
  const gi_command *c;
  for (int i = 0; (c = gi_command_at(i)) != NULL; i++)
    if (!first_word_seen(i)) gi_str_printf(out, "%.*s ", first_word(c), c->name);
  gi_str_puts(out, "--help --version' -- \"$cur\"))\n    return\n  fi\n  case $verb in\n");
  for (int i = 0; (c = gi_command_at(i)) != NULL; i++) {
    if (second_word(c) == NULL || first_word_seen(i)) continue;
    gi_str_printf(out,
                  "    %.*s)\n      if [ $COMP_CWORD -eq 2 ]; then\n"
                  "        COMPREPLY=($(compgen -W '",
                  first_word(c), c->name);
    verb_words(out, c);
    gi_str_puts(out,
                "' -- \"$cur\"))\n        return\n      fi\n"
                "      verb=\"$verb ${COMP_WORDS[2]}\" after=3 ;;\n");
  }
  gi_str_puts(out, "  esac\n  case $verb in\n");
  for (int i = 0; (c = gi_command_at(i)) != NULL; i++) bash_command(out, c);
  gi_str_puts(out, "  esac\n  case \"$verb $prev\" in\n");
  for (int i = 0; (c = gi_command_at(i)) != NULL; i++) each_option(out, c, bash_option_value);
  gi_str_puts(out,
              "  esac\n"
              "  if [ -n \"$words\" ]; then\n"
              "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
              "  elif [ -z \"$value\" ] && [[ $cur == -* ]]; then\n"
              "    COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
              "  fi\n"
              "}\n"
              "complete -o default -F _glia glia\n");
}

/* ---- zsh --------------------------------------------------------------------------------- */

static void zsh_option(gi_str *out, const gi_command *c, const gi_option *o) {
  (void)c;
  gi_str_puts(out, " \\\n        ");
  if (o->letter != 0)
    gi_str_printf(out, "'(-%c --%s)'{-%c,--%s}'[", o->letter, o->name, o->letter, o->name);
  else
    gi_str_printf(out, "'--%s%s[", o->name, o->kind == GI_OPTION_FLAG ? "" : "=");
  quoted(out, o->help, ":[]\\");
  gi_str_puts(out, "]");
  if (o->kind != GI_OPTION_FLAG) {
    gi_str_printf(out, ":%s:%s", o->name, o->kind == GI_OPTION_PATH ? "_files" : "(");
    if (o->kind == GI_OPTION_CHOICE) join(out, o->choices);
    if (o->kind != GI_OPTION_PATH) gi_str_puts(out, ")");
  }
  gi_str_puts(out, "'");
}

static void zsh_command(gi_str *out, const gi_command *c) {
  gi_str_printf(out, "    '%s')\n      _arguments", c->name);
  each_option(out, c, zsh_option);
  int place = 1;
  for (const gi_argument *a = c->arguments; a != NULL && a->name != NULL; a++, place++) {
    if (a->many)
      gi_str_printf(out, " \\\n        '*:%s", a->name);
    else
      gi_str_printf(out, " \\\n        '%d:%s", place, a->name);
    gi_str_puts(out, a->kind == GI_OPTION_PATH ? ":_files" : ":(");
    argument_words(out, a);
    gi_str_puts(out, a->kind == GI_OPTION_PATH ? "'" : ")'");
  }
  gi_str_puts(out, " ;;\n");
}

static void zsh_described(gi_str *out, const char *word, int n, const char *summary) {
  gi_str_printf(out, " '%.*s:", n, word);
  quoted(out, summary, ":\\");
  gi_str_puts(out, "'");
}

static void zsh(gi_str *out) {
  gi_str_puts(out,
              "#compdef glia\n"
              "# zsh completion of glia; made by 'glia completion zsh'\n"
              "_glia() {\n"
              "  local -a verbs\n"
              "  if (( CURRENT == 2 )); then\n"
              "    verbs=(");
  const gi_command *c;
  for (int i = 0; (c = gi_command_at(i)) != NULL; i++)
    if (!first_word_seen(i)) zsh_described(out, c->name, first_word(c), c->summary);
  gi_str_puts(out,
              ")\n    _describe verb verbs\n    return\n  fi\n"
              "  local verb=$words[2]\n  case $verb in\n");
  for (int i = 0; (c = gi_command_at(i)) != NULL; i++) {
    if (second_word(c) == NULL || first_word_seen(i)) continue;
    gi_str_printf(out, "    %.*s)\n      if (( CURRENT == 3 )); then\n        verbs=(",
                  first_word(c), c->name);
    const gi_command *other;
    for (int k = i; (other = gi_command_at(k)) != NULL; k++)
      if (same_first_word(other, c))
        zsh_described(out, second_word(other), (int)strlen(second_word(other)), other->summary);
    gi_str_puts(
        out,
        ")\n        _describe verb verbs\n        return\n      fi\n"
        "      verb=\"$verb $words[3]\"\n      shift words\n      (( CURRENT-- )) ;;\n");
  }
  gi_str_puts(out, "  esac\n  shift words\n  (( CURRENT-- ))\n  case $verb in\n");
  for (int i = 0; (c = gi_command_at(i)) != NULL; i++) zsh_command(out, c);
  gi_str_puts(
      out,
      "  esac\n}\n"
      "if [ \"$funcstack[1]\" = _glia ]; then _glia \"$@\"; else compdef _glia glia; fi\n");
}

/* ---- fish -------------------------------------------------------------------------------- */

/* The start of a line that holds once the verb was typed. */
static void fish_line(gi_str *out, const gi_command *c) {
  gi_str_printf(out, "complete -c glia -n '__fish_seen_subcommand_from %.*s", first_word(c),
                c->name);
  if (second_word(c) != NULL)
    gi_str_printf(out, "; and __fish_seen_subcommand_from %s", second_word(c));
  gi_str_puts(out, "'");
}

static void fish_option(gi_str *out, const gi_command *c, const gi_option *o) {
  fish_line(out, c);
  if (o->letter != 0) gi_str_printf(out, " -s %c", o->letter);
  gi_str_printf(out, " -l %s", o->name);
  if (o->kind == GI_OPTION_PATH) {
    gi_str_puts(out, " -r -F");
  } else if (o->kind == GI_OPTION_CHOICE) {
    gi_str_puts(out, " -x -a '");
    join(out, o->choices);
    gi_str_puts(out, "'");
  } else if (o->kind != GI_OPTION_FLAG) {
    gi_str_puts(out, " -x");
  }
  gi_str_puts(out, " -d '");
  quoted(out, o->help, "\\");
  gi_str_puts(out, "'\n");
}

static void fish_verb(gi_str *out, int i) {
  const gi_command *c = gi_command_at(i);
  if (!first_word_seen(i)) {
    gi_str_printf(out, "complete -c glia -n __fish_use_subcommand -f -a %.*s", first_word(c),
                  c->name);
    if (second_word(c) == NULL) {
      gi_str_puts(out, " -d '");
      quoted(out, c->summary, "\\");
      gi_str_puts(out, "'");
    }
    gi_str_puts(out, "\n");
  }
  if (second_word(c) == NULL) return;
  gi_str_printf(out,
                "complete -c glia -n '__fish_seen_subcommand_from %.*s; and not "
                "__fish_seen_subcommand_from %s' -f -a %s -d '",
                first_word(c), c->name, second_word(c), second_word(c));
  quoted(out, c->summary, "\\");
  gi_str_puts(out, "'\n");
}

static void fish(gi_str *out) {
  gi_str_puts(out, "# fish completion of glia; made by 'glia completion fish'\n");
  const gi_command *c;
  for (int i = 0; (c = gi_command_at(i)) != NULL; i++) {
    fish_verb(out, i);
    each_option(out, c, fish_option);
    const gi_argument *a = c->arguments;
    if (a == NULL || (a->kind != GI_OPTION_CHOICE && a->kind != GI_OPTION_VERB)) continue;
    fish_line(out, c);
    gi_str_puts(out, " -f -a '");
    argument_words(out, a);
    gi_str_puts(out, "'\n");
  }
}

void gi_completion(gi_str *out, int shell) {
  static void (*const makers[])(gi_str * out) = {bash, zsh, fish};
  makers[shell](out);
}
