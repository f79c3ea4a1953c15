/* glia/dlpack.h - tensors to and from other libraries of the same process, without a copy.
 *
 * DLPack's DLManagedTensor (github.com/dmlc/dlpack, version 0.x: unversioned) is named here and
 * not declared: include dlpack/dlpack.h, or declare the struct, to look inside. NumPy, PyTorch,
 * JAX and others give and take it.
 */
#ifndef GLIA_DLPACK_H
#define GLIA_DLPACK_H

#include "glia/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

struct DLManagedTensor;

/* The tensor's memory for another library, on the CPU, with the tensor's strides. Who takes it
 * calls its `deleter` once; until then it keeps the memory alive, also after t is freed (but
 * not memory that glia_tensor_wrap lent from the caller). Both see what either writes. Owned.
 * GLIA_NOMEM. Since 0.1. */
GLIA_NODISCARD GLIA_API glia_status glia_tensor_to_dlpack(const glia_tensor *t,
                                                          struct DLManagedTensor **out);
/* A tensor (owned) over another library's memory, with its strides. On GLIA_OK `m` is taken
 * over: its deleter is called once, when the last view of the tensor is freed; on failure it
 * stays the caller's. GLIA_UNSUPPORTED for memory that is not on the CPU; GLIA_DTYPE for
 * elements that glia does not hold, or vectors of them; GLIA_SHAPE for more than 8 axes or
 * negative sizes; GLIA_INVALID for elements that are not aligned. Since 0.1. */
GLIA_NODISCARD GLIA_API glia_status glia_tensor_from_dlpack(struct DLManagedTensor *m,
                                                            glia_tensor **out);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_DLPACK_H */
