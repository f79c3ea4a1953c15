/* call.c - what operator rows ask a node for: attributes, and inputs whose elements are known.
 */
#include <inttypes.h>
#include <math.h>

#include "formats/onnx/trace.h"

/* ---- attributes -------------------------------------------------------------------------- */

static const gi_onnx_attr *find(const gi_onnx_attr *list, int n, const char *name) {
  for (int i = 0; i < n; i++)
    if (strcmp(list[i].name, name) == 0) return &list[i];
  return NULL;
}

/* Inside a function an attribute may be the caller's, which may be that of its caller... */
const gi_onnx_attr *gi_onnx_attr_of(const gi_onnx_call *c, const char *name) {
  const gi_onnx_attr *a = find(c->node->attr, c->node->n_attr, name);
  for (const gi_onnx_frame *f = c->trace->frame; a != NULL && a->ref != NULL; f = f->caller) {
    if (f == NULL || f->function == NULL) return NULL;
    const char *ref = a->ref;
    a = find(f->node->attr, f->node->n_attr, ref);
    if (a == NULL) a = find(f->function->defaults, f->function->n_default, ref);
  }
  return a;
}

bool gi_onnx_has(const gi_onnx_call *c, const char *name) {
  return gi_onnx_attr_of(c, name) != NULL;
}

static const char *kind_name(int type) {
  static const char *const names[] = {"nothing",  "a float", "an int", "a string",
                                      "a tensor", "a graph", "floats", "ints",
                                      "strings",  "tensors", "graphs", "a sparse tensor"};
  return type >= 0 && type < GI_COUNT(names) ? names[type] : "something else";
}

/* *a NULL where the attribute is not there; else it is of this kind. */
static glia_status get(const gi_onnx_call *c, const char *name, int type,
                       const gi_onnx_attr **a) {
  *a = gi_onnx_attr_of(c, name);
  if (*a != NULL && (*a)->type != type)
    return gi_fail(GLIA_MODEL, "attribute '%s' is %s, the operator wants %s", name,
                   kind_name((*a)->type), kind_name(type));
  return GLIA_OK;
}

glia_status gi_onnx_int(const gi_onnx_call *c, const char *name, int64_t fallback,
                        int64_t *out) {
  const gi_onnx_attr *a = NULL;
  GI_TRY(get(c, name, GI_ONNX_ATTR_INT, &a));
  *out = a != NULL ? a->i : fallback;
  return GLIA_OK;
}

glia_status gi_onnx_bool(const gi_onnx_call *c, const char *name, bool fallback, bool *out) {
  int64_t i = 0;
  GI_TRY(gi_onnx_int(c, name, fallback ? 1 : 0, &i));
  *out = i != 0;
  return GLIA_OK;
}

glia_status gi_onnx_float(const gi_onnx_call *c, const char *name, double fallback,
                          double *out) {
  const gi_onnx_attr *a = NULL;
  GI_TRY(get(c, name, GI_ONNX_ATTR_FLOAT, &a));
  *out = a != NULL ? a->f : fallback;
  return GLIA_OK;
}

glia_status gi_onnx_text(const gi_onnx_call *c, const char *name, const char *fallback,
                         const char **out) {
  const gi_onnx_attr *a = NULL;
  GI_TRY(get(c, name, GI_ONNX_ATTR_STRING, &a));
  *out = a != NULL ? a->s : fallback;
  return GLIA_OK;
}

static glia_status too_many(const char *name, int n, int room) {
  return gi_fail(GLIA_UNSUPPORTED, "attribute '%s' has %d numbers, at most %d are taken", name,
                 n, room);
}

glia_status gi_onnx_ints(const gi_onnx_call *c, const char *name, int64_t *out, int room,
                         int *n) {
  const gi_onnx_attr *a = NULL;
  GI_TRY(get(c, name, GI_ONNX_ATTR_INTS, &a));
  *n = a != NULL ? a->n : 0;
  if (*n > room) return too_many(name, *n, room);
  for (int i = 0; i < *n; i++) out[i] = a->ints[i];
  return GLIA_OK;
}

glia_status gi_onnx_floats(const gi_onnx_call *c, const char *name, double *out, int room,
                           int *n) {
  const gi_onnx_attr *a = NULL;
  GI_TRY(get(c, name, GI_ONNX_ATTR_FLOATS, &a));
  *n = a != NULL ? a->n : 0;
  if (*n > room) return too_many(name, *n, room);
  for (int i = 0; i < *n; i++) out[i] = a->floats[i];
  return GLIA_OK;
}

glia_status gi_onnx_choice(const gi_onnx_call *c, const char *name, const char *fallback,
                           const char *const *words, int *out) {
  const char *word = NULL;
  GI_TRY(gi_onnx_text(c, name, fallback, &word));
  gi_str list = {0};
  for (int i = 0; words[i] != NULL; i++) {
    if (word != NULL && strcmp(words[i], word) == 0) {
      *out = i;
      gi_str_free(&list);
      return GLIA_OK;
    }
    gi_str_printf(&list, "%s%s", i > 0 ? ", " : "", words[i]);
  }
  const glia_status s = gi_fail(GLIA_UNSUPPORTED, "attribute '%s' is '%.40s', known are: %s",
                                name, word != NULL ? word : "", list.s != NULL ? list.s : "");
  gi_str_free(&list);
  return s;
}

glia_status gi_onnx_axis(const gi_onnx_call *c, const char *name, int64_t fallback, int rank,
                         int *out) {
  int64_t axis = 0;
  GI_TRY(gi_onnx_int(c, name, fallback, &axis));
  *out = gi_axis(axis, rank);
  if (*out < 0)
    return gi_fail(GLIA_SHAPE, "attribute '%s' is %" PRId64 ", the input has %d axes", name,
                   axis, rank);
  return GLIA_OK;
}

/* ---- inputs whose elements are known ----------------------------------------------------- */

glia_status gi_onnx_known_value(const gi_onnx_call *c, glia_value v, const char *what,
                                const glia_tensor **out) {
  GI_TRY(glia_graph_status(c->g));
  return gi_onnx_evaluate(c->trace, v, what, out);
}

glia_status gi_onnx_known(const gi_onnx_call *c, int i, const glia_tensor **out) {
  if (!gi_onnx_given(c, i)) return gi_fail(GLIA_MODEL, "input %d is not given", i);
  return gi_onnx_known_value(c, c->in[i], c->node->in[i], out);
}

static glia_status ints_of(const glia_tensor *t, const char *name, int64_t *out, int room,
                           int *n) {
  const int64_t count = glia_tensor_count(t);
  if (glia_dtype_is_float(glia_tensor_dtype(t)))
    return gi_fail(GLIA_MODEL, "input '%s' is %s, whole numbers are wanted", name,
                   glia_dtype_name(glia_tensor_dtype(t)));
  if (count > room || glia_tensor_rank(t) > 1)
    return gi_fail(GLIA_MODEL,
                   "input '%s' has %" PRId64
                   " elements and rank %d, at most %d in a "
                   "list are taken",
                   name, count, glia_tensor_rank(t), room);
  *n = (int)count;
  for (int k = 0; k < *n; k++)
    if (glia_tensor_dtype(t) == GLIA_I64) { /* all 64 bits: double has 53 */
      out[k] = ((const int64_t *)glia_tensor_data(t))[k];
    } else {
      out[k] = (int64_t)glia_tensor_get(t, k);
    }
  return GLIA_OK;
}

glia_status gi_onnx_known_ints(const gi_onnx_call *c, int i, int64_t *out, int room, int *n) {
  const glia_tensor *t = NULL;
  GI_TRY(gi_onnx_known(c, i, &t));
  return ints_of(t, c->node->in[i], out, room, n);
}

glia_status gi_onnx_ints_either(const gi_onnx_call *c, const char *name, int i, int64_t *out,
                                int room, int *n) {
  if (gi_onnx_given(c, i)) return gi_onnx_known_ints(c, i, out, room, n);
  GI_TRY(gi_onnx_ints(c, name, out, room, n));
  if (!gi_onnx_has(c, name)) *n = -1;
  return GLIA_OK;
}

glia_status gi_onnx_known_number(const gi_onnx_call *c, int i, double fallback, double *out) {
  *out = fallback;
  if (!gi_onnx_given(c, i)) return GLIA_OK;
  const glia_tensor *t = NULL;
  GI_TRY(gi_onnx_known(c, i, &t));
  if (glia_tensor_count(t) != 1)
    return gi_fail(GLIA_MODEL, "input '%s' has %" PRId64 " elements, one is wanted",
                   c->node->in[i], glia_tensor_count(t));
  *out = glia_tensor_get(t, 0);
  return GLIA_OK;
}

glia_status(gi_onnx_fail)(const gi_onnx_call *c, glia_status s, const char *fmt, ...) {
  char text[512];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  (void)c; /* the walk puts file, node and operator in front on the way up */
  return gi_fail(s, "%s", text);
}

glia_value gi_onnx_constant(gi_onnx_call *c, const gi_onnx_tensor *t) {
  glia_tensor *elements = NULL;
  const glia_status s = gi_onnx_tensor_load(t, "constant", &elements);
  if (s != GLIA_OK) return gi_latch(c->g, s, "%s", glia_error_message());
  const glia_value v =
      glia_constant(c->g, glia_tensor_dtype(elements), glia_tensor_rank(elements),
                    glia_tensor_shape(elements), glia_tensor_data(elements));
  glia_tensor_free(elements);
  return v;
}
