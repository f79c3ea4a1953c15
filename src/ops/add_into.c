/* add_into.c - what is added to a convolution or a product right behind it, in the same kernel:
 * the other branch of a residual block, or the gradient that another reader of the same value
 * sends back.
 *
 *   conv2d_add_act         activation(conv2d(x, w[, bias]) + z)
 *   conv2d_input_grad_add  conv2d_input_grad(dy, w) + z
 *   matmul_add_act         activation(matmul(a, b) [+ bias] + z)
 *
 * z is input GI_ADDED, of the type of the result, which may lie over it: each element of z is
 * read before the result's is written. Two passes over memory are spared, and mostly a buffer.
 *
 * All three are the op that they begin with and a sum; they differ in nothing else here.
 */
#include "ops/attrs.h"
#include "ops/match.h"
#include "ops/ref.h"

/* ---- what is added to ---------------------------------------------------------------- */

typedef union any_attr {
  gi_conv_attr conv;
  gi_matmul_attr matmul;
} any_attr;

/* The op without the sum: its attributes have the activation "", its inputs lack z. */
typedef struct base {
  const gi_op *op;
  any_attr attr;
  const char *activation; /* that was taken out */
  int n_in;
} base;

/* With a bias a product is the fused op. */
static const gi_op *base_op(const gi_op *op, bool bias) {
  if (op == &gi_op_conv2d_add_act) return &gi_op_conv2d;
  if (op == &gi_op_conv2d_input_grad_add) return &gi_op_conv2d_input_grad;
  return bias ? &gi_op_matmul_bias_act : &gi_op_matmul;
}

static base base_of(const gi_op *op, const void *attr, int n_in) {
  base b = {.op = base_op(op, n_in > GI_ADDED + 1), .n_in = n_in - 1};
  const char **at =
      op == &gi_op_matmul_add_act ? &b.attr.matmul.activation : &b.attr.conv.activation;
  memcpy(&b.attr, attr, op->attr_size);
  b.activation = *at != NULL ? *at : "";
  *at = "";
  return b;
}

enum { BASE_IN = 3 };
/* from without z, into to. */
#define LEAVE_OUT(to, from, n)                                     \
  do {                                                             \
    for (int i_ = 0, k_ = 0; i_ < (n); i_++)                       \
      if (i_ != GI_ADDED && k_ < BASE_IN) (to)[k_++] = (from)[i_]; \
  } while (0)

/* ---- meaning ------------------------------------------------------------------------- */

static glia_status infer(gi_infer *c, const gi_op *op) {
  const base b = base_of(op, c->attr, c->n_in);
  char have[GI_TEXT], want[GI_TEXT];
  gi_type in[BASE_IN];
  LEAVE_OUT(in, c->in, c->n_in);
  gi_infer inner = {b.n_in, in, &b.attr, 1, c->out};
  GI_TRY(gi_where(b.op->infer(&inner), "%s", op->name));
  const gi_type *z = &c->in[GI_ADDED];
  if (strcmp(b.activation, "") != 0 && strcmp(b.activation, "relu") != 0)
    return gi_fail(GLIA_INVALID, "%s: activation is \"%s\", wanted \"\" or \"relu\"", op->name,
                   b.activation);
  if (!gi_type_equal(z, &c->out[0]))
    return gi_fail(z->dtype != c->out[0].dtype ? GLIA_DTYPE : GLIA_SHAPE,
                   "%s: what is added is %s, the result %s", op->name,
                   gi_type_text(z, have, sizeof have),
                   gi_type_text(&c->out[0], want, sizeof want));
  return GLIA_OK;
}

/* Asked with an f32 z beside a narrow product too (compile/precision.c): the sum is f32. */
static glia_status lower(gi_lower *c, const gi_op *op) {
  const base b = base_of(op, c->attr, c->n_in);
  glia_value in[BASE_IN], y[1] = {GLIA_NONE};
  LEAVE_OUT(in, c->in, c->n_in);
  gi_lower inner = {c->g, b.n_in, in, &b.attr, y};
  if (b.op->lower != NULL)
    GI_TRY(b.op->lower(&inner));
  else
    y[0] = gi_emit(c->g, b.op, &b.attr, in, b.n_in, NULL);
  const glia_value z = c->in[GI_ADDED];
  const glia_value sum =
      gi_null(y[0]) ? y[0] : glia_add(glia_cast(y[0], glia_value_dtype(z)), z);
  c->out[0] = b.activation[0] != '\0' ? glia_relu(sum) : sum;
  return GLIA_OK;
}

/* Rounded before z is added, so that the bits are those of the two ops. */
static glia_status ref(gi_ref *c, const gi_op *op) {
  const base b = base_of(op, c->attr, c->n_in);
  const gi_buf *z = &c->in[GI_ADDED], *out = &c->out[0];
  gi_buf in[BASE_IN], y = {out->t, gi_alloc(gi_type_bytes(&out->t) + 1)};
  if (y.p == NULL) return gi_fail_nomem(gi_type_bytes(&out->t));
  LEAVE_OUT(in, c->in, c->n_in);
  gi_ref inner = {b.n_in, 1, in, &y, &b.attr, c->clock};
  const glia_status s = b.op->ref(&inner);
  const int64_t count = gi_type_count(&out->t);
  for (int64_t e = 0; e < count && s == GLIA_OK; e++) {
    const double v = gi_get(&y, e) + gi_get(z, e);
    gi_put(out, e, b.activation[0] != '\0' && v < 0 ? 0 : v);
  }
  gi_free(y.p);
  return s;
}

static gi_cost cost(const gi_infer *c, const gi_op *op) {
  const base b = base_of(op, c->attr, c->n_in);
  gi_type in[BASE_IN];
  LEAVE_OUT(in, c->in, c->n_in);
  const gi_infer inner = {b.n_in, in, &b.attr, 1, c->out};
  gi_cost k = b.op->cost(&inner);
  k.flops += (double)gi_type_count(&c->out[0]);
  k.bytes += (double)gi_type_bytes(&c->in[GI_ADDED]);
  return k;
}

/* ---- pattern ------------------------------------------------------------------------- */

/* Is value v the base's, with nobody else reading it? Fills in what the base takes. */
static bool match_base(gi_match *m, const gi_op *op, uint32_t v) {
  const gi_node *n = m->g->nodes.at[m->g->values.at[v]->node];
  if (m->uses[v] != 1) return false;
  m->path = n->path; /* sums belong to no layer, mostly */
  if (op == &gi_op_matmul_add_act && n->op == &gi_op_add) { /* a product and its bias */
    gi_match inner = {.g = m->g, .last = n, .uses = m->uses};
    if (!gi_op_matmul_bias_act.match(&inner)) return false;
    memcpy(&m->attr, &inner.attr, sizeof m->attr);
    memcpy(m->in, inner.in, sizeof m->in);
    m->n_in = inner.n_in;
    return true;
  }
  if (n->op != base_op(op, false)) return false;
  memcpy(m->attr.bytes, n->attr, op->attr_size);
  m->n_in = n->n_in;
  for (int i = 0; i < n->n_in; i++) m->in[i] = n->in[i];
  return true;
}

/* Is v made for this sum alone by an op that is fused with it for nothing (compile/fuse.c)? */
static bool is_fused_anyway(const gi_match *m, uint32_t v) {
  const gi_node *n = m->g->nodes.at[m->g->values.at[v]->node];
  return (n->op->flags & GI_ELEMENTWISE) && m->uses[v] == 1;
}

/* The sum of a base and of something of its type, and relu of that, where the op has one. Of
 * two bases the later one takes the sum of both. */
static bool match(gi_match *m, const gi_op *op, bool may_relu) {
  const gi_node *last = m->last, *add = last;
  const bool relu = may_relu && last->op == &gi_op_relu;
  if (relu) add = gi_match_inner(m, last->in[0], &gi_op_add);
  if (add == NULL || add->op != &gi_op_add || add->in[0] == add->in[1]) return false;
  const uint32_t late = GI_MAX(add->in[0], add->in[1]), early = GI_MIN(add->in[0], add->in[1]);
  if (!gi_type_equal(gi_match_type(m, late), gi_match_type(m, early))) return false;
  const bool takes_late = match_base(m, op, late);
  if (!takes_late && !match_base(m, op, early)) return false;
  const uint32_t z = takes_late ? early : late;
  if (is_fused_anyway(m, z)) return false;
  if (m->n_in > GI_ADDED) m->in[GI_ADDED + 1] = m->in[GI_ADDED]; /* the bias */
  m->in[GI_ADDED] = z;
  m->n_in++;
  const char *activation = relu ? "relu" : "";
  const size_t at = op == &gi_op_matmul_add_act ? offsetof(gi_matmul_attr, activation)
                                                : offsetof(gi_conv_attr, activation);
  memcpy(m->attr.bytes + at, &activation, sizeof activation);
  return true;
}

/* ---- samples ------------------------------------------------------------------------- */

/* clang-format off */
#define TWO(a, b) {2, {a, b}}
#define CONV(s, p, g, ...)                                                                     \
  {.stride = TWO(s, s), .padding = TWO(p, p), .dilation = TWO(1, 1), .groups = g, __VA_ARGS__}
/* clang-format on */
static const gi_conv_attr plain = CONV(1, 1, 1, .activation = ""),
                          relu = CONV(1, 1, 1, .activation = "relu"),
                          stride = CONV(2, 1, 1, .activation = "relu"),
                          grouped = CONV(1, 1, 2, .activation = ""),
                          unknown = CONV(1, 1, 1, .activation = "tanh"),
                          back = CONV(1, 1, 1, .activation = "", .size = TWO(5, 7)),
                          back_stride = CONV(2, 1, 1, .activation = "", .size = TWO(8, 7)),
                          back_grouped = CONV(1, 1, 2, .activation = "", .size = TWO(5, 5));

#define R -1, 1, GLIA_F32
/* clang-format off */
static const gi_sample samples_conv[] = {
    {&plain, 3, {{4, {2, 3, 5, 7}, R}, {4, {4, 3, 3, 3}, R}, {4, {2, 4, 5, 7}, R}}, GLIA_OK},
    {&relu, 4, {{4, {1, 16, 6, 6}, R}, {4, {16, 16, 3, 3}, R}, {4, {1, 16, 6, 6}, R}, {1, {16}, R}}, GLIA_OK},
    {&stride, 4, {{4, {2, 8, 8, 7}, R}, {4, {9, 8, 3, 3}, R}, {4, {2, 9, 4, 4}, R}, {1, {9}, R}}, GLIA_OK},
    {&grouped, 3, {{4, {2, 4, 5, 5}, R}, {4, {6, 2, 3, 3}, R}, {4, {2, 6, 5, 5}, R}}, GLIA_OK},
    {&relu, 3, {{4, {0, 1, 3, 3}, R}, {4, {2, 1, 3, 3}, R}, {4, {0, 2, 3, 3}, R}}, GLIA_OK},
    {&relu, 3, {{4, {1, 1, 3, 3}, R}, {4, {2, 1, 3, 3}, R}, {4, {1, 1, 3, 3}, R}}, GLIA_SHAPE},
    {&relu, 3, {{4, {1, 1, 3, 3}, R}, {4, {2, 2, 3, 3}, R}, {4, {1, 2, 3, 3}, R}}, GLIA_SHAPE},
    {&plain, 3, {{4, {1, 1, 3, 3}, R}, {4, {2, 1, 3, 3}, R}, {4, {1, 2, 3, 3}, 0, 4, GLIA_I32}}, GLIA_DTYPE},
    {&unknown, 3, {{4, {1, 1, 3, 3}, R}, {4, {2, 1, 3, 3}, R}, {4, {1, 2, 3, 3}, R}}, GLIA_INVALID},
};
static const gi_sample samples_grad[] = {
    {&back, 3, {{4, {2, 4, 5, 7}, R}, {4, {4, 3, 3, 3}, R}, {4, {2, 3, 5, 7}, R}}, GLIA_OK},
    {&back, 3, {{4, {1, 16, 5, 7}, R}, {4, {16, 16, 3, 3}, R}, {4, {1, 16, 5, 7}, R}}, GLIA_OK},
    {&back_stride, 3, {{4, {2, 8, 4, 4}, R}, {4, {8, 9, 3, 3}, R}, {4, {2, 9, 8, 7}, R}}, GLIA_OK},
    {&back_grouped, 3, {{4, {2, 6, 5, 5}, R}, {4, {6, 2, 3, 3}, R}, {4, {2, 4, 5, 5}, R}}, GLIA_OK},
    {&back, 3, {{4, {0, 4, 5, 7}, R}, {4, {4, 3, 3, 3}, R}, {4, {0, 3, 5, 7}, R}}, GLIA_OK},
    {&back, 3, {{4, {2, 4, 5, 7}, R}, {4, {4, 3, 3, 3}, R}, {4, {2, 4, 5, 7}, R}}, GLIA_SHAPE},
    {&plain, 3, {{4, {2, 4, 5, 7}, R}, {4, {4, 3, 3, 3}, R}, {4, {2, 3, 5, 7}, R}}, GLIA_INVALID}, /* no size */
};
static const gi_matmul_attr nn = {.activation = ""}, nn_relu = {.activation = "relu"},
                            nt_relu = {.transpose_b = true, .activation = "relu"},
                            tn = {.transpose_a = true, .activation = ""},
                            nn_unknown = {.activation = "tanh"};
static const gi_sample samples_matmul[] = {
    {&nn, 3, {{2, {2, 3}, R}, {2, {3, 2}, R}, {2, {2, 2}, R}}, GLIA_OK},
    {&nn_relu, 3, {{2, {33, 65}, R}, {2, {65, 17}, R}, {2, {33, 17}, R}}, GLIA_OK},
    {&nt_relu, 4, {{2, {33, 65}, R}, {2, {17, 65}, R}, {2, {33, 17}, R}, {1, {17}, R}}, GLIA_OK},
    {&tn, 4, {{2, {3, 5}, R}, {2, {3, 7}, R}, {2, {5, 7}, R}, {1, {7}, R}}, GLIA_OK},
    {&nn_relu, 3, {{3, {2, 5, 3}, R}, {3, {2, 3, 4}, R}, {3, {2, 5, 4}, R}}, GLIA_OK},
    {&nt_relu, 3, {{3, {2, 5, 3}, R}, {2, {4, 3}, R}, {3, {2, 5, 4}, R}}, GLIA_OK},
    {&nn, 3, {{2, {0, 3}, R}, {2, {3, 7}, R}, {2, {0, 7}, R}}, GLIA_OK},
    {&nn_relu, 4, {{2, {5, 0}, R}, {2, {0, 7}, R}, {2, {5, 7}, R}, {1, {7}, R}}, GLIA_OK},
    {&nn, 3, {{2, {2, 3}, R}, {2, {3, 2}, R}, {1, {2}, R}}, GLIA_SHAPE},
    {&nn, 3, {{2, {2, 3}, R}, {2, {2, 2}, R}, {2, {2, 2}, R}}, GLIA_SHAPE},
    {&nn, 3, {{2, {2, 3}, R}, {2, {3, 2}, R}, {2, {2, 2}, 0, 4, GLIA_I32}}, GLIA_DTYPE},
    {&nn_unknown, 3, {{2, {2, 3}, R}, {2, {3, 2}, R}, {2, {2, 2}, R}}, GLIA_INVALID},
};
#undef R

/* ---- rows ---------------------------------------------------------------------------- */

static const gi_attr fields_matmul[] = {
    {"transpose_a", GI_ATTR_BOOL, offsetof(gi_matmul_attr, transpose_a), "a is [..., K, M]"},
    {"transpose_b", GI_ATTR_BOOL, offsetof(gi_matmul_attr, transpose_b), "b is [..., N, K]"},
    {"activation", GI_ATTR_NAME, offsetof(gi_matmul_attr, activation), "\"\" or \"relu\""},
    {NULL, GI_ATTR_I64, 0, NULL},
};

/* The functions of each row, the op filled in. */
#define BIND(id, may_relu)                                                                     \
  static glia_status infer_##id(gi_infer *c) { return infer(c, &gi_op_##id); }                 \
  static glia_status lower_##id(gi_lower *c) { return lower(c, &gi_op_##id); }                 \
  static glia_status ref_##id(gi_ref *c) { return ref(c, &gi_op_##id); }                       \
  static gi_cost cost_##id(const gi_infer *c) { return cost(c, &gi_op_##id); }                 \
  static bool match_##id(gi_match *m) { return match(m, &gi_op_##id, may_relu); }
BIND(conv2d_add_act, true)
BIND(conv2d_input_grad_add, false)
BIND(matmul_add_act, true)

/* What is done image by image. */
#define IMAGES (1 | 1 << GI_ADDED)
#define ROW(id, attr_, most_in, cut_in_, fields_, samples_, doc_, torch_)                               \
  const gi_op gi_op_##id = {                                                                   \
      .name = #id,                                                                             \
      .doc = doc_,                                                                             \
      .torch = torch_,                                                                         \
      .min_in = 3,                                                                             \
      .max_in = most_in,                                                                       \
      .n_out = 1,                                                                              \
      .over_in = 1 << GI_ADDED,                                                                \
      .precision = GI_WANTS_NARROW,                                                            \
      .f32_in = 1 << (GI_ADDED + 1),                                                           \
      .cut_in = cut_in_,                                                                       \
      .cut_out = (cut_in_) != 0,                                                               \
      .attr_size = sizeof(attr_),                                                              \
      .attrs = fields_,                                                                        \
      .infer = infer_##id,                                                                     \
      .lower = lower_##id,                                                                     \
      .match = match_##id,                                                                     \
      .ref = ref_##id,                                                                         \
      .cost = cost_##id,                                                                       \
      .samples = samples_,                                                                     \
      .n_samples = GI_COUNT(samples_),                                                         \
  };
ROW(conv2d_add_act, gi_conv_attr, 4, IMAGES, gi_conv_act_fields, samples_conv,
    "conv2d, something of its result's shape added, then an activation, in one kernel",
    "act(torch.nn.functional.conv2d(x0, x1, *x[3:], stride=stride, padding=padding, "
    "dilation=dilation, groups=groups) + x2)")
ROW(conv2d_input_grad_add, gi_conv_attr, 3, IMAGES, gi_conv_grad_fields, samples_grad,
    "gradient of conv2d in its input, and another gradient added, in one kernel",
    "torch.nn.grad.conv2d_input((x0.shape[0], x1.shape[1] * groups, *size), x1, x0, "
    "stride, padding, dilation, groups) + x2")
ROW(matmul_add_act, gi_matmul_attr, 4, 0, fields_matmul, samples_matmul,
    "matrix product, a bias and something of its result's shape added, then an activation",
    "act(torch.matmul(x0.mT if transpose_a else x0, x1.mT if transpose_b else x1) + "
    "sum(x[2:]))")
/* clang-format on */

const gi_op *const gi_ops_add_into[] = {&gi_op_conv2d_add_act, &gi_op_conv2d_input_grad_add,
                                        &gi_op_matmul_add_act, NULL};
