/* test_changed_samples.c - every good sample of every op with one thing wrong: an input of
 * another rank, with an axis longer, shorter, empty or too large to address, or of another
 * dtype; an attribute that is a number and becomes another.
 *
 * The op must refuse it and say its name, or take it; what it takes must run on the reference
 * and on the best backend, to a result or to a failure that is said, without reading or writing
 * anything else (which a build with the sanitizers sees).
 */
#include "cases.h"

enum { MOST_BYTES = 1 << 20 }; /* of what is run */

static int refused, ran;
static char attr_bytes[1024]; /* the attributes, one of them changed */

/* What passes alone put in, knowing what they do, is no op that anybody asks for. */
static bool is_asked_for(const gi_op *op) {
  return op != &gi_op_reorder && op != &gi_op_again && !(op->flags & GI_SOURCE);
}

static bool is_small(const glia_value *v, int n) {
  for (int i = 0; i < n; i++) {
    if (gi_null(v[i])) continue;
    const gi_type t = gi_value_type(v[i]);
    if (gi_type_bytes(&t) > MOST_BYTES) return false;
  }
  return true;
}

/* Runs what was taken: any status will do, so long as it comes back. */
static void run_on(const op_case *c, glia_graph *g, const char *backend) {
  glia_plan *p = NULL;
  glia_tensor *hold[GI_SAMPLE_IN] = {NULL};
  const glia_status compiled =
      glia_compile(g, &p, .backend = backend, .threads = 2, .deterministic = true);
  if (compiled == GLIA_OK) {
    case_bind(c, p, hold);
    const glia_status s = glia_plan_run(p);
    if (s != GLIA_OK && glia_error_message()[0] == '\0')
      fail_msg("%s: fails and does not say why", case_name(c));
    ran++;
  }
  glia_plan_free(p);
  for (int i = 0; i < c->n_in; i++) glia_tensor_free(hold[i]);
}

static void fill_inputs(op_case *c) {
  for (int i = 0; i < c->n_in; i++) {
    const gi_rng r = {gi_hash_str(c->op->name, 1), (uint64_t)i, 9};
    c->in[i] = new_buf(&c->in_type[i]);
    for (int64_t e = 0; e < gi_type_count(&c->in_type[i]); e++)
      gi_put(&c->in[i], e,
             draw(&r, e, c->in_type[i].dtype, c->sample->in[i].low, c->sample->in[i].high));
  }
}

/* The case as it is now. */
static void attempt(op_case *c, const void *attr, const char *what) {
  glia_graph *g = NULL;
  glia_value in[GI_SAMPLE_IN], out[GI_MAX_OUT] = {{NULL, 0}};
  OK(glia_graph_new(&g));
  case_inputs(c, g, in);
  if (glia_graph_status(g) == GLIA_OK) {
    gi_emit(g, c->op, attr, in, c->n_in, out);
    if (glia_graph_status(g) != GLIA_OK) {
      if (strstr(glia_error_message(), c->op->name) == NULL)
        fail_msg("%s, %s: the message does not name the op: %s", case_name(c), what,
                 glia_error_message());
      refused++;
    } else if (is_small(in, c->n_in) && is_small(out, GI_MAX_OUT)) {
      for (int k = 0; k < GI_MAX_OUT; k++) {
        const char name[] = {'y', (char)('0' + k), '\0'};
        if (!gi_null(out[k])) glia_output(name, out[k]);
      }
      fill_inputs(c);
      run_on(c, g, "ref");
      run_on(c, g, NULL);
      for (int i = 0; i < c->n_in; i++) gi_free_aligned(c->in[i].p);
    }
  }
  glia_graph_free(g);
}

/* ---- types ------------------------------------------------------------------------------- */

static bool is_wide_and_empty(const gi_type *t) {
  bool wide = false, empty = false;
  for (int d = 0; d < t->rank; d++) {
    wide = wide || t->dim[d] > MOST_BYTES;
    empty = empty || t->dim[d] == 0;
  }
  return wide && empty;
}

static void try_dimension(op_case *c, int i, int d) {
  const int64_t was = c->in_type[i].dim[d],
                others[] = {was + 1, was - 1, 0, 2 * was, INT64_C(1) << 40, INT64_MAX};
  for (int k = 0; k < GI_COUNT(others); k++) {
    if (others[k] < 0 || others[k] == was) continue;
    c->in_type[i].dim[d] = others[k];
    if (is_wide_and_empty(&c->in_type[i]))
      continue; /* so many rows of nothing take their time */
    attempt(c, c->sample->attr, "another size of an axis");
  }
  c->in_type[i].dim[d] = was;
}

static void try_types(op_case *c) {
  static const glia_dtype dtypes[] = {GLIA_BOOL, GLIA_I32, GLIA_I64, GLIA_U8,
                                      GLIA_BF16, GLIA_F16, GLIA_F64, GLIA_F32};
  for (int i = 0; i < c->n_in; i++) {
    gi_type *t = &c->in_type[i];
    const gi_type was = *t;
    for (int d = 0; d < was.rank; d++) try_dimension(c, i, d);
    if (was.rank > 0) {
      t->rank--;
      attempt(c, c->sample->attr, "an axis less");
      *t = was;
    }
    if (was.rank < GLIA_MAX_RANK) {
      t->dim[t->rank++] = 2;
      attempt(c, c->sample->attr, "an axis more");
      *t = was;
    }
    for (int k = 0; k < GI_COUNT(dtypes); k++) {
      if (dtypes[k] == was.dtype) continue;
      t->dtype = dtypes[k];
      attempt(c, c->sample->attr, "another dtype");
      *t = was;
    }
  }
}

static void try_inputs(op_case *c) {
  const int was = c->n_in;
  c->n_in = was - 1;
  if (was > 1) attempt(c, c->sample->attr, "an input less");
  c->n_in = was + 1;
  if (was < GI_SAMPLE_IN) {
    c->in_type[was] = c->in_type[was > 0 ? was - 1 : 0];
    attempt(c, c->sample->attr, "an input more");
  }
  c->n_in = was;
}

/* ---- attributes -------------------------------------------------------------------------- */

static void try_whole(op_case *c, int64_t *at, const char *name) {
  const int64_t was = *at, near = llabs(was / 2) > INT64_MAX / 4 ? 0 : was,
                others[] = {near + 1, near - 1, 0, -1, -near, 7, INT64_C(1) << 40};
  for (int k = 0; k < GI_COUNT(others); k++) {
    *at = others[k];
    if (others[k] != was) attempt(c, attr_bytes, name);
  }
  *at = was;
}

static void try_number(op_case *c, double *at, const char *name) {
  static const double others[] = {0, -1, 1, 1e300, (double)NAN, (double)INFINITY};
  const double was = *at;
  for (int k = 0; k < GI_COUNT(others); k++) {
    *at = others[k];
    attempt(c, attr_bytes, name);
  }
  *at = was;
}

static void try_attribute(op_case *c, const gi_attr *a) {
  char *at = attr_bytes + a->offset;
  gi_dims *dims = (gi_dims *)(void *)at;
  switch (a->kind) {
    case GI_ATTR_I64: try_whole(c, (int64_t *)(void *)at, a->name); break;
    case GI_ATTR_F64: try_number(c, (double *)(void *)at, a->name); break;
    case GI_ATTR_BOOL:
      *(bool *)at = !*(bool *)at;
      attempt(c, attr_bytes, a->name);
      *(bool *)at = !*(bool *)at;
      break;
    case GI_ATTR_DIMS:
      for (int i = 0; i < dims->n; i++) try_whole(c, &dims->at[i], a->name);
      if (dims->n > 0) {
        dims->n--;
        attempt(c, attr_bytes, a->name);
        dims->n++;
      }
      break;
    case GI_ATTR_NAME: {
      const char **name = (const char **)(void *)at, *was = *name;
      *name = "nonsense";
      attempt(c, attr_bytes, a->name);
      *name = was;
      break;
    }
    default: break; /* types, literals and programs are made by builders alone */
  }
}

static void check_sample(const gi_op *op, int number) {
  op_case c = {.op = op,
               .sample = &op->samples[number],
               .number = number,
               .dtype = GLIA_F32,
               .beside = GLIA_F32};
  if (!is_asked_for(op)) return;
  case_types(&c);
  for (int i = 0; i < c.n_in; i++)
    if (gi_type_count(&c.in_type[i]) > 2000) return;
  try_types(&c);
  try_inputs(&c);
  if (op->attr_size > sizeof attr_bytes) fail_msg("%s: large attributes", op->name);
  if (op->attr_size > 0) memcpy(attr_bytes, c.sample->attr, op->attr_size);
  for (const gi_attr *a = op->attrs; a != NULL && a->name != NULL; a++) try_attribute(&c, a);
}

static void test_one_thing_wrong(void **state) {
  (void)state;
  each_sample(check_sample);
  print_message("%d refused, %d runs of what was taken\n", refused, ran);
  assert_true(refused > 10000 && ran > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_thing_wrong),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
