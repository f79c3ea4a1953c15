/* open.c - a trained model, opened as the command line asks for. */
#include "cli/open.h"

glia_status gi_cli_open(const gi_cli *c, glia_run **out) {
  return glia_run_open(gi_cli_argument(c, "DIR"), out, .threads = (int)gi_cli_i64(c, "threads"),
                       .tune = gi_cli_f64(c, "tune"),
                       .exact_conv = gi_cli_flag(c, "exact-conv"),
                       .precision = gi_cli_precision(c));
}

glia_status gi_cli_shape(const char *text, int64_t shape[GLIA_MAX_RANK], int *rank) {
  *rank = 0;
  for (const char *at = text; *at != '\0'; at++) {
    char digits[20] = "";
    const size_t n = strcspn(at, "xX");
    if (n < sizeof digits) memcpy(digits, at, n);
    if (*rank == GLIA_MAX_RANK - 1 || !gi_parse_i64(digits, &shape[*rank]) ||
        shape[*rank] < 1 || shape[*rank] > INT32_MAX || (at[n] != '\0' && at[n + 1] == '\0'))
      return gi_fail(GLIA_INVALID,
                     "--input is '%s', wanted whole numbers joined by x, as 1x28x28 "
                     "(channels x rows x columns)",
                     text);
    ++*rank;
    at += n;
    if (*at == '\0') break;
  }
  return *rank > 0 ? GLIA_OK : gi_fail(GLIA_INVALID, "--input is empty");
}
