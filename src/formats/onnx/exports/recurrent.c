/* exports/recurrent.c - RNN, GRU and LSTM.
 *
 * glia's ops get W x + b of all steps from a product outside of them, ONNX's have it inside. So
 * the product before the op is looked for, and goes into ONNX's; where there is another thing
 * in its place, W is the identity. Gates are put in ONNX's order (lstm i o f c, gru z r h; here
 * i f c o and r z h), the weights by a Gather that runtimes compute once.
 */
#include "formats/onnx/export.h"
#include "ops/recurrent.h"

/* ---- what it reads ----------------------------------------------------------------------- */

/* The steps' x (what W is applied to, or its result), W and b, and then the op's other inputs.
 */
enum { STEPS, WEIGHT, BIAS, OTHERS };

static const gi_node *maker(const glia_graph *g, uint32_t value, const gi_op *op) {
  const gi_node *n = g->nodes.at[g->values.at[value]->node];
  return n->op == op ? n : NULL;
}

/* x W^T, where x is [T, N, in] seen as rows; false where it is something else. */
static bool is_product(const glia_graph *g, uint32_t value, uint32_t *ids) {
  const gi_node *product = maker(g, value, &gi_op_matmul);
  const gi_matmul_attr *a = product == NULL ? NULL : product->attr;
  if (a == NULL || a->transpose_a || !a->transpose_b) return false;
  const gi_node *rows = maker(g, product->in[0], &gi_op_reshape);
  if (rows == NULL || g->values.at[product->in[1]]->type.rank != 2) return false;
  ids[STEPS] = rows->in[0];
  ids[WEIGHT] = product->in[1];
  return true;
}

/* x [T, N, G H] = (x' W^T + b) seen in three axes, or without b. */
static bool find_product(const glia_graph *g, uint32_t x, uint32_t *ids) {
  const gi_type *t = &g->values.at[x]->type;
  const gi_node *steps = maker(g, x, &gi_op_reshape);
  if (steps == NULL) return false;
  const gi_node *sum = maker(g, steps->in[0], &gi_op_add);
  bool found = sum == NULL && is_product(g, steps->in[0], ids);
  for (int i = 0; sum != NULL && i < 2 && !found; i++) {
    const gi_type *b = &g->values.at[sum->in[1 - i]]->type;
    found = b->rank == 1 && b->dim[0] == t->dim[2] && is_product(g, sum->in[i], ids);
    ids[BIAS] = sum->in[1 - i];
  }
  if (!found) return false;
  const gi_type *from = &g->values.at[ids[STEPS]]->type;
  return from->rank == 3 && from->dim[0] == t->dim[0] && from->dim[1] == t->dim[1];
}

static int reads(const glia_graph *g, const gi_node *n, uint32_t *ids) {
  const int x = gi_recurrence_of(n->op, n->attr).at[GI_RECURRENT_X];
  int count = OTHERS;
  ids[WEIGHT] = ids[BIAS] = GI_NO_VALUE;
  if (!find_product(g, n->in[x], ids)) {
    ids[STEPS] = n->in[x];
    ids[WEIGHT] = ids[BIAS] = GI_NO_VALUE;
  }
  for (int i = 0; i < n->n_in; i++)
    if (i != x) ids[count++] = n->in[i];
  return count;
}

/* ---- what it puts ------------------------------------------------------------------------ */

typedef struct layer {
  gi_recurrence r;
  gi_onnx_writing *w;
  const char *op;
  int64_t gate[4]; /* ONNX's gate g is ours gate[g] */
} layer;

/* Input i of the op as one of the writing; x is input 0 of all of them. */
static int place(const layer *l, gi_recurrent_value i) { return OTHERS + l->r.at[i] - 1; }
static const char *input(const layer *l, gi_recurrent_value i) {
  return gi_has(&l->r, i) ? l->w->in[place(l, i)] : "";
}

/* x with an axis of one in front: the one direction. */
static const char *one_direction(const layer *l, const char *x) {
  const int64_t first = 0;
  return gi_onnx_put(l->w, "Unsqueeze", 2, x, gi_onnx_put_whole(l->w, &first, 1));
}

static glia_dtype dtype(const layer *l) { return l->w->in_type[0].dtype; }

/* [1, G H, G H]: row j of ONNX's order picks its element of ours. NULL without memory. */
static const char *identity(const layer *l) {
  const int64_t h = l->r.units, n = l->r.gates * h;
  const gi_type t = {.dtype = dtype(l), .rank = 3, .dim = {1, n, n}};
  if (gi_type_check(&t, "identity") != GLIA_OK) return NULL;
  char *v = gi_alloc(gi_type_bytes(&t));
  if (v == NULL) return NULL;
  for (int64_t g = 0; g < l->r.gates; g++)
    for (int64_t u = 0; u < h; u++)
      gi_store(t.dtype, v, (g * h + u) * n + l->gate[g] * h + u, 1);
  const char *name = gi_onnx_elements(l->w, &t, v);
  gi_free(v);
  return name;
}

/* The rows of x [G H, ...] in ONNX's order. NULL without memory. */
static const char *in_order(const layer *l, const char *x) {
  const int64_t h = l->r.units, n = l->r.gates * h;
  const gi_type t = {.dtype = GLIA_I64, .rank = 1, .dim = {n}};
  if (l->r.gates == 1) return x;
  int64_t *row = gi_alloc(gi_type_bytes(&t));
  if (row == NULL) return NULL;
  for (int64_t i = 0; i < n; i++) row[i] = l->gate[i / h] * h + i % h;
  const char *rows = gi_onnx_elements(l->w, &t, row);
  gi_free(row);
  gi_onnx_put_int(l->w, "axis", 0);
  return gi_onnx_put(l->w, "Gather", 2, x, rows);
}

/* W [1, G H, in], or the identity that only changes the order. */
static const char *weight(const layer *l) {
  if (l->w->in_id[WEIGHT] == GI_NO_VALUE) return identity(l);
  const char *rows = in_order(l, l->w->in[WEIGHT]);
  return rows == NULL ? NULL : one_direction(l, rows);
}

/* U [1, G H, P]. */
static const char *recurrence(const layer *l) {
  const char *rows = in_order(l, input(l, GI_RECURRENT_U));
  return rows == NULL ? NULL : one_direction(l, rows);
}

/* [1, 2 G H]: that of W, then that of U: gru has its own for the last gate, the product inside
 * the reset gate. "": none; NULL without memory. */
static const char *bias(const layer *l) {
  const int64_t h = l->r.units, n = l->r.gates * h;
  const bool own = l->w->in_id[BIAS] != GI_NO_VALUE, inner = gi_has(&l->r, GI_RECURRENT_BIAS);
  const int64_t in_front[] = {own ? n - h : 2 * n - h, 0}, behind[] = {0, n};
  const char *first = own ? in_order(l, l->w->in[BIAS]) : NULL, *last = NULL;
  if (!own && !inner) return "";
  if (own && first == NULL) return NULL;
  if (inner) {
    const char *pads = gi_onnx_put_whole(l->w, in_front, 2);
    last = gi_onnx_put(l->w, "Pad", 2, input(l, GI_RECURRENT_BIAS), pads);
  }
  if (!inner)
    return one_direction(
        l, gi_onnx_put(l->w, "Pad", 2, first, gi_onnx_put_whole(l->w, behind, 2)));
  if (!own) return one_direction(l, last);
  gi_onnx_put_int(l->w, "axis", 0);
  return one_direction(l, gi_onnx_put(l->w, "Concat", 2, first, last));
}

/* lstm: [3, H] of i f o -> [1, 3 H] of i o f. */
static const char *peepholes(const layer *l) {
  const int64_t order[] = {0, 2, 1}, shape[] = {1, 3 * l->r.units};
  if (!gi_has(&l->r, GI_RECURRENT_PEEPHOLES)) return "";
  const char *rows = gi_onnx_put_whole(l->w, order, 3);
  gi_onnx_put_int(l->w, "axis", 0);
  const char *p = gi_onnx_put(l->w, "Gather", 2, input(l, GI_RECURRENT_PEEPHOLES), rows);
  return gi_onnx_reshape_to(l->w, p, shape, 2);
}

static const char *lengths(const layer *l) {
  if (!gi_has(&l->r, GI_RECURRENT_LENGTHS)) return "";
  gi_onnx_put_int(l->w, "to", GI_ONNX_INT32);
  return gi_onnx_put(l->w, "Cast", 1, input(l, GI_RECURRENT_LENGTHS));
}

/* The last state of a sequence without a step is the first one; ONNX leaves that open, and
 * runtimes give zeros. */
static const char *or_first(const layer *l, const char *last, gi_recurrent_value first) {
  const int64_t axis = 1;
  if (!gi_has(&l->r, GI_RECURRENT_LENGTHS)) return last;
  const char *n = input(l, GI_RECURRENT_LENGTHS);
  const glia_dtype whole = l->w->in_type[place(l, GI_RECURRENT_LENGTHS)].dtype;
  const char *any = gi_onnx_put(l->w, "Greater", 2, n, gi_onnx_number(l->w, whole, 0));
  any = gi_onnx_put(l->w, "Unsqueeze", 2, any, gi_onnx_put_whole(l->w, &axis, 1));
  return gi_onnx_put(l->w, "Where", 3, any, last, input(l, first));
}

/* Output k of the node, without the axis of directions. */
static void give(const layer *l, gi_recurrent_value which, const char *name, int64_t axis,
                 gi_recurrent_value first) {
  const int k = l->r.out[which];
  if (!gi_onnx_used(l->w, k)) return;
  name = gi_onnx_put(l->w, "Squeeze", 2, name, gi_onnx_put_whole(l->w, &axis, 1));
  gi_onnx_give(l->w, k, first == GI_RECURRENT_NONE ? name : or_first(l, name, first));
}

static glia_status begin(gi_onnx_writing *w, layer *l) {
  l->w = w;
  l->r = gi_recurrence_of(w->node->op, w->attr);
  const gi_type *u = &w->in_type[place(l, GI_RECURRENT_U)];
  gi_recurrence_size(&l->r, &w->in_type[STEPS], u);
  for (int i = 0; i < l->r.n_out; i++)
    if (gi_onnx_used(w, i) && i != l->r.out[GI_RECURRENT_Y] &&
        i != l->r.out[GI_RECURRENT_LAST_H] && i != l->r.out[GI_RECURRENT_LAST_C])
      return gi_fail(GLIA_UNSUPPORTED, "what it saves for the gradient is asked for");
  if (gi_has(&l->r, GI_RECURRENT_PROJECTION))
    return gi_fail(GLIA_UNSUPPORTED, "a projection of the state");
  return GLIA_OK;
}

static glia_status write_layer(layer *l) {
  const gi_recurrent_attr *a = l->w->attr;
  const bool lstm = l->r.gates == 4;
  const char *w = weight(l), *u = recurrence(l), *b = bias(l), *n = lengths(l);
  if (w == NULL || u == NULL || b == NULL)
    return gi_fail_nomem((size_t)(l->r.gates * l->r.units));
  const char *h0 = one_direction(l, input(l, GI_RECURRENT_H0));
  const char *c0 = lstm ? one_direction(l, input(l, GI_RECURRENT_C0)) : "";
  const char *p = lstm ? peepholes(l) : "";
  const char *in[] = {l->w->in[STEPS], w, u, b, n, h0, c0, p};
  const char *out[] = {"", "", lstm ? "" : NULL};
  gi_onnx_put_int(l->w, "hidden_size", l->r.units);
  gi_onnx_put_text(l->w, "direction", a->reverse ? "reverse" : "forward");
  if (l->r.gates == 3) gi_onnx_put_int(l->w, "linear_before_reset", 1);
  if (l->r.gates == 1) {
    const char *act = strcmp(a->activation, "relu") == 0 ? "Relu" : "Tanh";
    gi_onnx_put_texts(l->w, "activations", &act, 1);
  }
  gi_onnx_put_many(l->w, l->op, in, lstm ? 8 : 6, out, lstm ? 3 : 2);
  give(l, GI_RECURRENT_Y, out[0], 1, GI_RECURRENT_NONE);
  give(l, GI_RECURRENT_LAST_H, out[1], 0, GI_RECURRENT_H0);
  if (lstm) give(l, GI_RECURRENT_LAST_C, out[2], 0, GI_RECURRENT_C0);
  return GLIA_OK;
}

static glia_status write_lstm(gi_onnx_writing *w) {
  layer l = {.op = "LSTM", .gate = {0, 3, 1, 2}};
  GI_TRY(begin(w, &l));
  return write_layer(&l);
}

static glia_status write_gru(gi_onnx_writing *w) {
  layer l = {.op = "GRU", .gate = {1, 0, 2}};
  GI_TRY(begin(w, &l));
  return write_layer(&l);
}

static glia_status write_rnn(gi_onnx_writing *w) {
  layer l = {.op = "RNN"};
  GI_TRY(begin(w, &l));
  return write_layer(&l);
}

static const gi_onnx_export lstm = {.op = &gi_op_lstm, .reads = reads, .write = write_lstm};
static const gi_onnx_export gru = {.op = &gi_op_gru, .reads = reads, .write = write_gru};
static const gi_onnx_export rnn = {.op = &gi_op_rnn, .reads = reads, .write = write_rnn};
const gi_onnx_export *const gi_onnx_exports_recurrent[] = {&lstm, &gru, &rnn, NULL};
