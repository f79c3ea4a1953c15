/* precision.c - mixed precision: what goes through memory between ops becomes bf16.
 *
 * Variables, the optimiser's state, statistics, losses and results stay f32, and all arithmetic
 * is done in f32; a value is narrowed where it is stored. Each op's row says what it may be
 * given (gi_op.precision):
 *
 *   wants narrow   products: inputs are narrowed; what they give is narrow
 *   takes any      as narrow as its first input: pooling, moves, batch norm. Elementwise ops
 *                  compute in f32, and what they give is narrowed if all of its size that they
 *                  read was narrow: an activation is, the update of a variable is not
 *   keeps f32      inputs are widened, and what it gives is f32
 *
 * bf16 has the exponent of f32: nothing overflows that did not before, and no loss needs
 * scaling. The casts that this pass puts in are joined to their neighbours by the next one
 * (fuse.c), where a value that is narrowed and widened again within one group stays f32.
 *
 * Micikevicius and others 2018, "Mixed Precision Training", arXiv:1710.03740; Kalamkar and
 * others 2019, "A Study of BFLOAT16 for Deep Learning Training", arXiv:1905.12322.
 */
#include "compile/compile.h"

enum { FEW = 16 };

static glia_value wide(glia_value v) {
  return !gi_null(v) && glia_value_dtype(v) == GLIA_BF16 ? glia_cast(v, GLIA_F32) : v;
}

static glia_value narrow(glia_value v) {
  return !gi_null(v) && glia_value_dtype(v) == GLIA_F32 ? glia_cast(v, GLIA_BF16) : v;
}

static bool is_narrow(glia_value v) { return glia_value_dtype(v) == GLIA_BF16; }

/* The type that value i of a node had: only what was f32 is touched. */
static const gi_type *type_of(const gi_rewrite *r, uint32_t v) {
  return &r->from->values.at[v]->type;
}

static bool was_f32(const gi_rewrite *r, const gi_node *n, int i) {
  return type_of(r, n->in[i])->dtype == GLIA_F32;
}

/* Are all values of the result's size that an elementwise op reads narrow, and at least one? */
static bool all_narrow(const gi_rewrite *r, const gi_node *n, const glia_value *in) {
  const gi_type *out = type_of(r, n->out);
  bool any = false;
  for (int i = 0; i < n->n_in; i++) {
    double constant;
    if (!was_f32(r, n, i) || !gi_shape_equal(type_of(r, n->in[i]), out)) continue;
    if (gi_constant_scalar(in[i], &constant)) continue;
    if (!is_narrow(in[i])) return false;
    any = true;
  }
  return any;
}

static bool takes_narrow(const gi_rewrite *r, const gi_node *n, const glia_value *in) {
  switch (n->op->precision) {
    case GI_WANTS_NARROW: return n->n_in > 0 && was_f32(r, n, 0);
    case GI_TAKES_ANY: return n->n_in > 0 && was_f32(r, n, 0) && is_narrow(in[0]);
    case GI_KEEPS_F32: break;
  }
  return false;
}

/* Is something wide added to a narrow product? Their sum is wide, so it is none of the
 * product's (gi_op.over_in: what is added to it has the type of its result). */
static bool adds_wide(const gi_rewrite *r, const gi_node *n, const glia_value *in, int i) {
  return (n->op->over_in >> i & 1) != 0 && was_f32(r, n, i) && !is_narrow(in[i]);
}

/* The node again, its inputs narrowed or widened. */
static glia_status emit(gi_rewrite *r, const gi_node *n, const glia_value *in, bool narrowed,
                        glia_value *out) {
  glia_value few[FEW] = {{NULL, 0}}, *args = few;
  if (n->n_in > FEW && (args = gi_alloc((size_t)n->n_in * sizeof *args)) == NULL)
    return gi_fail_nomem((size_t)n->n_in * sizeof *args);
  bool apart = false;
  for (int i = 0; i < n->n_in; i++) {
    const bool sum = narrowed && i < 32 && adds_wide(r, n, in, i);
    const bool stays = sum || (i < 32 && (n->op->f32_in >> i & 1) != 0);
    apart = apart || sum;
    args[i] = !was_f32(r, n, i) ? in[i] : narrowed && !stays ? narrow(in[i]) : wide(in[i]);
  }
  glia_status s = GLIA_OK;
  if (apart)
    s = n->op->lower(&(gi_lower){r->to, n->n_in, args, n->attr, out});
  else
    gi_emit(r->to, n->op, n->attr, args, n->n_in, out);
  if (args != few) gi_free(args);
  return s != GLIA_OK ? s : glia_graph_status(r->to);
}

static glia_status visit(gi_rewrite *r, uint32_t k, const gi_node *n, const glia_value *in,
                         bool *copy) {
  const bool elementwise = (n->op->flags & GI_ELEMENTWISE) != 0;
  glia_value out[GI_MAX_OUT];
  if (n->op->flags & GI_SOURCE) {
    *copy = true;
    return GLIA_OK;
  }
  GI_TRY(emit(r, n, in, !elementwise && takes_narrow(r, n, in), out));
  if (elementwise && n->op->precision == GI_TAKES_ANY && all_narrow(r, n, in))
    out[0] = narrow(out[0]);
  gi_rewrite_set(r, k, out);
  return glia_graph_status(r->to);
}

static glia_status run(const glia_graph *from, glia_graph *to, const gi_target *target) {
  if (target->precision == GLIA_F32) return gi_rewrite_live(from, to, target);
  return gi_rewrite_all(from, to, target, visit);
}

const gi_pass gi_pass_precision = {
    .name = "precision",
    .doc = "activations and the inputs of products as bf16, where that is asked for",
    .run = run,
};
