/* fuse_program.c - the program that a group of elementwise ops and reductions becomes: what it
 * reads, what it computes, what it gives.
 *
 * Where a graph stores its activations narrow (precision.c), a group reads them as they lie and
 * widens them itself: a cast from a 16-bit float to f32 belongs to every group that reads it,
 * and to none. What is narrowed and read again within one group is not rounded on the way.
 */
#include "compile/fuse.h"

#include "ops/attrs.h"

/* ---- which nodes may be fused ------------------------------------------------------------ */

/* Reductions that fold one element after the other, in any order. */
bool gi_fuse_folds(const gi_node *n) {
  return n->op == &gi_op_sum || n->op == &gi_op_mean || n->op == &gi_op_max ||
         n->op == &gi_op_min || n->op == &gi_op_prod;
}

bool gi_fusible(const gi_fuser *f, const gi_node *n) {
  if (!((n->op->flags & GI_ELEMENTWISE) || gi_fuse_folds(n)) || n->n_out != 1) return false;
  const gi_type *t = &f->r.from->values.at[n->out]->type;
  if (t->dtype != GLIA_BOOL && !glia_dtype_is_float(t->dtype)) return false;
  for (int i = 0; i < n->n_in; i++) {
    const glia_dtype d = f->r.from->values.at[n->in[i]]->type.dtype;
    if (d != GLIA_BOOL && !glia_dtype_is_float(d)) return false;
  }
  return true;
}

static glia_dtype dtype_of(const gi_fuser *f, uint32_t value) {
  return f->r.from->values.at[value]->type.dtype;
}

static bool is_cast(const gi_fuser *f, const gi_node *n, bool widening) {
  if (n->op != &gi_op_cast) return false;
  const glia_dtype wide = dtype_of(f, widening ? n->out : n->in[0]);
  const glia_dtype narrow = dtype_of(f, widening ? n->in[0] : n->out);
  return wide == GLIA_F32 && (narrow == GLIA_BF16 || narrow == GLIA_F16);
}

/* Only casts from the precision that is asked for: others round because the graph says so. */
bool gi_fuse_seen_through(const gi_fuser *f, const gi_node *n) {
  if (!is_cast(f, n, true) || dtype_of(f, n->in[0]) != f->r.target->precision) return false;
  const gi_node *source = f->r.from->nodes.at[gi_fuse_producer(f, n->in[0])];
  return !gi_fusible(f, source) || is_cast(f, source, false);
}

bool gi_fuse_reads_widened(const gi_fuser *f, const gi_node *n) {
  for (int i = 0; i < n->n_in; i++)
    if (gi_fuse_operand(f, n, i) != n->in[i]) return true;
  return false;
}

/* Fills in `as` and `uses`. */
void gi_fuse_see_through(gi_fuser *f) {
  const glia_graph *g = f->r.from;
  for (uint32_t v = 0; v < g->values.n; v++) f->as[v] = v;
  for (uint32_t k = 0; k < g->nodes.n; k++)
    if (gi_fuse_seen_through(f, g->nodes.at[k]))
      f->as[g->nodes.at[k]->out] = g->nodes.at[k]->in[0];
  for (uint32_t k = 0; k < g->nodes.n; k++) {
    const gi_node *n = g->nodes.at[k];
    if (!f->r.live[k] || gi_fuse_seen_through(f, n)) continue;
    for (int i = 0; i < n->n_in; i++) f->uses[gi_fuse_operand(f, n, i)]++;
  }
  for (size_t i = 0; i < g->roots.n; i++) f->uses[f->as[g->roots.at[i].value]]++;
}

/* ---- the program of a group -------------------------------------------------------------- */

/* Is the value used by anything but nodes of this group? */
static bool used_outside(const gi_fuser *f, const gi_fuse_group *g, uint32_t value) {
  int inside = 0;
  for (size_t k = 0; k < g->nodes.n; k++) {
    const gi_node *n = f->r.from->nodes.at[g->nodes.at[k]];
    for (int i = 0; i < n->n_in; i++) inside += gi_fuse_operand(f, n, i) == value;
  }
  return inside < f->uses[value];
}

bool gi_fuse_member(const gi_fuse_group *g, uint32_t node) {
  for (size_t i = 0; i < g->nodes.n; i++)
    if (g->nodes.at[i] == node) return true;
  return false;
}

/* A value of the group's shape: all that its nodes compute or fold have it. */
uint32_t gi_fuse_result(const gi_fuser *f, const gi_fuse_group *g) {
  const gi_node *first = f->r.from->nodes.at[g->nodes.at[0]];
  return gi_fuse_folds(first) ? first->in[0] : first->out;
}

/* Do the inputs alone broadcast to the group's shape? A constant that gave it the shape is no
 * input any more. */
static bool gives_shape(const gi_fuser *f, const gi_fuse_group *g, const gi_fuse_program *b) {
  gi_type shape = f->r.from->values.at[b->in[0]]->type;
  for (int i = 1; i < b->n_in; i++)
    if (gi_broadcast(&shape, &f->r.from->values.at[b->in[i]]->type, "fuse", &shape) != GLIA_OK)
      return false;
  return gi_shape_equal(&shape, &f->r.from->values.at[gi_fuse_result(f, g)]->type);
}

typedef struct constants {
  int n;
  uint32_t at[GI_FUSED_CODE];
} constants;

/* Adds v to a list that does not hold it yet; false if there is no room. */
static bool add_once(uint32_t *list, int *n, int most, uint32_t v) {
  for (int j = 0; j < *n; j++)
    if (list[j] == v) return true;
  if (*n == most) return false;
  list[(*n)++] = v;
  return true;
}

/* Lists the operands of a node that come from outside the group. */
static bool list_operands(const gi_fuser *f, const gi_fuse_group *g, const gi_node *n,
                          gi_fuse_program *b, constants *c) {
  for (int i = 0; i < n->n_in; i++) {
    const uint32_t v = gi_fuse_operand(f, n, i);
    double value;
    if (gi_fuse_member(g, gi_fuse_producer(f, v))) {
      if (gi_fuse_folds(f->r.from->nodes.at[gi_fuse_producer(f, v)])) return false;
      continue;
    }
    const bool constant =
        gi_constant_scalar((glia_value){(glia_graph *)(uintptr_t)f->r.from, v}, &value);
    if (constant && v == n->in[i]) {
      if (!add_once(c->at, &c->n, GI_FUSED_CODE, v)) return false;
      continue;
    }
    if (!add_once(b->in, &b->n_in, GI_FUSED_IN, v)) return false;
    if (v != n->in[i] && !add_once(b->casts, &b->n_casts, GI_FUSED_IN, n->in[i])) return false;
  }
  return true;
}

/* Must the code compute what node n of the group gives? Not where it is narrowed only to be
 * widened again: the f32 value is read then. */
static bool computed(const gi_fuser *f, const gi_fuse_group *g, const gi_node *n) {
  if (gi_fuse_folds(n)) return false;
  if (!is_cast(f, n, false) || used_outside(f, g, n->out)) return true;
  for (size_t k = 0; k < g->nodes.n; k++) {
    const gi_node *reader = f->r.from->nodes.at[g->nodes.at[k]];
    for (int i = 0; i < reader->n_in; i++)
      if (reader->in[i] == n->out) return true;
  }
  return false;
}

/* All reductions of a group fold the same axes. */
static bool axes_agree(gi_fuse_program *b, const gi_node *n) {
  const gi_dims *a = &((const gi_reduce_attr *)n->attr)->axes;
  if (b->axes == NULL) b->axes = a;
  return a->n == b->axes->n && memcmp(a->at, b->axes->at, (size_t)a->n * sizeof a->at[0]) == 0;
}

/* Lists inputs and counts code and outputs; false if the group is over the limits. The
 * constants come first in the code. */
bool gi_fuse_survey(const gi_fuser *f, const gi_fuse_group *g, gi_fuse_program *b) {
  *b = (gi_fuse_program){0};
  constants c = {0};
  for (size_t k = 0; k < g->nodes.n; k++) {
    const gi_node *n = f->r.from->nodes.at[g->nodes.at[k]];
    if (!list_operands(f, g, n, b, &c) || (gi_fuse_folds(n) && !axes_agree(b, n))) return false;
    b->n_random += (n->op->flags & GI_RANDOM) != 0; /* each takes the room of an input */
  }
  if (c.n + b->n_casts + (int)g->nodes.n > GI_FUSED_CODE || b->n_in == 0 ||
      b->n_in + b->n_random > GI_FUSED_IN || !gives_shape(f, g, b))
    return false;
  for (int j = 0; j < c.n; j++) b->code[b->n_code++] = c.at[j];
  for (int j = 0; j < b->n_casts; j++) b->code[b->n_code++] = b->casts[j];
  for (size_t k = 0; k < g->nodes.n; k++) {
    const gi_node *n = f->r.from->nodes.at[g->nodes.at[k]];
    if (computed(f, g, n)) b->code[b->n_code++] = n->out;
    if (!used_outside(f, g, n->out)) continue;
    if (b->n_out == GI_FUSED_OUT) return false;
    b->out[b->n_out++] = n->out;
  }
  return true;
}

static int register_of(const gi_fuse_program *b, uint32_t v) {
  for (int i = 0; i < b->n_in; i++)
    if (b->in[i] == v) return i;
  for (int k = 0; k < b->n_code; k++)
    if (b->code[k] == v) return b->n_in + k;
  return -1;
}

/* Where operand i of a node is read from. What is narrowed in this group and widened again is
 * read as it was before. */
static int read_from(const gi_fuser *f, const gi_fuse_program *b, const gi_node *n, int i) {
  const int reg = register_of(b, n->in[i]);
  return reg >= 0
             ? reg
             : read_from(f, b,
                         f->r.from->nodes.at[gi_fuse_producer(f, gi_fuse_operand(f, n, i))], 0);
}

void gi_fuse_write(const gi_fuser *f, gi_fuse_program *b) {
  const glia_graph *from = f->r.from;
  b->p->n_in = b->n_in;
  b->p->n_code = b->n_code;
  b->p->n_out = b->n_out;
  for (int k = 0; k < b->n_code; k++) {
    const gi_val *v = from->values.at[b->code[k]];
    const gi_node *n = from->nodes.at[v->node];
    gi_micro *m = &b->p->code[k];
    m->dtype = v->type.dtype;
    if (gi_constant_scalar((glia_value){(glia_graph *)(uintptr_t)from, b->code[k]}, &m->value))
      continue;
    m->op = n->op;
    if (n->attr != NULL) memcpy(&m->attr, n->attr, GI_MIN(sizeof m->attr, n->op->attr_size));
    for (int i = 0; i < n->n_in; i++) m->src[i] = read_from(f, b, n, i);
  }
  for (int i = 0; b->axes != NULL && i < b->axes->n; i++)
    b->p->axes.at[b->p->axes.n++] = b->axes->at[i];
  for (int k = 0; k < b->n_out; k++) {
    const gi_node *n = from->nodes.at[from->values.at[b->out[k]]->node];
    gi_fused_out *out = &b->p->out[k];
    out->reg = gi_fuse_folds(n) ? read_from(f, b, n, 0) : register_of(b, b->out[k]);
    if (!gi_fuse_folds(n)) continue;
    out->fold = n->op;
    out->keep = ((const gi_reduce_attr *)n->attr)->keep;
  }
}
