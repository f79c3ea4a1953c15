/* tests/golden_graph.h - golden files as graphs: the frame of all programs that compare ops,
 * layers and losses with PyTorch's, and their main.
 *
 * A program has a golden_suite: a folder of tests/golden and a function that checks one file of
 * it. Its tests, in f64 by the reference and in f32 by the best backend, are GOLDEN_TESTS.
 */
#ifndef GI_TEST_GOLDEN_GRAPH_H
#define GI_TEST_GOLDEN_GRAPH_H

#include "golden_tensors.h"

#include "glia/glia.h"
#include "graph/graph.h"

enum { GOLDEN_INPUTS = 32, GOLDEN_NAME = 64 };

typedef struct golden_case {
  const char *name; /* "layers/conv2d_3": a file */
  glia_dtype dtype; /* of floats */
  const char *backend;
  double tolerance;
} golden_case;

typedef struct golden_suite {
  const char *folder;
  int least; /* cases there are, or more */
  double f64, f32;
  int (*check)(const golden_case *c); /* a file: how many cases it holds */
} golden_suite;

typedef struct golden_graph { /* a file, or one case of it */
  golden file;
  const golden_case *c;
  glia_graph *g;
  glia_plan *plan;
  int n; /* tensors of the file that are inputs */
  char names[GOLDEN_INPUTS][GOLDEN_NAME];
  glia_value values[GOLDEN_INPUTS];
  glia_tensor *tensors[GOLDEN_INPUTS];
} golden_graph;

/* Free with golden_graph_close. */
static inline golden_graph golden_graph_open(const golden_case *c) {
  golden_graph m = {.file = golden_open(c->name), .c = c};
  OK(glia_graph_new(&m.g));
  return m;
}

static inline void golden_graph_close(golden_graph *m) {
  glia_plan_free(m->plan);
  for (int i = 0; i < m->n; i++) glia_tensor_free(m->tensors[i]);
  glia_graph_free(m->g);
  golden_close(&m->file);
}

/* Floats as the dtype that is tested; indices stay. Owned. */
static inline glia_tensor *golden_tensor_as(const golden *file, const char *name,
                                            glia_dtype dtype) {
  glia_tensor *t = golden_tensor(file, name), *cast = NULL;
  if (!glia_dtype_is_float(glia_tensor_dtype(t))) return t;
  OK(glia_tensor_cast(t, dtype, &cast));
  glia_tensor_free(t);
  return cast;
}

/* The tensor of that name as an input of the graph; GLIA_NONE: the file has none. */
static inline glia_value golden_input(golden_graph *m, const char *name) {
  for (int i = 0; i < m->n; i++)
    if (strcmp(m->names[i], name) == 0) return m->values[i];
  if (!golden_has(&m->file, name)) return GLIA_NONE;
  assert_true(m->n < GOLDEN_INPUTS);
  glia_tensor *t = golden_tensor_as(&m->file, name, m->c->dtype);
  const int i = m->n++;
  snprintf(m->names[i], sizeof m->names[i], "%s", name);
  m->tensors[i] = t;
  m->values[i] = glia_input(m->g, m->names[i], glia_tensor_dtype(t), glia_tensor_rank(t),
                            glia_tensor_shape(t));
  return m->values[i];
}

/* "input.0", "input.1"... as far as there are some; how many. */
static inline int golden_inputs(golden_graph *m, int most, glia_value *out) {
  char name[GOLDEN_NAME];
  for (int i = 0; i < most; i++) {
    snprintf(name, sizeof name, "input.%d", i);
    if (!golden_has(&m->file, name)) return i;
    out[i] = golden_input(m, name);
  }
  return most;
}

/* <output, the cotangent of that name>, a scalar; without one the output itself. */
static inline glia_value golden_total(const golden_graph *m, glia_value output,
                                      const char *name) {
  if (!golden_has(&m->file, name)) return output;
  glia_tensor *t = golden_tensor_as(&m->file, name, m->c->dtype);
  const glia_value cotangent = glia_constant(m->g, m->c->dtype, glia_tensor_rank(t),
                                             glia_tensor_shape(t), glia_tensor_data(t));
  glia_tensor_free(t);
  return glia_sum(glia_mul(output, cotangent));
}

/* Outputs "grad.<name>" for all inputs whose gradient the file has, but for the one called
 * `without` (NULL: for none); how many. */
static inline int golden_gradients(const golden_graph *m, glia_value total,
                                   const char *without) {
  int grads = 0;
  for (int i = 0; i < m->n; i++) {
    char name[GOLDEN_NAME + 8];
    glia_value d;
    snprintf(name, sizeof name, "grad.%s", m->names[i]);
    if (!golden_has(&m->file, name)) continue;
    if (without != NULL && strcmp(m->names[i], without) == 0) continue;
    OK(glia_grad(total, &m->values[i], 1, &d));
    glia_output(name, d);
    grads++;
  }
  return grads;
}

static inline void golden_run(golden_graph *m) {
  OK(glia_graph_status(m->g));
  OK(glia_compile(m->g, &m->plan, .backend = m->c->backend));
  for (int i = 0; i < m->n; i++) OK(glia_plan_bind(m->plan, m->names[i], m->tensors[i]));
  OK(glia_plan_run(m->plan));
}

/* Every output of the graph that the file has; there is one at least. */
static inline void golden_compare(const golden_graph *m, double tolerance) {
  int compared = 0;
  for (size_t i = 0; i < m->g->roots.n; i++) {
    const char *name = m->g->roots.at[i].name;
    if (name == NULL || !golden_has(&m->file, name)) continue;
    assert_golden(glia_plan_output(m->plan, name), &m->file, name, tolerance, m->c->name);
    compared++;
  }
  assert_true(compared > 0);
}

/* ---- all files of a folder --------------------------------------------------------------- */

typedef struct golden_round {
  const golden_suite *suite;
  golden_case c;
  int cases;
} golden_round;

static inline void golden_next(const char *name, void *user) {
  golden_round *r = user;
  r->c.name = name;
  r->cases += r->suite->check(&r->c);
}

static inline void golden_all(const golden_suite *s, glia_dtype dtype, const char *backend,
                              double tolerance) {
  golden_round r = {.suite = s, .c = {NULL, dtype, backend, tolerance}};
  golden_each(s->folder, golden_next, &r);
  print_message("%d cases\n", r.cases);
  assert_true(r.cases >= s->least);
}

static inline void golden_reference_in_f64(void **state) {
  const golden_suite *s = *state;
  golden_all(s, GLIA_F64, "ref", s->f64);
}
static inline void golden_best_backend_in_f32(void **state) {
  const golden_suite *s = *state;
  golden_all(s, GLIA_F32, NULL, s->f32);
}

/* Rows of a table of tests; `suite` is a variable. */
#define GOLDEN_TESTS(suite)                                     \
  cmocka_unit_test_prestate(golden_reference_in_f64, &(suite)), \
      cmocka_unit_test_prestate(golden_best_backend_in_f32, &(suite))

/* The main of a program that has no other tests. */
#define GOLDEN_MAIN(suite)                                   \
  int main(void) {                                           \
    const struct CMUnitTest tests[] = {GOLDEN_TESTS(suite)}; \
    return cmocka_run_group_tests(tests, NULL, NULL);        \
  }

#endif /* GI_TEST_GOLDEN_GRAPH_H */
