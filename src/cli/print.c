/* cli/print.c - how commands print results and notes, and how Ctrl-C reaches them. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/progress.h"

glia_status gi_cli_print_json(gi_json *j) {
  char *text = gi_json_text(j, 0);
  gi_json_free(j);
  if (text == NULL) return gi_fail(GLIA_NOMEM, "the result does not fit into memory");
  puts(text);
  fflush(stdout);
  gi_free(text);
  return GLIA_OK;
}

glia_status gi_cli_print_text(gi_str *text) {
  const bool failed = text->failed;
  if (!failed && text->n > 0) fwrite(text->s, 1, text->n, stdout);
  fflush(stdout); /* what is done is seen, also in a pipe */
  gi_str_free(text);
  return failed ? gi_fail(GLIA_NOMEM, "the text does not fit into memory") : GLIA_OK;
}

void gi_cli_note(const gi_cli *c, const char *fmt, ...) {
  if (c->quiet) return;
  char line[1024];
  va_list args;
  va_start(args, fmt);
  vsnprintf(line, sizeof line, fmt, args);
  va_end(args);
  gi_progress_line(line);
}

/* What the library has to say: warnings always, the rest unless --quiet. */
static void on_log(glia_log_level level, const char *line, void *user) {
  const gi_cli *c = user;
  if (level == GLIA_LOG_DEBUG || (level == GLIA_LOG_INFO && c->quiet)) return;
  char text[1024];
  snprintf(text, sizeof text, level == GLIA_LOG_WARN ? "warning: %s" : "%s", line);
  gi_progress_line(text);
}

void gi_cli_listen(gi_cli *c) { glia_log_to(c != NULL ? on_log : NULL, c); }

/* ---- interrupts -------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupts;

/* The first time only a flag is set, which long work polls, so that a run stops between two
 * steps with everything saved. */
static void on_interrupt(int number) {
  (void)number;
  if (interrupts++ > 0) _exit(glia_status_exit(GLIA_CANCELLED));
}

void gi_interrupts_watch(void) {
  struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

bool gi_interrupted(void) { return interrupts > 0; }
