/* Command lines: the first byte picks a verb, each further line is a word. */
#include "cli/cli.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  char *text = fuzz_copy(data + 1, size - 1);
  const char *words[64];
  int n = 0;
  for (char *at = text; n < 64;) {
    words[n++] = at;
    at = strchr(at, '\n');
    if (at == NULL) break;
    *at++ = '\0';
  }
  gi_cli c;
  const gi_command *command = gi_command_at(data[0] % gi_command_count());
  if (gi_cli_parse(&c, command, n, words) != GLIA_OK && *glia_error_message() == '\0') abort();
  free(text);
  return 0;
}
