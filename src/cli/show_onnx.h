/* cli/show_onnx.h - what `glia inspect` says of an ONNX model. */
#ifndef GI_SHOW_ONNX_H
#define GI_SHOW_ONNX_H

#include "base/json.h"

/* Adds to text; to json where that is not NULL. */
glia_status gi_show_onnx(const char *path, gi_str *text, gi_json *json);

#endif /* GI_SHOW_ONNX_H */
