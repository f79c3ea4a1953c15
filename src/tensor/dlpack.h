/* tensor/dlpack.h - DLPack's structs, version 0.x, as github.com/dmlc/dlpack documents them. */
#ifndef GI_DLPACK_H
#define GI_DLPACK_H

#include <stdint.h>

enum { GI_DL_CPU = 1 }; /* of device types */

typedef enum gi_dl_code {
  GI_DL_INT = 0,
  GI_DL_UINT = 1,
  GI_DL_FLOAT = 2,
  GI_DL_BFLOAT = 4,
  GI_DL_BOOL = 6
} gi_dl_code;

typedef struct gi_dl_tensor {
  void *data;
  struct {
    int32_t type, id;
  } device;
  int32_t rank;
  struct {
    uint8_t code, bits;
    uint16_t lanes;
  } dtype;
  int64_t *shape;
  int64_t *strides; /* in elements; NULL: row-major */
  uint64_t byte_offset;
} gi_dl_tensor;

struct DLManagedTensor {
  gi_dl_tensor tensor;
  void *user;
  void (*deleter)(struct DLManagedTensor *self);
};

#endif /* GI_DLPACK_H */
