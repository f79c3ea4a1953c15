/* glia completion SHELL: the script that completes verbs and options in a shell. */
#include "cli/cli.h"

static glia_status run(gi_cli *c) {
  const char *shell = gi_cli_argument(c, "SHELL");
  int i = 0;
  while (strcmp(gi_shells[i], shell) != 0) i++; /* the parser let only these pass */
  gi_str text = {0};
  gi_completion(&text, i);
  if (!c->json) return gi_cli_print_text(&text);
  gi_json *j = text.failed ? NULL : gi_json_object();
  gi_json_set_str(j, "shell", shell);
  gi_json_set_str(j, "script", text.s);
  gi_str_free(&text);
  return gi_cli_print_json(j);
}

static const gi_argument arguments[] = {
    {.name = "SHELL",
     .kind = GI_OPTION_CHOICE,
     .choices = gi_shells,
     .help = "bash, zsh or fish"},
    {0},
};

static const gi_command completion = {
    .name = "completion",
    .group = GI_GROUP_PROGRAM,
    .summary = "print the completion script of a shell",
    .help =
        "Prints a script that completes verbs, options, their values and file names. "
        "'make install' puts it where the shells look; this prints it for other places.",
    .example =
        "source <(glia completion bash)\n"
        "glia completion zsh > ~/.zfunc/_glia\n"
        "glia completion fish > ~/.config/fish/completions/glia.fish",
    .arguments = arguments,
    .run = run,
};

const gi_command *const gi_commands_completion[] = {&completion, NULL};
