/* cli/verbs.c - looks into the generated table of commands. */
#include "cli/cli.h"

extern const gi_command *const *const gi_commands_table[];

int gi_command_count(void) {
  int n = 0;
  for (const gi_command *const *const *file = gi_commands_table; *file != NULL; file++)
    for (const gi_command *const *row = *file; *row != NULL; row++) n++;
  return n;
}

/* Whether a comes before b in every list. */
static bool before(const gi_command *a, const gi_command *b) {
  return a->group != b->group ? a->group < b->group : strcmp(a->name, b->name) < 0;
}

static int rank(const gi_command *c) {
  int n = 0;
  for (const gi_command *const *const *file = gi_commands_table; *file != NULL; file++)
    for (const gi_command *const *row = *file; *row != NULL; row++) n += before(*row, c);
  return n;
}

/* The i-th in order is the row with i rows before it: a few dozen rows need no sorted copy. */
const gi_command *gi_command_at(int i) {
  for (const gi_command *const *const *file = gi_commands_table; *file != NULL; file++)
    for (const gi_command *const *row = *file; *row != NULL; row++)
      if (rank(*row) == i) return *row;
  return NULL;
}

const gi_command *gi_command_find(const char *name) {
  for (const gi_command *const *const *file = gi_commands_table; *file != NULL; file++)
    for (const gi_command *const *row = *file; *row != NULL; row++)
      if (strcmp((*row)->name, name) == 0) return *row;
  return NULL;
}

/* "data", with or without a second word: GLIA_INVALID lists the verbs that begin so. GLIA_OK
 * where none does. */
static glia_status unknown_second_word(const char *name) {
  const size_t n = strcspn(name, " ");
  gi_str list = {0};
  const gi_command *c;
  for (int i = 0; (c = gi_command_at(i)) != NULL; i++)
    if (strncmp(c->name, name, n) == 0 && c->name[n] == ' ')
      gi_str_printf(&list, list.n > 0 ? ", '%s'" : "'%s'", c->name);
  if (list.n == 0) return GLIA_OK;
  const glia_status s =
      name[n] == ' ' ? gi_fail(GLIA_INVALID, "there is no verb '%s'; there is %s", name, list.s)
                     : gi_fail(GLIA_INVALID, "'%s' wants a second word: %s", name, list.s);
  gi_str_free(&list);
  return s;
}

/* Index of the verb nearest to name, or to its first word; -1: none is near. */
static int nearest_verb(const char *name) {
  const int n = gi_command_count();
  const char **names = gi_alloc((size_t)n * sizeof *names);
  if (names == NULL) return -1;
  for (int i = 0; i < n; i++) names[i] = gi_command_at(i)->name;
  int near = gi_nearest(name, names, n);
  char word[64];
  snprintf(word, sizeof word, "%.*s", (int)strcspn(name, " "), name);
  if (near < 0) near = gi_nearest(word, names, n);
  gi_free(names);
  return near;
}

glia_status gi_command_unknown(const char *name) {
  GI_TRY(unknown_second_word(name));
  const int near = nearest_verb(name);
  const int n = (int)strcspn(name, " ");
  if (near < 0)
    return gi_fail(GLIA_INVALID, "there is no verb '%.*s'; 'glia help' lists them", n, name);
  return gi_fail(GLIA_INVALID, "there is no verb '%.*s'; did you mean '%s'?", n, name,
                 gi_command_at(near)->name);
}
