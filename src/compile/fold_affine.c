/* fold_affine.c - a scale and a shift per channel behind a convolution go into its weights:
 *
 *   conv(x, w, b) * s = conv(x, w * s, b * s)       conv(x, w, b) + t = conv(x, w, b + t)
 *
 * Batch norm at inference is such a scale and shift. Instead of two passes over the result
 * there is arithmetic on the weights, a few thousandths of it; in a fixed plan not even that.
 * Only factors that depend on no input are folded.
 */
#include "compile/compile.h"
#include "ops/attrs.h"
#include "ops/fused.h"

enum { LOOK = 64 }; /* nodes looked at in asking where a factor comes from */

/* Does v depend on variables and constants alone? False too if that takes too long to find out.
 */
static bool still(glia_value v, int *budget) {
  const gi_node *n = gi_node_of(v);
  if (n->op == &gi_op_variable || n->op == &gi_op_constant) return true;
  if (n->op == &gi_op_input || gi_is_random(n) || --*budget < 0) return false;
  for (int i = 0; i < n->n_in; i++)
    if (!still(gi_value(v.graph, n->in[i]), budget)) return false;
  return true;
}

/* [C, 1, 1] or [1, C, 1, 1]: one number a channel of [N, C, H, W]. */
static bool per_channel(const gi_type *t, int64_t channels) {
  const int c = t->rank - 3;
  return (t->rank == 3 || (t->rank == 4 && t->dim[0] == 1)) && t->dim[c] == channels &&
         t->dim[c + 1] == 1 && t->dim[c + 2] == 1;
}

static bool folds(const gi_node *conv, glia_value f) {
  const gi_type t = gi_value_type(f);
  int budget = LOOK;
  if (conv->op != &gi_op_conv2d) return false;
  const glia_value w = gi_value(f.graph, conv->in[1]);
  return per_channel(&t, glia_value_dim(w, 0)) && still(f, &budget) && still(w, &budget);
}

/* The convolution (of the new graph) with the factor f in it. */
static glia_value folded(const gi_node *conv, glia_value f, bool scales) {
  glia_value in[3] = {gi_value(f.graph, conv->in[0]), gi_value(f.graph, conv->in[1])};
  const int64_t filters = glia_value_dim(in[1], 0);
  const glia_value by_filter = glia_reshape(f, 1, &filters);
  const bool has_bias = conv->n_in == 3;
  int n_in = conv->n_in;
  if (has_bias) in[2] = gi_value(f.graph, conv->in[2]);
  if (scales) {
    in[1] = glia_mul(in[1], glia_reshape(f, 4, (const int64_t[]){filters, 1, 1, 1}));
    if (has_bias) in[2] = glia_mul(in[2], by_filter);
  } else {
    in[2] = has_bias ? glia_add(in[2], by_filter) : by_filter;
    n_in = 3;
  }
  return gi_emit(f.graph, conv->op, conv->attr, in, n_in, NULL);
}

/* y with the factor f in it; null if it cannot go there. The result stays under the path of the
 * convolution's layer: the int8 pass asks for that layer's scale. */
static glia_value fold(glia_value y, glia_value f, bool scales) {
  const gi_node *conv = gi_node_of(y);
  if (!folds(conv, f)) return GLIA_NONE;
  const char *before = gi_set_path(f.graph, conv->path);
  const glia_value v = folded(conv, f, scales);
  gi_set_path(f.graph, before);
  return v;
}

static glia_status visit(gi_rewrite *r, uint32_t k, const gi_node *n, const glia_value *in,
                         bool *copy) {
  const bool scales = strcmp(n->op->name, "mul") == 0, shifts = strcmp(n->op->name, "add") == 0;
  glia_value v = GLIA_NONE;
  for (int i = 0; i < 2 && (scales || shifts) && gi_null(v); i++)
    if (r->uses[n->in[i]] == 1) v = fold(in[i], in[1 - i], scales);
  if (gi_null(v))
    *copy = true;
  else
    gi_rewrite_set(r, k, &v);
  return glia_graph_status(r->to);
}

static glia_status run(const glia_graph *from, glia_graph *to, const gi_target *target) {
  return gi_rewrite_all(from, to, target, visit);
}

const gi_pass gi_pass_fold_affine = {
    .name = "fold_affine",
    .doc = "scales and shifts per channel into the convolution before them",
    .rounds = true,
    .run = run,
};
