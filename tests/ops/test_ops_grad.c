/* test_ops_grad.c - the gradients of the op table, in f64.
 *
 * The loss is sum_k <c_k, y_k + y_k^2 / 2> over the float outputs y_k with random cotangents
 * c_k, so that second derivatives exist for linear ops too. Its gradient as the graph has it
 * is compared with central differences of the reference, element by element and along random
 * directions. Kinks are met with probability zero, since inputs are drawn at random.
 */
#include "cases.h"

#include "compile/plan.h"

enum { ELEMENTS = 12, DIRECTIONS = 2 }; /* compared for each input and each case */
enum { LARGE = 300 }; /* elements: of second derivatives only the first sample is larger */

/* ---- the loss, in double ------------------------------------------------------------- */

static double cotangent(const op_case *c, int k, int64_t e) {
  const gi_rng r = {77, (uint64_t)k, (uint64_t)c->number};
  return 2 * gi_rng_uniform(&r, (uint64_t)e) - 1;
}

static bool counts(const op_case *c, int k) {
  return glia_dtype_is_float(c->out_type[k].dtype);
}

static double loss_of(op_case *c) {
  double loss = 0;
  OK(case_reference(c, c->in, c->out));
  for (int k = 0; k < c->n_out; k++) {
    const int64_t count = counts(c, k) ? gi_type_count(&c->out_type[k]) : 0;
    for (int64_t e = 0; e < count; e++) {
      const double y = gi_get(&c->out[k], e);
      loss += cotangent(c, k, e) * (y + y * y / 2);
    }
  }
  return loss;
}

/* ---- the same as a graph ------------------------------------------------------------- */

static glia_value loss_value(const op_case *c, glia_graph *g, const glia_value *in) {
  glia_value out[GI_MAX_OUT], loss = GLIA_NONE;
  gi_emit(g, c->op, c->sample->attr, in, c->n_in, out);
  OK(glia_graph_status(g));
  for (int k = 0; k < c->n_out; k++) {
    if (!counts(c, k)) continue;
    const gi_type *t = &c->out_type[k];
    gi_buf weights = new_buf(t);
    const int64_t count = gi_type_count(t);
    for (int64_t e = 0; e < count; e++) gi_put(&weights, e, cotangent(c, k, e));
    const glia_value w = glia_constant(g, t->dtype, t->rank, t->dim, weights.p);
    const glia_value y =
        glia_add(out[k], glia_mul(glia_square(out[k]), glia_scalar_like(w, 0.5)));
    const glia_value part = glia_sum(glia_mul(w, y));
    loss = gi_null(loss) ? part : glia_add(loss, part);
    gi_free_aligned(weights.p);
  }
  OK(glia_graph_status(g));
  return loss;
}

static bool differentiable(const op_case *c, int i) {
  return glia_dtype_is_float(c->in_type[i].dtype);
}

/* d loss / d x. What the graph says is not there (through a comparison, say) must be zero. */
static glia_value gradient(glia_value loss, glia_value x) {
  glia_value d = GLIA_NONE;
  const glia_status s = glia_grad(loss, &x, 1, &d);
  if (s == GLIA_MODEL) return glia_full_like(x, 0);
  OK(s);
  return d;
}

static glia_plan *compiled(glia_graph *g) {
  glia_plan *p = NULL;
  OK(glia_compile(g, &p, .backend = "ref"));
  glia_plan_clock(p, case_clock.seed, case_clock.step);
  return p;
}

static void run(glia_plan *p) {
  glia_plan_clock(p, case_clock.seed, case_clock.step);
  OK(glia_plan_run(p));
}

/* ---- first derivatives --------------------------------------------------------------- */

static void expect_slope(double slope, double difference, const op_case *c, const char *what) {
  const double room = 1e-6 * (1 + fabs(slope) + fabs(difference));
  if (!(fabs(slope - difference) <= room))
    fail_msg("%s: %s is %.12g, central differences say %.12g", case_name(c), what, slope,
             difference);
}

static double step_of(double x) { return 1e-6 * fmax(1, fabs(x)); }

static void check_elements(op_case *c, int i, const gi_buf *grad) {
  const int64_t count = gi_type_count(&c->in_type[i]);
  const gi_rng pick = {3, (uint64_t)i, (uint64_t)c->number};
  for (int64_t n = 0; n < GI_MIN(count, ELEMENTS); n++) {
    const int64_t e =
        count <= ELEMENTS ? n : (int64_t)gi_rng_below(&pick, (uint64_t)n, (uint64_t)count);
    const double x = gi_get(&c->in[i], e), h = step_of(x);
    char what[64];
    gi_put(&c->in[i], e, x + h);
    const double above = loss_of(c);
    gi_put(&c->in[i], e, x - h);
    const double below = loss_of(c);
    gi_put(&c->in[i], e, x);
    snprintf(what, sizeof what, "d loss / d input %d [%lld]", i, (long long)e);
    expect_slope(gi_get(grad, e), (above - below) / (2 * h), c, what);
  }
}

/* Moves all float inputs by h along direction `number`; returns <grads, direction>. */
static double move(const op_case *c, const gi_buf *grads, int number, double h) {
  double slope = 0;
  for (int i = 0; i < c->n_in; i++) {
    if (!differentiable(c, i)) continue;
    const gi_rng r = {11, (uint64_t)i, (uint64_t)number};
    const int64_t count = gi_type_count(&c->in_type[i]);
    for (int64_t e = 0; e < count; e++) {
      const double d = 2 * gi_rng_uniform(&r, (uint64_t)e) - 1;
      gi_put(&c->in[i], e, gi_get(&c->in[i], e) + h * d);
      slope += gi_get(&grads[i], e) * d;
    }
  }
  return slope;
}

static void check_directions(op_case *c, const gi_buf *grads) {
  const double h = 1e-6;
  for (int n = 0; n < DIRECTIONS; n++) {
    const double slope = move(c, grads, n, h);
    const double above = loss_of(c);
    move(c, grads, n, -2 * h);
    const double below = loss_of(c);
    move(c, grads, n, h);
    const double room = 1e-5 * (1 + fabs(slope)), difference = (above - below) / (2 * h);
    if (!(fabs(slope - difference) <= room))
      fail_msg("%s: the slope along direction %d is %.12g, central differences say %.12g",
               case_name(c), n, slope, difference);
  }
}

static int first_derivatives, second_derivatives;

static void check_gradient(const gi_op *op, int number) {
  op_case c;
  glia_graph *g = NULL;
  glia_value in[GI_SAMPLE_IN], grads[GI_SAMPLE_IN];
  gi_buf got[GI_SAMPLE_IN];
  glia_tensor *hold[GI_SAMPLE_IN] = {NULL};
  bool any = false;
  if (op->no_grad != NULL) return;
  case_open(&c, op, number, GLIA_F64);
  OK(glia_graph_new(&g));
  case_inputs(&c, g, in);
  const glia_value loss = loss_value(&c, g, in);
  for (int i = 0; i < c.n_in; i++) {
    const char name[] = {'d', (char)('0' + i), '\0'};
    if (!differentiable(&c, i)) continue;
    glia_output(name, grads[i] = gradient(loss, in[i]));
    any = true;
  }
  if (any) {
    glia_plan *p = compiled(g);
    case_bind(&c, p, hold);
    run(p);
    for (int i = 0; i < c.n_in; i++) {
      const char name[] = {'d', (char)('0' + i), '\0'};
      if (!differentiable(&c, i)) continue;
      got[i] = output_buf(p, name);
      if (!gi_type_equal(&got[i].t, &c.in_type[i]))
        fail_msg("%s: the gradient of input %d has another type", case_name(&c), i);
      check_elements(&c, i, &got[i]);
      first_derivatives++;
    }
    check_directions(&c, got);
    glia_plan_free(p);
  }
  for (int i = 0; i < c.n_in; i++) glia_tensor_free(hold[i]);
  glia_graph_free(g);
  case_close(&c);
}

static void test_gradients_against_differences(void **state) {
  (void)state;
  each_sample(check_gradient);
  print_message("%d gradients compared\n", first_derivatives);
  assert_true(first_derivatives > 1000);
}

/* ---- second derivatives -------------------------------------------------------------- */

/* s = sum_i <v_i, d loss / d x_i>, its own gradient against differences of s. */
static glia_value contracted(const op_case *c, glia_graph *g, const glia_value *grads) {
  glia_value s = GLIA_NONE;
  for (int i = 0; i < c->n_in; i++) {
    if (!differentiable(c, i)) continue;
    gi_buf v = new_buf(&c->in_type[i]);
    const gi_rng r = {21, (uint64_t)i, 0};
    const int64_t count = gi_type_count(&v.t);
    for (int64_t e = 0; e < count; e++) gi_put(&v, e, 2 * gi_rng_uniform(&r, (uint64_t)e) - 1);
    const glia_value w = glia_constant(g, v.t.dtype, v.t.rank, v.t.dim, v.p);
    const glia_value part = glia_sum(glia_mul(w, grads[i]));
    s = gi_null(s) ? part : glia_add(s, part);
    gi_free_aligned(v.p);
  }
  return s;
}

static double rerun(glia_plan *p) {
  run(p);
  return glia_tensor_get(glia_plan_output(p, "s"), 0);
}

static void compare_second(const op_case *c, glia_plan *p, int i, const gi_buf *grad) {
  const int64_t count = gi_type_count(&c->in_type[i]);
  for (int64_t e = 0; e < GI_MIN(count, ELEMENTS); e++) {
    const double x = gi_get(&c->in[i], e), h = step_of(x);
    char what[64];
    gi_put(&c->in[i], e, x + h);
    const double above = rerun(p);
    gi_put(&c->in[i], e, x - h);
    const double below = rerun(p);
    gi_put(&c->in[i], e, x);
    snprintf(what, sizeof what, "second derivative of input %d [%lld]", i, (long long)e);
    expect_slope(grad == NULL ? 0 : gi_get(grad, e), (above - below) / (2 * h), c, what);
  }
}

/* Elements of all inputs. */
static int64_t size_of(const op_case *c) {
  int64_t n = 0;
  for (int i = 0; i < c->n_in; i++) n += gi_type_count(&c->in_type[i]);
  return n;
}

/* Of every sample but the large ones. A derivative that the graph says is not there must be
 * zero. */
static void check_second(const gi_op *op, int number) {
  op_case c;
  glia_graph *g = NULL;
  glia_value in[GI_SAMPLE_IN], grads[GI_SAMPLE_IN], second[GI_SAMPLE_IN] = {{NULL, 0}};
  glia_tensor *hold[GI_SAMPLE_IN] = {NULL};
  if (op->no_grad != NULL) return;
  case_open(&c, op, number, GLIA_F64);
  if (number != 0 && size_of(&c) > LARGE) {
    case_close(&c);
    return;
  }
  OK(glia_graph_new(&g));
  case_inputs(&c, g, in);
  const glia_value loss = loss_value(&c, g, in);
  for (int i = 0; i < c.n_in; i++)
    if (differentiable(&c, i)) grads[i] = gradient(loss, in[i]);
  const glia_value s = contracted(&c, g, grads);
  glia_output("s", s);
  for (int i = 0; i < c.n_in; i++) {
    const char name[] = {'h', (char)('0' + i), '\0'};
    if (!differentiable(&c, i)) continue;
    const glia_status status = glia_grad(s, &in[i], 1, &second[i]);
    if (status == GLIA_MODEL)
      second[i] = GLIA_NONE;
    else
      OK(status);
    if (!gi_null(second[i])) glia_output(name, second[i]);
  }
  glia_plan *p = compiled(g);
  case_bind(&c, p, hold);
  for (int i = 0; i < c.n_in; i++) {
    const char name[] = {'h', (char)('0' + i), '\0'};
    if (!differentiable(&c, i)) continue;
    run(p);
    gi_buf copy = new_buf(&c.in_type[i]);
    if (!gi_null(second[i])) memcpy(copy.p, output_buf(p, name).p, gi_type_bytes(&copy.t));
    compare_second(&c, p, i, &copy);
    gi_free_aligned(copy.p);
    second_derivatives++;
  }
  glia_plan_free(p);
  for (int i = 0; i < c.n_in; i++) glia_tensor_free(hold[i]);
  glia_graph_free(g);
  case_close(&c);
}

static void test_second_derivatives_against_differences(void **state) {
  (void)state;
  each_sample(check_second);
  print_message("%d second derivatives compared\n", second_derivatives);
  assert_true(second_derivatives > 800);
}

/* ---- lowerings ----------------------------------------------------------------------- */

static bool holds(const glia_plan *p, const gi_op *op) {
  for (size_t k = 0; k < p->graph->nodes.n; k++)
    if (p->graph->nodes.at[k]->op == op) return true;
  return false;
}

/* Values of the lowering, with no pass and with all of them; where the op has a pattern, the
 * passes must put the op back. */
static void lower_as(const op_case *c, const char *skip, bool fused) {
  glia_graph *g = NULL;
  glia_value in[GI_SAMPLE_IN], out[GI_MAX_OUT];
  glia_tensor *hold[GI_SAMPLE_IN] = {NULL};
  glia_plan *p = NULL;
  OK(glia_graph_new(&g));
  case_inputs(c, g, in);
  gi_lower l = {g, c->n_in, in, c->sample->attr, out};
  OK(c->op->lower(&l));
  for (int k = 0; k < c->n_out; k++) {
    const char name[] = {'y', (char)('0' + k), '\0'};
    glia_output(name, out[k]);
  }
  OK(glia_compile(g, &p, .backend = "ref", .skip = skip));
  case_bind(c, p, hold);
  run(p);
  for (int k = 0; k < c->n_out; k++) {
    const char name[] = {'y', (char)('0' + k), '\0'};
    char where[192];
    const gi_buf got = output_buf(p, name);
    snprintf(where, sizeof where, "%s lowered, output %d", case_name(c), k);
    if (!gi_type_equal(&got.t, &c->out_type[k])) fail_msg("%s has another type", where);
    expect_close(&got, &c->out[k], c->dtype == GLIA_F64 ? 1e-12 : 1e-5, 1e-3, where);
  }
  if (fused && !holds(p, c->op)) fail_msg("%s: its pattern was not found", case_name(c));
  glia_plan_free(p);
  for (int i = 0; i < c->n_in; i++) glia_tensor_free(hold[i]);
  glia_graph_free(g);
}

/* conv2d_act without an activation is conv2d, which is no pattern. */
static bool has_pattern(const op_case *c) {
  if (c->op->match == NULL) return false;
  return c->op != &gi_op_conv2d_act ||
         ((const gi_conv_attr *)c->sample->attr)->activation[0] != '\0';
}

static int lowered;

static void check_lowering(const gi_op *op, int number) {
  if (op->lower == NULL) return;
  for (int d = 0; d < 2; d++) {
    op_case c;
    case_open(&c, op, number, d == 0 ? GLIA_F64 : GLIA_F32);
    lower_as(&c, "all", false);
    lower_as(&c, NULL, has_pattern(&c));
    case_close(&c);
    lowered++;
  }
}

static void test_lowerings_give_the_same(void **state) {
  (void)state;
  each_sample(check_lowering);
  print_message("%d lowerings compared\n", lowered);
  assert_true(lowered > 40);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gradients_against_differences),
      cmocka_unit_test(test_second_derivatives_against_differences),
      cmocka_unit_test(test_lowerings_give_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
