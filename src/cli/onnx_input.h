/* cli/onnx_input.h - inputs of ONNX models from files, for the verbs that run them. */
#ifndef GI_ONNX_INPUT_H
#define GI_ONNX_INPUT_H

#include "cli/cli.h"
#include "glia/onnx.h"

/* Opens the argument MODEL with --backend and --threads. Owned. */
glia_status gi_cli_onnx_open(const gi_cli *c, const glia_onnx_opts *opts, glia_onnx **out);
/* Input i from a .npy or .pb file, in the input's dtype; GLIA_DTYPE where that does not hold
 * all of its whole numbers. Owned. */
glia_status gi_cli_onnx_read(const glia_onnx *m, int i, const char *path, glia_tensor **out);
/* The same from FOLDER/input_i.pb or .npy; *out NULL where neither is there. */
glia_status gi_cli_onnx_find(const glia_onnx *m, int i, const char *folder, glia_tensor **out);

#endif /* GI_ONNX_INPUT_H */
