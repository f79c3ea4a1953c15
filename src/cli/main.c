/* cli/main.c - the glia program: finds the command, runs it, turns its status into an exit
 * code. */
#include "cli/cli.h"
#include "cli/progress.h"

/* The command whose words argv begins with, the longest of several; *used is how many words. */
static const gi_command *find_verb(int argc, const char **argv, int *used) {
  const gi_command *best = NULL;
  char name[128] = "";
  size_t n = 0;
  for (int i = 0; i < argc && argv[i][0] != '-'; i++) {
    const size_t more = strlen(argv[i]);
    if (n + more + 2 > sizeof name) break;
    if (n > 0) name[n++] = ' ';
    memcpy(name + n, argv[i], more + 1);
    n += more;
    const gi_command *c = gi_command_find(name);
    if (c != NULL) {
      best = c;
      *used = i + 1;
    }
  }
  return best;
}

static glia_status run(const gi_command *command, int argc, const char **argv) {
  gi_cli c;
  GI_TRY(gi_cli_parse(&c, command, argc, argv));
  if (c.help) {
    if (c.json) return gi_cli_print_json(gi_help_json(command));
    gi_str text = {0};
    gi_help_command(&text, command);
    return gi_cli_print_text(&text);
  }
  gi_cli_listen(&c);
  const glia_status s = command->run(&c);
  gi_cli_listen(NULL);
  return s;
}

/* Names from files may hold line ends and what terminals obey; a message is one line of text.
 */
static void print_message(FILE *to, const char *message) {
  for (const char *c = message; *c != '\0'; c++)
    fputc((unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c, to);
  fputc('\n', to);
}

/* The status as exit code, and its message, if it is a failure, in one line on stderr. */
static int finish(const gi_command *command, glia_status s) {
  gi_progress_end();
  if ((fflush(stdout) != 0 || ferror(stdout)) && s == GLIA_OK)
    s = gi_fail(GLIA_DISK, "standard output cannot be written");
  if (s == GLIA_OK) return 0;
  const char *message = glia_error_message();
  fprintf(stderr, "glia%s%s: ", command != NULL ? " " : "",
          command != NULL ? command->name : "");
  print_message(stderr, *message != '\0' ? message : glia_status_text(s));
  return glia_status_exit(s);
}

int main(int argc, char **argv) {
  const char **words = (const char **)(void *)argv;
  gi_interrupts_watch();
  const char *first = argc > 1 ? argv[1] : "--help";
  const gi_command *command = NULL;
  int used = 1;
  if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0)
    command = gi_command_find("version");
  else if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
    command = gi_command_find("help");
  else
    command = find_verb(argc - 1, words + 1, &used);
  if (command != NULL)
    return finish(command, run(command, GI_MAX(argc - 1 - used, 0), words + 1 + used));
  if (first[0] == '-')
    return finish(NULL, gi_fail(GLIA_INVALID,
                                "options come behind the verb, got '%s' first; "
                                "'glia help' lists the verbs",
                                first));
  char name[128]; /* the first two words: verbs of two words are told apart by the second */
  const bool two = argc > 2 && words[2][0] != '-';
  snprintf(name, sizeof name, "%s%s%s", first, two ? " " : "", two ? words[2] : "");
  return finish(NULL, gi_command_unknown(name));
}
