/* cli/support.h - the support table: op x dtype, and what computes it. */
#ifndef GI_SUPPORT_H
#define GI_SUPPORT_H

#include "cli/cli.h"
#include "ops/op.h"

/* Prints the table for the backend that is chosen, of one op or (NULL) of all, in the way that
 * --json and --markdown ask for. */
glia_status gi_support_print(gi_cli *c, const gi_op *only);

#endif /* GI_SUPPORT_H */
