/* test_bad_data.c - data that an op cannot take: indices, letters, lengths and places that are
 * out of range are told when the plan runs, with the layer, the first bad one and where it
 * stands; nothing is read or written by them (which a build with the address sanitizer sees).
 *
 * Each row is built with its indices as an input, so that nothing is known beforehand, as i64
 * and i32, on every backend, and twice: as its result alone, and as its gradient alone, where
 * it has one, since the forward part may then be dead. With good indices the same plan runs.
 */
#include "test.h"

#include "glia/glia.h"
#include "graph/graph.h"
#include "ops/attrs.h"

enum { MOST = 6 };

typedef struct problem {
  glia_value x, i; /* floats; indices */
} problem;

/* ---- rows -------------------------------------------------------------------------------- */

static glia_value constant(glia_value like, int rank, const int64_t *shape) {
  return glia_broadcast_to(glia_scalar_like(like, 0.5), rank, shape);
}
#define FILLED(like, ...)                                                   \
  constant(like, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), \
           (const int64_t[]){__VA_ARGS__})

static glia_value gather(const problem *p) { return glia_gather(p->x, p->i, 0); }
static glia_value gather_columns(const problem *p) { return glia_gather(p->x, p->i, 1); }
static glia_value scatter_add(const problem *p) { return glia_scatter_add(p->x, p->i, 0, 5); }
static glia_value take_along(const problem *p) { return glia_take_along(p->x, p->i, 0); }
static glia_value put_along(const problem *p) { return glia_put_along(p->x, p->i, 0, 5); }
static glia_value gather_nd(const problem *p) { return glia_gather_nd(p->x, p->i); }
static glia_value one_hot(const problem *p) { return glia_one_hot(p->i, 4, GLIA_F32); }
static glia_value ravel(const problem *p) {
  return glia_ravel_index(p->i, (const int64_t[]){4, 3}, 2);
}
static glia_value scatter(const problem *p, glia_scatter_mode mode) {
  return glia_scatter(p->x, p->i, glia_neg(p->x), 0, mode);
}
static glia_value scatter_set(const problem *p) { return scatter(p, GLIA_SCATTER_SET); }
static glia_value scatter_sum(const problem *p) { return scatter(p, GLIA_SCATTER_ADD); }
static glia_value scatter_mul(const problem *p) { return scatter(p, GLIA_SCATTER_MUL); }
static glia_value scatter_max(const problem *p) { return scatter(p, GLIA_SCATTER_MAX); }
static glia_value scatter_mean(const problem *p) { return scatter(p, GLIA_SCATTER_MEAN); }
static glia_value scatter_nd(const problem *p) {
  return glia_scatter_nd(p->x, p->i, FILLED(p->x, 2), GLIA_SCATTER_ADD);
}
static glia_value index_put(const problem *p) {
  return glia_index_put(p->x, p->i, FILLED(p->x, 3, 3), 0, GLIA_SCATTER_SET);
}
static glia_value unpool(const problem *p) {
  return glia_max_unpool(p->x, p->i, 1, (const int64_t[]){5});
}
static glia_value embedding(const problem *p) { return glia_embedding_with(p->x, p->i, NULL); }
static glia_value embedding_padded(const problem *p) {
  return glia_embedding_with(
      p->x, p->i,
      &(glia_lookup_opts){
          .size = sizeof(glia_lookup_opts), .padded = true, .by_frequency = true});
}
static glia_value bag(const problem *p) { return glia_embedding_bag_with(p->x, p->i, NULL); }
static glia_value offsets(const problem *p) {
  const glia_value index =
      glia_constant(p->x.graph, GLIA_I64, 1, (const int64_t[]){3}, (const int64_t[]){1, 0, 3});
  return glia_embedding_bag_with(
      p->x, index, &(glia_bag_opts){.size = sizeof(glia_bag_opts), .offsets = p->i});
}
static glia_value cross_entropy(const problem *p) {
  return glia_cross_entropy_loss(p->x, p->i);
}
static glia_value smoothed(const problem *p) {
  return glia_cross_entropy_loss(p->x, p->i, .label_smoothing = 0.1);
}
static glia_value ignoring(const problem *p) {
  return glia_cross_entropy_loss(p->x, p->i, .ignore = true, .ignore_index = -7);
}
static glia_value nll(const problem *p) { return glia_nll_loss(p->x, p->i); }
static glia_value multi_margin(const problem *p) {
  return glia_multi_margin_loss(p->x, p->i, 1);
}

static glia_value whole(const problem *p, int64_t n) {
  return glia_constant(p->x.graph, GLIA_I64, 1, (const int64_t[]){1}, &n);
}
static glia_value letters(const problem *p) {
  return glia_ctc_loss(glia_log_softmax(p->x, 2), p->i, whole(p, 4), whole(p, 2));
}
static glia_value written(const problem *p) { /* the letters 1 2 */
  return glia_constant(p->x.graph, GLIA_I64, 2, (const int64_t[]){1, 2},
                       (const int64_t[]){1, 2});
}
static glia_value times(const problem *p) {
  return glia_ctc_loss(glia_log_softmax(p->x, 2), written(p), p->i, whole(p, 2));
}
static glia_value targets(const problem *p) {
  return glia_ctc_loss(glia_log_softmax(p->x, 2), written(p), whole(p, 4), p->i);
}

static glia_value recurrent(const problem *p, int64_t gates) {
  const int64_t units = glia_value_dim(p->x, 2) / gates;
  const glia_value u = FILLED(p->x, gates * units, units), h = FILLED(p->x, 2, units);
  const glia_recurrence_opts o = {.size = sizeof o, .lengths = p->i};
  return gates == 1   ? glia_rnn_with(p->x, u, h, &o, NULL)
         : gates == 3 ? glia_gru_with(p->x, u, h, &o, NULL)
                      : glia_lstm_with(p->x, u, h, h, &o, NULL, NULL);
}
static glia_value rnn(const problem *p) { return recurrent(p, 1); }
static glia_value gru(const problem *p) { return recurrent(p, 3); }
static glia_value lstm(const problem *p) { return recurrent(p, 4); }
static glia_value write_at(const problem *p) {
  return glia_write_at(p->x, FILLED(p->x, 2, 3), p->i, 0);
}

typedef struct row {
  const char *name;
  glia_value (*build)(const problem *p);
  int rank;
  int64_t shape[3]; /* of x */
  int index_rank;
  int64_t index_shape[2];
  int64_t good[MOST], bad[MOST];
  const char *says; /* in the message */
} row;

/* clang-format off */
static const row rows[] = {
    {"gather", gather, 2, {4, 3}, 1, {3}, {0, 3, 1}, {0, 9, -7},
     "index 9 at position 1 is not in 0 .. 3"},
    {"gather columns", gather_columns, 2, {4, 3}, 1, {3}, {0, 2, 1}, {0, 1, -1},
     "index -1 at position 2"},
    {"scatter_add", scatter_add, 2, {3, 2}, 1, {3}, {0, 4, 0}, {5, 6, 0},
     "index 5 at position 0"},
    {"take_along", take_along, 2, {4, 3}, 2, {2, 3}, {0, 3, 1, 1, 2, 0}, {0, 3, 1, 1, 2, 4},
     "index 4 at position 5"},
    {"put_along", put_along, 2, {2, 3}, 2, {2, 3}, {0, 3, 1, 1, 2, 4}, {0, 3, 1, 1, 2, 5},
     "index 5 at position 5"},
    {"gather_nd", gather_nd, 2, {4, 3}, 2, {2, 2}, {0, 2, 3, 1}, {0, 2, 3, 3},
     "index 3 at position 1"},
    {"one_hot", one_hot, 1, {3}, 1, {3}, {0, 2, 3}, {0, 2, 4}, "4"},
    {"ravel_index", ravel, 1, {3}, 2, {2, 2}, {0, 2, 3, 1}, {0, 2, 4, 1},
     "index 4 at position 1"},
    {"scatter set", scatter_set, 1, {4}, 1, {3}, {0, 2, 3}, {0, 2, 4}, "index 4 at position 2"},
    {"scatter add", scatter_sum, 1, {4}, 1, {3}, {0, 2, 2}, {0, -2, 2},
     "index -2 at position 1"},
    {"scatter mul", scatter_mul, 1, {4}, 1, {3}, {0, 2, 2}, {7, 2, 2},
     "index 7 at position 0"},
    {"scatter max", scatter_max, 1, {4}, 1, {3}, {0, 2, 2}, {0, 2, 4}, "index 4 at position 2"},
    {"scatter mean", scatter_mean, 1, {4}, 1, {3}, {0, 2, 2}, {0, 2, 4},
     "index 4 at position 2"},
    {"scatter_nd", scatter_nd, 2, {4, 3}, 2, {2, 2}, {0, 2, 3, 1}, {0, 2, -1, 1},
     "index -1 at position 1"},
    {"index_put", index_put, 2, {4, 3}, 1, {3}, {0, 3, 1}, {0, 3, 4},
     "index 4 at position 6"}, /* of the index spread over the entries' 3 columns */
    {"max_unpool", unpool, 2, {1, 3}, 2, {1, 3}, {0, 4, 2}, {0, 5, 2}, "index 5 at position 1"},
    {"embedding", embedding, 2, {4, 3}, 1, {3}, {0, 3, 1}, {0, 4, -1}, "index 4 at position 1"},
    {"embedding padded", embedding_padded, 2, {4, 3}, 1, {3}, {0, 3, 1}, {0, 3, 4},
     "index 4 at position 2"},
    {"embedding_bag", bag, 2, {4, 3}, 2, {1, 3}, {0, 3, 1}, {0, 3, 4}, "index 4 at position 2"},
    {"embedding_bag offsets", offsets, 2, {4, 3}, 1, {2}, {0, 2}, {0, 9}, "index 9 at position 1"},
    {"cross_entropy", cross_entropy, 2, {3, 4}, 1, {3}, {0, 3, 1}, {0, 4, -1},
     "target 1 is 4, wanted 0 to 3"},
    {"cross_entropy smoothed", smoothed, 2, {3, 4}, 1, {3}, {0, 3, 1}, {0, 3, -1}, "-1"},
    {"cross_entropy ignoring", ignoring, 2, {3, 4}, 1, {3}, {0, -7, 1}, {-7, -8, 1}, "-8"},
    {"nll", nll, 2, {3, 4}, 1, {3}, {0, 3, 1}, {0, 3, 4}, "index 4 at position 2"},
    {"multi_margin", multi_margin, 2, {3, 4}, 1, {3}, {0, 3, 1}, {0, 3, 4}, "4"},
    {"ctc letters", letters, 3, {4, 1, 3}, 2, {1, 2}, {1, 2}, {1, 3},
     "letter 1 of target 0 is 3"},
    {"ctc times", times, 3, {4, 1, 3}, 1, {1}, {4}, {5}, "input length 0 is 5, wanted 0 to 4"},
    {"ctc targets", targets, 3, {4, 1, 3}, 1, {1}, {2}, {3},
     "target length 0 is 3, wanted 0 to 2"},
    {"rnn", rnn, 3, {3, 2, 2}, 1, {2}, {0, 3}, {1, 4},
     "length of sequence 1 is 4, wanted 0 to 3"},
    {"gru", gru, 3, {3, 2, 6}, 1, {2}, {0, 3}, {-1, 4}, "length of sequence 0 is -1"},
    {"lstm", lstm, 3, {3, 2, 8}, 1, {2}, {0, 3}, {1, 4},
     "length of sequence 1 is 4, wanted 0 to 3"},
    {"write_at", write_at, 2, {4, 3}, 0, {0}, {2}, {3},
     "2 elements at place 3 of an axis of 4"},
};
/* clang-format on */

/* ---- one row ----------------------------------------------------------------------------- */

typedef struct setting {
  glia_dtype index;
  const char *backend;
  bool gradient; /* alone, else the result */
} setting;

static glia_tensor *tensor_of(glia_dtype dtype, int rank, const int64_t *shape,
                              const int64_t *values) {
  glia_tensor *t = NULL;
  OK(glia_tensor_new(dtype, rank, shape, &t));
  for (int64_t k = 0; k < glia_tensor_count(t); k++)
    glia_tensor_set(t, k, values != NULL ? (double)values[k] : 0.25 * (double)(k % 7) - 0.5);
  return t;
}

/* The gradient in x does not look at the indices: what is added elsewhere changes nothing. */
static bool is_blind(const row *r) { return r->build == scatter_sum || r->build == scatter_nd; }

/* False: there is no gradient. */
static bool build(const row *r, const setting *s, glia_graph *g) {
  glia_value dx;
  const problem p = {glia_input(g, "x", GLIA_F32, r->rank, r->shape),
                     glia_input(g, "i", s->index, r->index_rank, r->index_shape)};
  gi_set_path(g, "net.layer");
  const glia_value y = r->build(&p);
  if (s->gradient && is_blind(r)) return false;
  if (!gi_null(y) && s->gradient) {
    const glia_value floats = glia_cast(y, GLIA_F32);
    if (glia_grad(glia_sum(glia_mul(floats, glia_full_like(floats, 3))), &p.x, 1, &dx) ==
        GLIA_MODEL)
      return false;
    glia_output("out", dx);
  } else {
    glia_output("out", y);
  }
  gi_set_path(g, "");
  OK(glia_graph_status(g));
  return true;
}

static void run_row(const row *r, const setting *s, glia_plan *p) {
  const int64_t *sets[] = {r->good, r->bad, r->good};
  glia_tensor *x = tensor_of(GLIA_F32, r->rank, r->shape, NULL);
  OK(glia_plan_bind(p, "x", x));
  for (int k = 0; k < GI_COUNT(sets); k++) {
    glia_tensor *i = tensor_of(s->index, r->index_rank, r->index_shape, sets[k]);
    OK(glia_plan_bind(p, "i", i));
    const glia_status status = glia_plan_run(p);
    const char *said = glia_error_message();
    if (k != 1 && status != GLIA_OK) fail_msg("%s: good indices: %s", r->name, said);
    if (k == 1 && status != GLIA_INVALID) fail_msg("%s: bad indices are taken", r->name);
    if (k == 1 && (strstr(said, r->says) == NULL || strncmp(said, "net.layer: ", 11) != 0))
      fail_msg("%s%s on %s: wanted \"net.layer: ... %s\", got \"%s\"", r->name,
               s->gradient ? "'s gradient" : "", s->backend != NULL ? s->backend : "the best",
               r->says, said);
    glia_tensor_free(i);
  }
  glia_tensor_free(x);
}

static bool check_row(const row *r, const setting *s) {
  glia_graph *g = NULL;
  glia_plan *p = NULL;
  OK(glia_graph_new(&g));
  const bool there = build(r, s, g);
  if (there) {
    OK(glia_compile(g, &p, .backend = s->backend));
    run_row(r, s, p);
  }
  glia_plan_free(p);
  glia_graph_free(g);
  return there;
}

static void test_out_of_range(void **state) {
  static const char *const backends[] = {"ref", NULL};
  static const glia_dtype types[] = {GLIA_I64, GLIA_I32};
  int gradients = 0;
  (void)state;
  for (int k = 0; k < GI_COUNT(rows); k++)
    for (int n = 0; n < 8; n++) {
      const setting s = {types[n & 1], backends[n >> 1 & 1], n >= 4};
      gradients += check_row(&rows[k], &s) && s.gradient;
    }
  print_message("%d rows, %d plans of gradients\n", (int)GI_COUNT(rows), gradients);
  assert_int_equal(gradients, 4 * (GI_COUNT(rows) - 4)); /* but one_hot, ravel_index, blind */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_out_of_range),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
