/* conv_onednn.c - convolution and its two gradients by oneDNN.
 *
 * Activations are wanted channels-last, and computed as they come. Weights lie in memory as [F,
 * C/groups, KH, KW], the order of checkpoints; oneDNN says in which blocked layout it wants
 * them, and a reorder in front of the primitive (behind it, for the weight's gradient) brings
 * them there: some ten thousand elements against the hundreds of millions of products that
 * follow.
 *
 * What is added to a result is added within the convolution, which finds it where the result
 * will be; to a gradient, which oneDNN has no such thing for, by a primitive of its own.
 */
#include "backend/cpu/dnnl.h"
#include "ops/attrs.h"

/* ---- what is taken ---------------------------------------------------------------------- */

static const char *check(const gi_type *types, int n) {
  for (int i = 0; i < n; i++) {
    const char *why = gi_dnnl_takes(types[i].dtype);
    if (why != NULL) return why;
    if (gi_type_count(&types[i]) == 0) return "an operand has no elements";
    for (int d = 0; d < types[i].rank; d++)
      if (types[i].dim[d] > INT32_MAX) return "an axis is longer than 2^31 - 1";
  }
  return NULL;
}

static const char *fits(const gi_problem *p) {
  const gi_conv_attr *a = p->attr;
  if (a->activation != NULL && a->activation[0] != '\0' && strcmp(a->activation, "relu") != 0)
    return "knows relu as the only activation";
  const char *why = check(p->in, p->n_in);
  return why != NULL ? why : check(p->out, p->n_out);
}

static bool layouts_forward(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  in[0] = out[0] = GI_CHANNELS_LAST;
  if (gi_adds(p->op)) in[GI_ADDED] = GI_CHANNELS_LAST;
  return choice == 0;
}

static bool layouts_weight_grad(const gi_problem *p, int choice, gi_layout *in,
                                gi_layout *out) {
  (void)p;
  (void)out;
  in[0] = in[1] = GI_CHANNELS_LAST;
  return choice == 0;
}

/* Shares of the arithmetic limit as measured on shapes of ResNet: AVX-512 does well on any
 * layout; with AVX2 channels-last is not what its kernels are made for. A sum behind a gradient
 * writes and reads it once more. */
static double cost(const gi_problem *p, const gi_limits *limits) {
  const bool wide = gi_dnnl_wide();
  const bool weight_grad = strcmp(p->op->name, "conv2d_weight_grad") == 0;
  const gi_type *w = weight_grad ? &p->out[0] : &p->in[1];
  const bool point = w->dim[2] * w->dim[3] == 1;
  const bool behind = gi_adds(p->op) && gi_is_input_grad(p->op);
  const double sum = behind ? 2 * (double)gi_type_bytes(&p->out[0]) / limits->bytes : 0;
  if (p->in[0].dtype == GLIA_BF16)
    return gi_time(p, limits, 1.8, 1) + sum; /* of the limit of f32 */
  return gi_time(p, limits, wide ? 0.9 : point ? 0.75 : weight_grad ? 0.4 : 0.6, 1) + sum;
}

/* ---- descriptors ------------------------------------------------------------------------ */

typedef struct conv {
  dnnl_memory_desc_t x, y, bias;
  dnnl_memory_desc_t weight;       /* as it lies in memory */
  dnnl_memory_desc_t weight_liked; /* left to oneDNN */
  bool has_bias, adds, relu;       /* adds: to what lies in y */
  dnnl_dims_t stride, dilation, padding;
  dnnl_engine_t engine;
} conv;

static glia_status describe_weight(conv *c, const gi_type *w, int64_t groups) {
  int64_t dim[5] = {groups, w->dim[0] / groups, w->dim[1], w->dim[2], w->dim[3]}, stride[5];
  const int first = groups == 1 ? 1 : 0; /* without groups: four axes */
  int64_t s = 1;
  for (int d = 4; d >= 0; d--) {
    stride[d] = s;
    s *= dim[d];
  }
  GI_TRY(gi_dnnl_desc(w->dtype, 5 - first, dim + first, stride + first, &c->weight));
  return gi_dnnl_desc(w->dtype, 5 - first, dim + first, NULL, &c->weight_liked);
}

typedef struct operand {
  const gi_type *type;
  gi_layout layout;
} operand;

static operand in_of(const gi_problem *p, int i) {
  return (operand){&p->in[i], p->in_layout[i]};
}
static operand out_of(const gi_problem *p) { return (operand){&p->out[0], p->out_layout[0]}; }

static glia_status describe_image(operand o, dnnl_memory_desc_t *out) {
  int64_t stride[GLIA_MAX_RANK];
  gi_layout_strides(o.type, o.layout, stride);
  return gi_dnnl_desc(o.type->dtype, 4, o.type->dim, stride, out);
}

static glia_status describe(conv *c, const gi_conv_attr *a, operand x, const gi_type *w,
                            operand y, glia_dtype bias) {
  *c = (conv){.relu = a->activation != NULL && strcmp(a->activation, "relu") == 0};
  for (int i = 0; i < 2; i++) {
    c->stride[i] = a->stride.at[i];
    c->dilation[i] = a->dilation.at[i] - 1; /* oneDNN counts the cells left out */
    c->padding[i] = a->padding.at[i];
  }
  GI_TRY(gi_dnnl_engine(&c->engine));
  GI_TRY(describe_image(x, &c->x));
  GI_TRY(describe_image(y, &c->y));
  GI_TRY(describe_weight(c, w, a->groups));
  return gi_dnnl_desc(bias, 1, &w->dim[0], (const int64_t[]){1}, &c->bias);
}

static glia_status forward(const conv *c, dnnl_primitive_desc_t *pd) {
  dnnl_convolution_desc_t d;
  dnnl_primitive_attr_t attr;
  GI_TRY(gi_dnnl_check(
      dnnl_dilated_convolution_forward_desc_init(
          &d, dnnl_forward_training, dnnl_convolution_direct, &c->x, &c->weight_liked,
          c->has_bias ? &c->bias : NULL, &c->y, c->stride, c->dilation, c->padding, c->padding),
      "convolution"));
  GI_TRY(gi_dnnl_attr(c->adds, c->relu, &attr));
  const dnnl_status_t s = dnnl_primitive_desc_create(pd, &d, attr, c->engine, NULL);
  dnnl_primitive_attr_destroy(attr);
  return gi_dnnl_check(s, "convolution");
}

/* The gradients' descriptors want the forward one as a hint. */
static glia_status backward(const conv *c, bool of_input, dnnl_primitive_desc_t *pd) {
  dnnl_convolution_desc_t d;
  dnnl_primitive_desc_t hint;
  dnnl_primitive_attr_t attr;
  dnnl_status_t s = of_input ? dnnl_dilated_convolution_backward_data_desc_init(
                                   &d, dnnl_convolution_direct, &c->x, &c->weight_liked, &c->y,
                                   c->stride, c->dilation, c->padding, c->padding)
                             : dnnl_dilated_convolution_backward_weights_desc_init(
                                   &d, dnnl_convolution_direct, &c->x, &c->weight_liked, NULL,
                                   &c->y, c->stride, c->dilation, c->padding, c->padding);
  GI_TRY(gi_dnnl_check(s, "convolution gradient"));
  GI_TRY(forward(c, &hint));
  const glia_status made = gi_dnnl_attr(false, false, &attr);
  if (made == GLIA_OK) {
    s = dnnl_primitive_desc_create(pd, &d, attr, c->engine, hint);
    dnnl_primitive_attr_destroy(attr);
  }
  dnnl_primitive_desc_destroy(hint);
  return made != GLIA_OK ? made : gi_dnnl_check(s, "convolution gradient");
}

/* ---- chains ----------------------------------------------------------------------------- */

static glia_status chain_forward(gi_chain *c, const gi_problem *p) {
  conv d;
  dnnl_primitive_desc_t pd;
  gi_buffer weight;
  const int bias = gi_bias_input(p->op, p->n_in);
  const bool adds = gi_adds(p->op), within = adds && gi_dnnl_adds_anywhere();
  GI_TRY(describe(&d, p->attr, in_of(p, 0), &p->in[1], out_of(p),
                  bias >= 0 ? p->in[bias].dtype : GLIA_F32));
  const bool relu = d.relu;
  d.has_bias = bias >= 0;
  d.adds = within;
  if (adds && !within) d.relu = false; /* it comes behind the sum */
  if (within) GI_TRY(gi_chain_copy(c, gi_in(GI_ADDED), gi_out(0), &d.y));
  GI_TRY(forward(&d, &pd));
  const glia_status s =
      gi_chain_reordered(c, p, 1, &d.weight, gi_dnnl_arg(pd, DNNL_ARG_WEIGHTS), &weight);
  if (s != GLIA_OK) dnnl_primitive_desc_destroy(pd);
  GI_TRY(s);
  const gi_buffer result =
      adds && !within ? gi_chain_scratch(c, dnnl_memory_desc_get_size(&d.y)) : gi_out(0);
  const gi_bind args[] = {{DNNL_ARG_SRC, gi_in(0)},
                          {DNNL_ARG_WEIGHTS, weight},
                          {DNNL_ARG_DST, result},
                          {DNNL_ARG_BIAS, gi_in((size_t)GI_MAX(bias, 0))}};
  GI_TRY(gi_chain_add(c, pd, args, d.has_bias ? 4 : 3));
  return adds && !within ? gi_chain_sum(c, gi_in(GI_ADDED), result, gi_out(0), &d.y, relu)
                         : GLIA_OK;
}

static glia_status chain_input_grad(gi_chain *c, const gi_problem *p) {
  conv d;
  dnnl_primitive_desc_t pd;
  gi_buffer weight;
  GI_TRY(describe(&d, p->attr, out_of(p), &p->in[1], in_of(p, 0), GLIA_F32));
  GI_TRY(backward(&d, true, &pd));
  const glia_status s =
      gi_chain_reordered(c, p, 1, &d.weight, gi_dnnl_arg(pd, DNNL_ARG_WEIGHTS), &weight);
  if (s != GLIA_OK) dnnl_primitive_desc_destroy(pd);
  GI_TRY(s);
  const bool adds = gi_adds(p->op);
  const gi_buffer grad =
      adds ? gi_chain_scratch(c, dnnl_memory_desc_get_size(&d.x)) : gi_out(0);
  const gi_bind args[] = {
      {DNNL_ARG_DIFF_DST, gi_in(0)}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_DIFF_SRC, grad}};
  GI_TRY(gi_chain_add(c, pd, args, 3));
  return adds ? gi_chain_sum(c, gi_in(GI_ADDED), grad, gi_out(0), &d.x, false) : GLIA_OK;
}

static glia_status chain_weight_grad(gi_chain *c, const gi_problem *p) {
  conv d;
  dnnl_primitive_desc_t pd;
  GI_TRY(describe(&d, p->attr, in_of(p, 0), &p->out[0], in_of(p, 1), GLIA_F32));
  GI_TRY(backward(&d, false, &pd));
  const dnnl_memory_desc_t given = *gi_dnnl_arg(pd, DNNL_ARG_DIFF_WEIGHTS);
  const bool same = dnnl_memory_desc_equal(&given, &d.weight) != 0;
  const gi_buffer grad =
      same ? gi_out(0) : gi_chain_scratch(c, dnnl_memory_desc_get_size(&given));
  const gi_bind args[] = {
      {DNNL_ARG_SRC, gi_in(0)}, {DNNL_ARG_DIFF_DST, gi_in(1)}, {DNNL_ARG_DIFF_WEIGHTS, grad}};
  GI_TRY(gi_chain_add(c, pd, args, 3));
  return same ? GLIA_OK : gi_chain_reorder(c, grad, &given, gi_out(0), &d.weight);
}

static glia_status prepare(const gi_problem *p, gi_prepared *out,
                           glia_status (*fill)(gi_chain *, const gi_problem *)) {
  gi_chain *c = NULL;
  GI_TRY(gi_chain_new(p->threads, &c));
  const int before = gi_dnnl_enter(p->threads);
  const glia_status s = fill(c, p);
  gi_dnnl_leave(before);
  if (s == GLIA_OK)
    gi_chain_finish(c, out);
  else
    gi_chain_free(c);
  return s;
}

static glia_status prepare_forward(const gi_problem *p, gi_prepared *out) {
  return prepare(p, out, chain_forward);
}
static glia_status prepare_input_grad(const gi_problem *p, gi_prepared *out) {
  return prepare(p, out, chain_input_grad);
}
static glia_status prepare_weight_grad(const gi_problem *p, gi_prepared *out) {
  return prepare(p, out, chain_weight_grad);
}

static const gi_kernel of_images = {
    .ops = {"conv2d", "conv2d_act", "conv2d_add_act"},
    .name = "conv_onednn",
    .by_threads = true,
    .fits = fits,
    .layouts = layouts_forward,
    .cost = cost,
    .prepare = prepare_forward,
    .run = gi_chain_run,
    .release = gi_chain_free,
};
static const gi_kernel input_grad = {
    .ops = {"conv2d_input_grad", "conv2d_input_grad_add"},
    .name = "conv_onednn",
    .by_threads = true,
    .fits = fits,
    .layouts = layouts_forward,
    .cost = cost,
    .prepare = prepare_input_grad,
    .run = gi_chain_run,
    .release = gi_chain_free,
};
static const gi_kernel weight_grad = {
    .ops = {"conv2d_weight_grad"},
    .name = "conv_onednn",
    .by_threads = true,
    .fits = fits,
    .layouts = layouts_weight_grad,
    .cost = cost,
    .prepare = prepare_weight_grad,
    .run = gi_chain_run,
    .release = gi_chain_free,
};

const gi_kernel *const gi_cpu_kernels_conv_onednn[] = {&of_images, &input_grad, &weight_grad,
                                                       NULL};
