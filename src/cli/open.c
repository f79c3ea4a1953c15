/* open.c - a trained model, opened as the command line asks for. */
#include "cli/open.h"

glia_status gi_cli_open(const gi_cli *c, glia_run **out) {
  return glia_run_open(gi_cli_argument(c, "DIR"), out, .threads = (int)gi_cli_i64(c, "threads"),
                       .tune = gi_cli_f64(c, "tune"),
                       .exact_conv = gi_cli_flag(c, "exact-conv"),
                       .precision = gi_cli_precision(c));
}
