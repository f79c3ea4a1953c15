/* formats/element.c - types of elements and their way into tensors; see element.h. */
#include "formats/element.h"

#include "tensor/tensor.h"

/* Of those that one dtype holds, the one that is its own comes first. */
static const gi_element elements[] = {
    {.name = "F32", .npy = "f4", .bits = 32, .is_signed = true, .dtype = GLIA_F32},
    {.name = "F64", .npy = "f8", .bits = 64, .is_signed = true, .dtype = GLIA_F64},
    {.name = "F16", .npy = "f2", .bits = 16, .is_signed = true, .dtype = GLIA_F16},
    {.name = "BF16", .bits = 16, .is_signed = true, .dtype = GLIA_BF16},
    {.name = "I32", .npy = "i4", .bits = 32, .is_signed = true, .dtype = GLIA_I32},
    {.name = "I64", .npy = "i8", .bits = 64, .is_signed = true, .dtype = GLIA_I64},
    {.name = "U8", .npy = "u1", .bits = 8, .dtype = GLIA_U8},
    {.name = "BOOL", .npy = "b1", .bits = 8, .dtype = GLIA_BOOL},
    {.name = "I8", .npy = "i1", .bits = 8, .is_signed = true, .dtype = GLIA_I8},
    {.name = "I16", .npy = "i2", .bits = 16, .is_signed = true, .dtype = GLIA_I32},
    {.name = "U16", .npy = "u2", .bits = 16, .dtype = GLIA_I32},
    {.name = "U32", .npy = "u4", .bits = 32, .dtype = GLIA_I64},
    {.name = "U64", .npy = "u8", .bits = 64, .dtype = GI_NOT_HELD},
    {.name = "C64", .npy = "c8", .bits = 64, .dtype = GI_NOT_HELD},
    {.name = "C128", .npy = "c16", .bits = 128, .dtype = GI_NOT_HELD, .foreign = true},
    {.name = "TEXT", .npy = "U", .dtype = GI_NOT_HELD, .foreign = true},
    {.name = "F8_E5M2", .bits = 8, .dtype = GI_NOT_HELD},
    {.name = "F8_E4M3", .bits = 8, .dtype = GI_NOT_HELD},
    {.name = "F8_E8M0", .bits = 8, .dtype = GI_NOT_HELD},
    {.name = "F8_E5M2FNUZ", .bits = 8, .dtype = GI_NOT_HELD},
    {.name = "F8_E4M3FNUZ", .bits = 8, .dtype = GI_NOT_HELD},
    {.name = "F6_E2M3", .bits = 6, .dtype = GI_NOT_HELD},
    {.name = "F6_E3M2", .bits = 6, .dtype = GI_NOT_HELD},
    {.name = "F4", .bits = 4, .dtype = GI_NOT_HELD},
};

const gi_element *gi_element_of(glia_dtype dtype) {
  for (int i = 0; i < GI_COUNT(elements); i++)
    if (elements[i].dtype == (int)dtype) return &elements[i];
  return NULL;
}

const gi_element *gi_element_named(const char *name) {
  for (int i = 0; i < GI_COUNT(elements); i++)
    if (strcmp(elements[i].name, name) == 0) return &elements[i];
  return NULL;
}

const gi_element *gi_element_npy(const char *word) {
  for (int i = 0; i < GI_COUNT(elements); i++)
    if (elements[i].npy != NULL && strcmp(elements[i].npy, word) == 0) return &elements[i];
  return NULL;
}

bool gi_element_is_own(const gi_element *e) {
  return e->dtype != GI_NOT_HELD && e == gi_element_of((glia_dtype)e->dtype);
}

/* ---- sizes ------------------------------------------------------------------------------ */

glia_status gi_array_bytes(const gi_array *a, size_t *out) {
  size_t n = a->element->bits == 0 ? a->width * 8 : a->element->bits;
  for (int i = 0; i < a->rank; i++)
    if (a->shape[i] < 0 || !gi_mul_size(n, (size_t)a->shape[i], &n))
      return gi_fail(GLIA_FORMAT, "shape has more elements than can be counted");
  if (n % 8 != 0)
    return gi_fail(GLIA_FORMAT, "elements of %u bits do not fill whole bytes",
                   a->element->bits);
  *out = n / 8;
  return GLIA_OK;
}

int64_t gi_array_count(const gi_array *a) {
  int64_t n = 1;
  for (int i = 0; i < a->rank; i++) n *= a->shape[i];
  return n;
}

static size_t width_of(const gi_array *a) {
  return a->element->bits == 0 ? a->width : a->element->bits / 8;
}

/* ---- gathering -------------------------------------------------------------------------- */

bool gi_array_is_plain(const gi_array *a) {
  if (a->swap && width_of(a) > 1) return false;
  if (a->strides == NULL || gi_array_count(a) == 0) return true;
  int64_t step = 1;
  for (int i = a->rank - 1; i >= 0; i--) {
    if (a->shape[i] != 1 && a->strides[i] != step) return false;
    step *= a->shape[i];
  }
  return true;
}

/* What is turned round is a number: half of a complex one, a character of a text. */
static size_t number_width(const gi_array *a) {
  if (a->element->bits == 0) return 4;
  return a->element->npy != NULL && a->element->npy[0] == 'c' ? width_of(a) / 2 : width_of(a);
}

static void swap_numbers(unsigned char *p, size_t bytes, size_t width) {
  for (size_t at = 0; at + width <= bytes; at += width)
    for (size_t i = 0; i < width / 2; i++) {
      const unsigned char c = p[at + i];
      p[at + i] = p[at + width - 1 - i];
      p[at + width - 1 - i] = c;
    }
}

/* The elements of the axes from `axis` on, from `from`; returns where the next one goes. */
static unsigned char *gather(const gi_array *a, int axis, const unsigned char *from,
                             unsigned char *to) {
  const size_t width = width_of(a);
  if (axis == a->rank) {
    memcpy(to, from, width);
    return to + width;
  }
  const int64_t n = a->shape[axis], step = a->strides[axis];
  if (axis == a->rank - 1 && step == 1) {
    memcpy(to, from, (size_t)n * width);
    return to + (size_t)n * width;
  }
  for (int64_t i = 0; i < n; i++)
    to = gather(a, axis + 1, from + (size_t)(i * step) * width, to);
  return to;
}

void gi_array_gather(const gi_array *a, void *to) {
  const size_t bytes = (size_t)gi_array_count(a) * width_of(a);
  if (bytes == 0) return;
  if (a->strides == NULL)
    memcpy(to, a->data, bytes);
  else
    gather(a, 0, a->data, to);
  if (a->swap) swap_numbers(to, bytes, number_width(a));
}

/* ---- tensors ---------------------------------------------------------------------------- */

/* Integers of 1 to 4 bytes to wider ones, with their sign. */
static void widen(const gi_element *e, const unsigned char *from, unsigned char *to,
                  size_t width, int64_t n) {
  const size_t have = e->bits / 8;
  if (have == 0) return; /* no type that a tensor holds is so narrow */
  for (int64_t i = 0; i < n; i++, from += have, to += width) {
    uint64_t v = 0;
    memcpy(&v, from, have);
    if (e->is_signed && (v >> (e->bits - 1) & 1) != 0) v |= ~(uint64_t)0 << (e->bits - 1);
    memcpy(to, &v, width);
  }
}

static glia_status fill(const gi_array *a, glia_tensor *t) {
  unsigned char *data = glia_tensor_data(t);
  const int64_t n = glia_tensor_count(t);
  if (gi_element_is_own(a->element)) {
    gi_array_gather(a, data);
    if (a->element->dtype == GLIA_BOOL) /* any byte may be in a file; true is 1 in memory */
      for (int64_t i = 0; i < n; i++) data[i] = data[i] != 0;
    return GLIA_OK;
  }
  const size_t bytes = (size_t)n * width_of(a);
  if (bytes == 0) return GLIA_OK;
  unsigned char *narrow = gi_alloc(bytes);
  if (narrow == NULL) return gi_fail_nomem(bytes);
  gi_array_gather(a, narrow);
  widen(a->element, narrow, data, glia_dtype_size(glia_tensor_dtype(t)), n);
  gi_free(narrow);
  return GLIA_OK;
}

glia_status gi_array_tensor(const gi_array *a, const char *what, const char *name,
                            glia_tensor **out) {
  if (a->element->dtype == GI_NOT_HELD)
    return gi_fail(GLIA_DTYPE, "%s: tensor \"%.80s\": elements of dtype %s cannot be held",
                   what, name, a->element->name);
  glia_tensor *t = NULL;
  glia_status s = glia_tensor_new((glia_dtype)a->element->dtype, a->rank, a->shape, &t);
  if (s == GLIA_OK) s = fill(a, t);
  if (s != GLIA_OK) {
    glia_tensor_free(t);
    return gi_where(s, "%s: tensor \"%.80s\"", what, name);
  }
  *out = t;
  return GLIA_OK;
}
