/* tensor/print.c - a tensor as text, for people. */
#include "tensor/tensor.h"

typedef struct printer {
  gi_str text;
  const void *data; /* dense */
  gi_type type;
  int64_t limit; /* entries shown of each axis */
} printer;

static void put_element(printer *p, int64_t i) {
  switch (p->type.dtype) {
    case GLIA_BOOL:
      gi_str_puts(&p->text, ((const uint8_t *)p->data)[i] != 0 ? "true" : "false");
      break;
    case GLIA_I64: /* a double would round it */
      gi_str_printf(&p->text, "%lld", (long long)((const int64_t *)p->data)[i]);
      break;
    case GLIA_I32:
    case GLIA_I8:
    case GLIA_U8: gi_str_printf(&p->text, "%.0f", gi_load(p->type.dtype, p->data, i)); break;
    default: gi_str_printf(&p->text, "%g", gi_load(p->type.dtype, p->data, i)); break;
  }
}

/* Elements from `first` on of axis `axis`; each inner axis starts a line of its own, indented
 * to stand under its first entry. */
static void put_axis(printer *p, int axis, int64_t first) {
  if (axis == p->type.rank) {
    put_element(p, first);
    return;
  }
  int64_t step = 1;
  for (int k = axis + 1; k < p->type.rank; k++) step *= p->type.dim[k];
  const int64_t n = p->type.dim[axis], head = (p->limit + 1) / 2, tail = p->limit / 2;
  const bool last = axis + 1 == p->type.rank;
  gi_str_puts(&p->text, "[");
  for (int64_t i = 0; i < n && !p->text.failed; i++) {
    if (i > 0) gi_str_printf(&p->text, last ? ", " : ",\n%*s", axis + 1, "");
    if (n > p->limit && i == head) {
      gi_str_puts(&p->text, "...");
      i = n - tail - 1;
    } else {
      put_axis(p, axis + 1, first + i * step);
    }
  }
  gi_str_puts(&p->text, "]");
}

char *glia_tensor_text(const glia_tensor *t, int limit) {
  printer p = {.type = gi_tensor_type(t), .limit = limit > 0 ? limit : 6};
  glia_tensor *hold = NULL;
  if (gi_tensor_dense(t, &p.data, &hold) != GLIA_OK) return NULL;
  char type[256];
  gi_str_printf(&p.text, "%s\n", gi_type_text(&p.type, type, sizeof type));
  put_axis(&p, 0, 0);
  glia_tensor_free(hold);
  return gi_str_take(&p.text);
}
