/* cli/open.h - the options of commands that use a trained model, and opening it with them; what
 * they take where there is none yet: a sample's shape. */
#ifndef GI_CLI_OPEN_H
#define GI_CLI_OPEN_H

#include "cli/cli.h"
#include "glia/train.h"

/* Entries of a command's list of options. */
#define GI_OPTIONS_OF_USE \
  GI_OPTION_THREADS, GI_OPTION_TUNE("0"), GI_OPTION_EXACT_CONV, GI_OPTION_PRECISION

/* The run or model file that the argument DIR names. Owned: glia_run_free. */
glia_status gi_cli_open(const gi_cli *c, glia_run **out);

/* "1x28x28" as [1, 28, 28]: the shape of a sample, as --input gives it. */
glia_status gi_cli_shape(const char *text, int64_t shape[GLIA_MAX_RANK], int *rank);

#endif /* GI_CLI_OPEN_H */
