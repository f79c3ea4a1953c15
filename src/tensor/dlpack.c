/* tensor/dlpack.c - tensors to and from other libraries; see glia/dlpack.h. */
#include "tensor/dlpack.h"

#include "glia/dlpack.h"
#include "tensor/tensor.h"

static const struct {
  glia_dtype dtype;
  uint8_t code, bits;
} types[] = {
    {GLIA_F32, GI_DL_FLOAT, 32},   {GLIA_F64, GI_DL_FLOAT, 64}, {GLIA_F16, GI_DL_FLOAT, 16},
    {GLIA_BF16, GI_DL_BFLOAT, 16}, {GLIA_I32, GI_DL_INT, 32},   {GLIA_I64, GI_DL_INT, 64},
    {GLIA_I8, GI_DL_INT, 8},       {GLIA_U8, GI_DL_UINT, 8},    {GLIA_BOOL, GI_DL_BOOL, 8},
};

/* ---- giving ----------------------------------------------------------------------------- */

/* What is given: the struct that others see, and what it points to. */
typedef struct gift {
  struct DLManagedTensor managed;
  glia_tensor *view;
  int64_t shape[GLIA_MAX_RANK], strides[GLIA_MAX_RANK];
} gift;

static void delete_gift(struct DLManagedTensor *self) {
  if (self == NULL) return;
  gift *g = self->user;
  glia_tensor_free(g->view);
  gi_free(g);
}

glia_status glia_tensor_to_dlpack(const glia_tensor *t, struct DLManagedTensor **out) {
  gift *g = gi_alloc(sizeof *g);
  if (g == NULL) return gi_fail_nomem(sizeof *g);
  const int rank = glia_tensor_rank(t);
  const glia_status s = gi_tensor_share(t, &g->view);
  if (s != GLIA_OK) {
    gi_free(g);
    return s;
  }
  gi_dl_tensor *d = &g->managed.tensor;
  for (int i = 0; i < rank; i++) {
    g->shape[i] = glia_tensor_shape(t)[i];
    g->strides[i] = glia_tensor_strides(t)[i];
  }
  for (int i = 0; i < GI_COUNT(types); i++)
    if (types[i].dtype == glia_tensor_dtype(t)) {
      d->dtype.code = types[i].code;
      d->dtype.bits = types[i].bits;
    }
  d->dtype.lanes = 1;
  d->data = glia_tensor_data(t);
  d->device.type = GI_DL_CPU;
  d->rank = rank;
  d->shape = g->shape;
  d->strides = g->strides;
  g->managed.user = g;
  g->managed.deleter = delete_gift;
  *out = &g->managed;
  return GLIA_OK;
}

/* ---- taking ----------------------------------------------------------------------------- */

static void release(void *user) {
  struct DLManagedTensor *m = user;
  if (m->deleter != NULL) m->deleter(m);
}

static glia_status find_type(const gi_dl_tensor *d, glia_dtype *out) {
  for (int i = 0; i < GI_COUNT(types); i++)
    if (types[i].code == d->dtype.code && types[i].bits == d->dtype.bits &&
        d->dtype.lanes == 1) {
      *out = types[i].dtype;
      return GLIA_OK;
    }
  return gi_fail(GLIA_DTYPE, "dlpack: elements of code %d, %d bits and %d lanes cannot be held",
                 d->dtype.code, d->dtype.bits, d->dtype.lanes);
}

static glia_status read_type(const gi_dl_tensor *d, gi_type *out) {
  *out = (gi_type){.rank = d->rank};
  if (d->device.type != GI_DL_CPU)
    return gi_fail(GLIA_UNSUPPORTED,
                   "dlpack: memory on device type %d, wanted 1 (the CPU); hint: copy it there",
                   (int)d->device.type);
  GI_TRY(find_type(d, &out->dtype));
  for (int i = 0; i < d->rank && i < GLIA_MAX_RANK; i++) out->dim[i] = d->shape[i];
  return gi_type_check(out, "dlpack");
}

glia_status glia_tensor_from_dlpack(struct DLManagedTensor *m, glia_tensor **out) {
  gi_type type;
  if (m == NULL) return gi_fail(GLIA_INVALID, "dlpack: the tensor is NULL");
  const gi_dl_tensor *d = &m->tensor;
  GI_TRY(read_type(d, &type));
  unsigned char *data = d->data == NULL ? NULL : (unsigned char *)d->data + d->byte_offset;
  if (data == NULL && gi_type_count(&type) > 0)
    return gi_fail(GLIA_INVALID, "dlpack: there is no memory");
  if ((uintptr_t)data % glia_dtype_size(type.dtype) != 0)
    return gi_fail(GLIA_INVALID, "dlpack: elements of %s are not aligned; hint: copy them",
                   glia_dtype_name(type.dtype));
  return gi_tensor_adopt(&type, d->strides, data, release, m, out);
}
