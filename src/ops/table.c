/* table.c - looking ops up in the generated table, and what all of them share.
 */
#include "ops/op.h"

const gi_op *gi_op_find(const char *name) {
  for (const gi_op *const *const *list = gi_ops_table; *list != NULL; list++)
    for (const gi_op *const *op = *list; *op != NULL; op++)
      if (strcmp((*op)->name, name) == 0) return *op;
  return NULL;
}

void gi_op_each(bool (*fn)(const gi_op *op, void *user), void *user) {
  for (const gi_op *const *const *list = gi_ops_table; *list != NULL; list++)
    for (const gi_op *const *op = *list; *op != NULL; op++)
      if (!fn(*op, user)) return;
}

gi_cost gi_default_cost(const gi_infer *c) {
  gi_cost k = {0, 0};
  for (int i = 0; i < c->n_in; i++) k.bytes += (double)gi_type_bytes(&c->in[i]);
  for (int i = 0; i < c->n_out; i++) {
    k.bytes += (double)gi_type_bytes(&c->out[i]);
    k.flops += (double)gi_type_count(&c->out[i]);
  }
  return k;
}

/* An older caller's struct is shorter, a newer one's longer; what both know is copied. A size
 * of 0 stands for this library's struct. */
void gi_opts(void *dst, size_t dst_size, const void *src) {
  memset(dst, 0, dst_size);
  if (src != NULL) {
    size_t size;
    memcpy(&size, src, sizeof size);
    memcpy(dst, src, size == 0 ? dst_size : GI_MIN(size, dst_size));
  }
  memcpy(dst, &dst_size, sizeof dst_size);
}

glia_value gi_emit1(const gi_op *op, const void *attr, glia_value a) {
  return gi_emit(NULL, op, attr, &a, 1, NULL);
}

glia_value gi_emit2(const gi_op *op, const void *attr, glia_value a, glia_value b) {
  const glia_value in[] = {a, b};
  return gi_emit(NULL, op, attr, in, 2, NULL);
}
