/* test_ops.c - the op table: complete rows, samples that must fail, and every kernel of every
 * backend against the reference. No op has a test of its own here; a new op is tested by
 * being in the table.
 */
#include "cases.h"

#include "backend/backend.h"

/* ---- rows ---------------------------------------------------------------------------- */

/* Sources have no samples: their meaning is memory from outside. The program of a fused group
 * is made at run time (test_ops_fused.c). */
static bool without_samples(const gi_op *op) {
  return (op->flags & GI_SOURCE) != 0 || op == &gi_op_fused;
}

static bool check_row(const gi_op *op, void *user) {
  int good = 0, bad = 0;
  (void)user;
  if (gi_op_find(op->name) != op) fail_msg("two ops are called %s", op->name);
  if (op->doc == NULL || op->doc[0] == '\0') fail_msg("%s has no doc", op->name);
  if (op->infer == NULL) fail_msg("%s has no infer", op->name);
  if (op->ref == NULL && (op->flags & GI_SOURCE) == 0)
    fail_msg("%s has no reference", op->name);
  if ((op->vjp != NULL || op->lower != NULL) == (op->no_grad != NULL))
    fail_msg("%s: a gradient or a reason for having none, not both, not neither", op->name);
  if (op->n_out < 1 || op->n_out > GI_MAX_OUT)
    fail_msg("%s has %d outputs", op->name, op->n_out);
  if ((op->attr_size != 0) != (op->attrs != NULL)) fail_msg("%s has no schema", op->name);
  for (const gi_attr *a = op->attrs; a != NULL && a->name != NULL; a++)
    if (a->doc == NULL || a->offset >= op->attr_size)
      fail_msg("%s: attribute %s has no doc or no place", op->name, a->name);
  for (int i = 0; i < op->n_samples; i++) op->samples[i].want == GLIA_OK ? good++ : bad++;
  if (without_samples(op)) return true;
  if (good == 0) fail_msg("%s has no samples", op->name);
  return true;
}

static void test_rows_are_complete(void **state) {
  (void)state;
  gi_op_each(check_row, NULL);
}

/* ---- samples that must fail ---------------------------------------------------------- */

static bool check_failures(const gi_op *op, void *user) {
  (void)user;
  for (int i = 0; i < op->n_samples; i++) {
    op_case c = {.op = op,
                 .sample = &op->samples[i],
                 .number = i,
                 .dtype = GLIA_F32,
                 .beside = GLIA_F32};
    glia_graph *g = NULL;
    glia_value in[GI_SAMPLE_IN];
    if (c.sample->want == GLIA_OK) continue;
    OK(glia_graph_new(&g));
    case_types(&c);
    case_inputs(&c, g, in);
    OK(glia_graph_status(g));
    if (!gi_null(gi_emit(g, op, c.sample->attr, in, c.n_in, NULL)))
      fail_msg("%s: was taken, wanted %s", case_name(&c), glia_status_text(c.sample->want));
    const glia_status s = glia_graph_status(g);
    if (s != c.sample->want || strstr(glia_error_message(), op->name) == NULL)
      fail_msg("%s: wanted %s and the op's name, got %s: %s", case_name(&c),
               glia_status_text(c.sample->want), glia_status_text(s), glia_error_message());
    glia_graph_free(g);
  }
  return true;
}

static void test_bad_samples_are_refused_by_name(void **state) {
  (void)state;
  gi_op_each(check_failures, NULL);
}

/* ---- kernels ------------------------------------------------------------------------- */

static double tolerance_of(glia_dtype t) {
  switch (t) {
    case GLIA_F64: return 1e-12;
    case GLIA_F32: return 1e-5;
    case GLIA_BF16: return 2e-2;
    default: return 2e-3; /* f16 */
  }
}

typedef struct variant { /* a way to call a kernel */
  const char *name;
  int threads;
  bool unaligned; /* inputs lie one element off a 64-byte border, as memory of users may */
  bool in_place;
} variant;

static const variant variants[] = {
    {.name = "plain", .threads = 1},
    {.name = "two threads", .threads = 2},
    {.name = "unaligned", .threads = 1, .unaligned = true},
    {.name = "in place", .threads = 2, .in_place = true},
};

/* Copies between the plain layout and another. */
static void relayout(const gi_type *t, gi_layout layout, const void *from, void *to,
                     bool back) {
  int64_t strides[GLIA_MAX_RANK], at[GLIA_MAX_RANK] = {0};
  const size_t size = glia_dtype_size(t->dtype);
  const int64_t count = gi_type_count(t);
  gi_layout_strides(t, layout, strides);
  for (int64_t e = 0; e < count; e++, gi_next(t, at)) {
    const size_t plain = (size_t)e * size,
                 other = (size_t)gi_offset(t->rank, at, strides) * size;
    memcpy((char *)to + (back ? plain : other), (const char *)from + (back ? other : plain),
           size);
  }
}

typedef struct call { /* one prepared kernel and its memory */
  gi_layout in_layout[GI_SAMPLE_IN], out_layout[GI_MAX_OUT];
  void *in[GI_SAMPLE_IN], *out[GI_MAX_OUT]; /* in the kernel's layouts */
  void *owned[GI_SAMPLE_IN + GI_MAX_OUT];
  int n_owned;
} call;

static void *take(call *k, size_t bytes) {
  void *p = gi_alloc_aligned(bytes + 128);
  assert_non_null(p);
  k->owned[k->n_owned++] = p;
  return p;
}

static void fill_inputs(call *k, const op_case *c, const variant *v) {
  for (int i = 0; i < c->n_in; i++) {
    const size_t size = glia_dtype_size(c->in_type[i].dtype);
    k->in[i] = (char *)take(k, gi_type_bytes(&c->in_type[i])) + (v->unaligned ? size : 0);
    relayout(&c->in_type[i], k->in_layout[i], c->in[i].p, k->in[i], false);
  }
}

/* May this input's memory be taken over, as the memory plan sees it? */
static bool alike(const call *k, const op_case *c, int i, int o) {
  return gi_shape_equal(&c->in_type[i], &c->out_type[o]) &&
         k->in_layout[i] == k->out_layout[o] &&
         glia_dtype_size(c->in_type[i].dtype) == glia_dtype_size(c->out_type[o].dtype);
}

/* Results get memory of their own, or that of an input; old bytes are noise. */
static bool place_outputs(call *k, const op_case *c, const variant *v) {
  bool shared = false;
  for (int o = 0; o < c->n_out; o++) {
    const size_t bytes = gi_type_bytes(&c->out_type[o]);
    k->out[o] = take(k, bytes);
    memset(k->out[o], 0xa5, bytes);
    for (int i = 0; i < c->n_in && o == 0 && v->in_place && !shared; i++)
      if (alike(k, c, i, o) && gi_may_overwrite(c->op, i)) {
        k->out[o] = k->in[i];
        shared = true;
      }
  }
  return shared;
}

static void compare(const call *k, const op_case *c, const gi_kernel *kernel,
                    const variant *v) {
  char where[256];
  for (int o = 0; o < c->n_out; o++) {
    gi_buf got = new_buf(&c->out_type[o]);
    relayout(&c->out_type[o], k->out_layout[o], k->out[o], got.p, true);
    snprintf(where, sizeof where, "%s by %s, %s, output %d", case_name(c), kernel->name,
             v->name, o);
    expect_close(&got, &c->out[o], tolerance_of(c->out_type[o].dtype), 1e-3, where);
    gi_free_aligned(got.p);
  }
}

/* False if the kernel does not take the case in this variant, or has not so many choices. */
static bool try_kernel(const gi_kernel *kernel, int choice, const op_case *c,
                       const variant *v) {
  call k = {.n_owned = 0};
  const gi_problem p = {.op = c->op,
                        .attr = c->sample->attr,
                        .n_in = c->n_in,
                        .n_out = c->n_out,
                        .in = c->in_type,
                        .out = c->out_type,
                        .in_layout = k.in_layout,
                        .out_layout = k.out_layout,
                        .threads = v->threads};
  if (kernel->fits != NULL && kernel->fits(&p) != NULL) return false;
  if (!gi_kernel_layouts(kernel, &p, choice, k.in_layout, k.out_layout)) return false;
  const gi_limits limits = {.flops = 1e11, .bytes = 2e10};
  const double seconds = gi_kernel_cost(kernel, &p, &limits);
  if (!(seconds > 0 && isfinite(seconds)))
    fail_msg("%s by %s costs %g s", case_name(c), kernel->name, seconds);
  fill_inputs(&k, c, v);
  if (v->in_place && !place_outputs(&k, c, v)) {
    for (int i = 0; i < k.n_owned; i++) gi_free_aligned(k.owned[i]);
    return false;
  }
  if (!v->in_place) place_outputs(&k, c, v);
  gi_prepared prepared = {0};
  OK(kernel->prepare(&p, &prepared));
  void *scratch = gi_alloc_aligned(prepared.scratch + 64);
  assert_non_null(scratch);
  const gi_exec x = {prepared.state, (const void *const *)k.in, k.out, scratch, &case_clock};
  OK(kernel->run(&x));
  compare(&k, c, kernel, v);
  if (kernel->release != NULL) kernel->release(prepared.state);
  gi_free_aligned(scratch);
  for (int i = 0; i < k.n_owned; i++) gi_free_aligned(k.owned[i]);
  return true;
}

static const gi_backend *const backends[] = {
#ifdef GI_HAS_CPU
    &gi_backend_cpu,
#endif
    &gi_backend_ref,
};
static int tried;

static void check_kernels(const gi_op *op, int number) {
  static const struct {
    glia_dtype dtype, beside;
  } forms[] = {{GLIA_F32, GLIA_F32},  {GLIA_F64, GLIA_F64}, {GLIA_BF16, GLIA_BF16},
               {GLIA_BF16, GLIA_F32}, {GLIA_F16, GLIA_F16}, {GLIA_F16, GLIA_F32}};
  for (int d = 0; d < GI_COUNT(forms); d++) {
    op_case c;
    if (forms[d].dtype != forms[d].beside && op->f32_in == 0) continue;
    case_open_beside(&c, op, number, forms[d].dtype, forms[d].beside);
    for (int b = 0; b < GI_COUNT(backends); b++)
      for (const gi_kernel *const *const *list = backends[b]->kernels; *list != NULL; list++)
        for (const gi_kernel *const *kernel = *list; *kernel != NULL; kernel++) {
          if (!gi_kernel_is_for(*kernel, op)) continue;
          for (int v = 0; v < GI_COUNT(variants); v++)
            for (int choice = 0; try_kernel(*kernel, choice, &c, &variants[v]); choice++)
              tried++;
        }
    case_close(&c);
  }
}

static void test_kernels_agree_with_the_reference(void **state) {
  (void)state;
  each_sample(check_kernels);
  print_message("%d runs of kernels compared\n", tried);
  assert_true(tried > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_are_complete),
      cmocka_unit_test(test_bad_samples_are_refused_by_name),
      cmocka_unit_test(test_kernels_agree_with_the_reference),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
