/* glia version, also glia --version. */
#include "cli/cli.h"

static glia_status run(gi_cli *c) {
  if (!c->json) {
    printf("glia %s\n", glia_version());
    return GLIA_OK;
  }
  gi_json *j = gi_json_object();
  gi_json_set_str(j, "version", glia_version());
  return gi_cli_print_json(j);
}

static const gi_command version = {
    .name = "version",
    .group = GI_GROUP_PROGRAM,
    .summary = "say which version this is",
    .help =
        "Prints the version of the library that the program runs on. "
        "'glia --version' is the same.",
    .run = run,
};

const gi_command *const gi_commands_version[] = {&version, NULL};
