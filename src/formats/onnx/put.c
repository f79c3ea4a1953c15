/* formats/onnx/put.c - what rows of an export put: ONNX nodes, their attributes, constants and
 * shapes.
 *
 * Nothing here returns a status: running out of memory latches in the exporter, and names are
 * then "".
 */
#include "base/protobuf.h"
#include "formats/onnx/exporter.h"

void gi_onnx_exporter_clear(gi_onnx_exporter *e) {
  gi_str_free(&e->parts.nodes);
  gi_str_free(&e->parts.values);
  gi_vec_free(&e->parts.weights);
  gi_str_free(&e->refused);
  gi_onnx_scope_free(&e->taken);
  gi_onnx_scope_free(&e->constants);
  gi_vec_free(&e->constant_name);
  gi_arena_free(&e->arena);
}

/* ---- names ----------------------------------------------------------------------------- */

const char *gi_onnx_name(gi_onnx_exporter *e, const char *wanted) {
  const char *name = gi_arena_strdup(&e->arena, wanted);
  for (int i = 1; name != NULL && gi_onnx_find(&e->taken, name) >= 0; i++)
    name = gi_arena_printf(&e->arena, "%s_%d", wanted, i);
  if (name != NULL && name[0] == '\0') name = "unnamed";
  if (name != NULL && gi_onnx_make(&e->taken, name, "name") == GLIA_OK) return name;
  e->failed = true;
  return "";
}

/* "layer1.0/Conv_3" */
static const char *fresh_name(gi_onnx_exporter *e, const char *path, const char *op) {
  const char *wanted =
      gi_arena_printf(&e->arena, "%s%s%s_%d", path, path[0] == '\0' ? "" : "/", op, e->count++);
  e->failed |= wanted == NULL;
  return wanted == NULL ? "" : gi_onnx_name(e, wanted);
}

/* ---- attributes ------------------------------------------------------------------------ */

/* AttributeProto: name = 1, f = 2, i = 3, s = 4, ints = 8, strings = 9, type = 20. */
static void end_attr(gi_onnx_writing *w, gi_str *attr, const char *name, int type) {
  gi_wire_put_text(attr, 1, name);
  gi_wire_put_varint(attr, 20, (uint64_t)type);
  gi_wire_put_message(&w->attrs, 5, attr);
}

void gi_onnx_put_int(gi_onnx_writing *w, const char *name, int64_t v) {
  gi_str attr = {0};
  gi_wire_put_varint(&attr, 3, (uint64_t)v);
  end_attr(w, &attr, name, GI_ONNX_ATTR_INT);
}

void gi_onnx_put_ints(gi_onnx_writing *w, const char *name, const int64_t *v, int n) {
  gi_str attr = {0};
  for (int i = 0; i < n; i++) gi_wire_put_varint(&attr, 8, (uint64_t)v[i]); /* as proto2 does */
  end_attr(w, &attr, name, GI_ONNX_ATTR_INTS);
}

void gi_onnx_put_float(gi_onnx_writing *w, const char *name, double v) {
  gi_str attr = {0};
  gi_wire_put_float(&attr, 2, (float)v);
  end_attr(w, &attr, name, GI_ONNX_ATTR_FLOAT);
}

void gi_onnx_put_text(gi_onnx_writing *w, const char *name, const char *v) {
  gi_str attr = {0};
  gi_wire_put_text(&attr, 4, v);
  end_attr(w, &attr, name, GI_ONNX_ATTR_STRING);
}

void gi_onnx_put_texts(gi_onnx_writing *w, const char *name, const char *const *v, int n) {
  gi_str attr = {0};
  for (int i = 0; i < n; i++) gi_wire_put_text(&attr, 9, v[i]);
  end_attr(w, &attr, name, GI_ONNX_ATTR_STRINGS);
}

/* ---- nodes ----------------------------------------------------------------------------- */

/* NodeProto: input = 1, output = 2, name = 3, op_type = 4; attributes are encoded as fields 5.
 */
void gi_onnx_put_node(gi_onnx_exporter *e, const char *path, const char *op,
                      const char *const *in, int n_in, const char *const *out, int n_out,
                      const gi_str *attrs) {
  gi_str node = {0};
  for (int i = 0; i < n_in; i++) gi_wire_put_text(&node, 1, in[i]);
  for (int i = 0; i < n_out; i++) gi_wire_put_text(&node, 2, out[i]);
  gi_wire_put_text(&node, 3, out[0][0] != '\0' ? out[0] : path);
  gi_wire_put_text(&node, 4, op);
  if (attrs != NULL) {
    e->failed |= attrs->failed;
    gi_str_add(&node, attrs->s, attrs->n);
  }
  gi_wire_put_message(&e->parts.nodes, 1, &node);
}

void gi_onnx_put_many(gi_onnx_writing *w, const char *op, const char *const *in, int n_in,
                      const char **out, int n_out) {
  for (int i = 0; i < n_out; i++)
    out[i] = out[i] == NULL ? "" : fresh_name(w->e, w->node->path, op);
  while (n_out > 1 && out[n_out - 1][0] == '\0') n_out--;
  gi_onnx_put_node(w->e, w->node->path, op, in, n_in, out, n_out, &w->attrs);
  gi_str_free(&w->attrs);
}

const char *gi_onnx_put_list(gi_onnx_writing *w, const char *op, const char *const *in, int n) {
  const char *out[] = {""};
  gi_onnx_put_many(w, op, in, n, out, 1);
  return out[0];
}

const char *gi_onnx_put(gi_onnx_writing *w, const char *op, int n, ...) {
  const char *in[8] = {NULL};
  va_list names;
  va_start(names, n);
  for (int i = 0; i < n && i < GI_COUNT(in); i++) in[i] = va_arg(names, const char *);
  va_end(names);
  return gi_onnx_put_list(w, op, in, GI_MIN(n, GI_COUNT(in)));
}

void gi_onnx_give(gi_onnx_writing *w, int k, const char *name) {
  w->e->name[w->node->out + (uint32_t)k] = name;
}

bool gi_onnx_used(const gi_onnx_writing *w, int k) {
  return w->e->used[w->node->out + (uint32_t)k];
}

/* ---- constants ------------------------------------------------------------------------- */

const char *gi_onnx_weight_of(gi_onnx_exporter *e, const char *name, const gi_type *type,
                              const void *data) {
  const gi_onnx_weight weight = {.name = name, .type = *type, .data = data};
  if (!gi_vec_push(&e->parts.weights, weight)) e->failed = true;
  return name;
}

static const char *new_constant(gi_onnx_exporter *e, const gi_type *type, const void *data) {
  const void *copy = gi_arena_copy(&e->arena, data, gi_type_bytes(type));
  e->failed |= copy == NULL;
  return copy == NULL ? "" : gi_onnx_weight_of(e, fresh_name(e, "", "constant"), type, copy);
}

/* What tells a constant from others: its type, and 128 bits of its elements. */
static const char *key_of(gi_onnx_exporter *e, const gi_type *type, const void *data) {
  char shape[128];
  const size_t n = gi_type_bytes(type);
  const char *key = gi_arena_printf(
      &e->arena, "%s %016llx%016llx", gi_type_text(type, shape, sizeof shape),
      (unsigned long long)gi_hash(data, n, 1), (unsigned long long)gi_hash(data, n, 2));
  e->failed |= key == NULL;
  return key == NULL ? "" : key;
}

const char *gi_onnx_constant_of(gi_onnx_exporter *e, const gi_type *type, const void *data) {
  const char *key = key_of(e, type, data);
  const int known = gi_onnx_find(&e->constants, key);
  if (known >= 0) return e->constant_name.at[known];
  const char *name = new_constant(e, type, data);
  if (gi_vec_reserve(&e->constant_name, e->constant_name.n + 1) &&
      gi_onnx_make(&e->constants, key, "constant") == GLIA_OK)
    (void)gi_vec_push(&e->constant_name, name); /* there is room */
  else
    e->failed = true;
  return name;
}

const char *gi_onnx_elements(gi_onnx_writing *w, const gi_type *type, const void *data) {
  return gi_onnx_constant_of(w->e, type, data);
}

const char *gi_onnx_number(gi_onnx_writing *w, glia_dtype dtype, double v) {
  const gi_type scalar = {.dtype = dtype};
  double room = 0; /* any element fits */
  gi_store(dtype, &room, 0, v);
  return gi_onnx_constant_of(w->e, &scalar, &room);
}

const char *gi_onnx_put_whole(gi_onnx_writing *w, const int64_t *v, int n) {
  const gi_type type = {.dtype = GLIA_I64, .rank = 1, .dim = {n}};
  return gi_onnx_constant_of(w->e, &type, v);
}

/* ---- shapes ---------------------------------------------------------------------------- */

bool gi_onnx_varies(const gi_onnx_writing *w, int k, int axis) {
  return gi_onnx_times(w->e, w->node->out + (uint32_t)k, axis) != 0;
}

bool gi_onnx_input_varies(const gi_onnx_writing *w, int i, int axis) {
  return gi_onnx_times(w->e, w->in_id[i], axis) != 0;
}

/* The batch's size, whole numbers [1]. */
static const char *batch_size(gi_onnx_writing *w) {
  gi_onnx_exporter *e = w->e;
  if (e->batch_size != NULL || e->batch_input == NULL)
    return e->batch_size == NULL ? "" : e->batch_size;
  gi_onnx_put_int(w, "start", e->batch_axis);
  gi_onnx_put_int(w, "end", e->batch_axis + 1);
  e->batch_size = gi_onnx_put(w, "Shape", 1, e->batch_input);
  return e->batch_size;
}

/* One dimension as whole numbers [1]. */
static const char *dimension(gi_onnx_writing *w, int64_t dim, int64_t times) {
  if (times == 0) return gi_onnx_put_whole(w, &dim, 1);
  const char *batch = batch_size(w);
  return times == 1 ? batch : gi_onnx_put(w, "Mul", 2, batch, gi_onnx_put_whole(w, &times, 1));
}

const char *gi_onnx_shape(gi_onnx_writing *w, int k) {
  const gi_type *t = &w->out_type[k];
  const char *part[GLIA_MAX_RANK];
  bool varies = false;
  for (int i = 0; i < t->rank; i++) varies |= gi_onnx_varies(w, k, i);
  if (!varies) return gi_onnx_put_whole(w, t->dim, t->rank);
  for (int i = 0; i < t->rank; i++)
    part[i] = dimension(w, t->dim[i], gi_onnx_times(w->e, w->node->out + (uint32_t)k, i));
  gi_onnx_put_int(w, "axis", 0);
  return gi_onnx_put_list(w, "Concat", part, t->rank);
}

const char *gi_onnx_reshape_to(gi_onnx_writing *w, const char *x, const int64_t *shape, int n) {
  const char *to = gi_onnx_put_whole(w, shape, n);
  return gi_onnx_put(w, "Reshape", 2, x, to);
}

const char *gi_onnx_reshaped(gi_onnx_writing *w, const char *x, int k) {
  const gi_type *t = &w->out_type[k];
  int64_t shape[GLIA_MAX_RANK] = {0};
  int open = 0;
  bool empty = false; /* nothing can be left for -1 then */
  for (int i = 0; i < t->rank; i++) {
    const bool varies = gi_onnx_varies(w, k, i);
    shape[i] = varies ? -1 : t->dim[i];
    open += varies;
    empty |= shape[i] == 0;
  }
  if (open <= 1 && !empty) return gi_onnx_reshape_to(w, x, shape, t->rank);
  const char *to = gi_onnx_shape(w, k);
  if (empty) gi_onnx_put_int(w, "allowzero", 1);
  return gi_onnx_put(w, "Reshape", 2, x, to);
}

const char *gi_onnx_transposed(gi_onnx_writing *w, const char *x, const int64_t *axes, int n) {
  gi_onnx_put_ints(w, "perm", axes, n);
  return gi_onnx_put(w, "Transpose", 1, x);
}
