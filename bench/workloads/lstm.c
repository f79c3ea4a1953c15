/* lstm.c - language models of LSTM layers: the sizes of AWD-LSTM (arXiv:1708.02182) without its
 * dropout, and a small one. Each step begins with the states that the last one ended with.
 * Words [T + 1, N]: each of the first T is to tell the next. Names are the peer's.
 */
#include "graph/store.h"
#include "workload.h"

enum { WORDS = 10000, MOST_LAYERS = 3 };

typedef struct language_model {
  int64_t vector;             /* numbers of a word's vector */
  int64_t units[MOST_LAYERS]; /* of each layer; 0 ends them */
  bool tied;                  /* words are told by their vectors */
} language_model;

/* A state that is kept from step to step: no parameter, nothing that the peer has a name for.
 */
static glia_value kept(glia_scope *s, const char *name, int64_t batch, int64_t units) {
  const gi_type t = {.dtype = GLIA_F32, .rank = 3, .dim = {1, batch, units}};
  glia_graph *g = glia_scope_graph(s);
  gi_entry *e = NULL;
  if (gi_store_add(g->store, name, GLIA_STATE, &t, &e) != GLIA_OK) return GLIA_NONE;
  return gi_variable(g, name);
}

static glia_value layer(glia_scope *s, int i, glia_value x, int64_t units) {
  char name[8], h_name[16], c_name[16];
  const int64_t batch = glia_value_dim(x, 1);
  snprintf(name, sizeof name, "%d", i);
  snprintf(h_name, sizeof h_name, "state.h%d", i);
  snprintf(c_name, sizeof c_name, "state.c%d", i);
  glia_value h, c;
  const glia_value h0 = kept(s, h_name, batch, units), c0 = kept(s, c_name, batch, units);
  x = glia_lstm(s, name, x, .units = units, .h0 = h0, .c0 = c0, .final_h = &h, .final_c = &c);
  glia_assign(h0, h);
  glia_assign(c0, c);
  return x;
}

static void step(glia_scope *s, glia_value words, const language_model *m,
                 const glia_optimizer *optimizer, double clip) {
  const int64_t steps = glia_value_dim(words, 0) - 1;
  const int64_t table[] = {WORDS, m->vector}, one[] = {WORDS}, flat[] = {-1};
  const glia_init normal = {.kind = GLIA_INIT_NORMAL, .b = 1};
  const glia_value vectors =
      glia_parameter(glia_scope_in(s, "emb"), "weight", 2, table, normal);
  glia_value x = glia_gather(vectors, glia_slice(words, 0, 0, steps, 1), 0), scores;
  int64_t units = m->vector;
  for (int i = 0; i < MOST_LAYERS && m->units[i] > 0; i++)
    x = layer(glia_scope_in(s, "rnn"), i, x, units = m->units[i]);
  x = glia_reshape(x, 2, (const int64_t[]){-1, units});
  if (m->tied)
    scores = glia_add(
        glia_matmul(x, vectors, .transpose_b = true),
        glia_parameter(glia_scope_in(s, "out"), "bias", 1, one, (glia_init){.fan_in = units}));
  else
    scores = glia_dense(s, "out", x, .units = WORDS);
  const glia_value next = glia_reshape(glia_slice(words, 0, 1, steps + 1, 1), 1, flat);
  const glia_value loss = glia_output("loss", glia_cross_entropy_loss(scores, next));
  glia_minimize(s, loss, optimizer, .clip_norm = clip);
}

static void step_awd(glia_scope *s, glia_value words) {
  const language_model m = {400, {1152, 1152, 400}, true};
  step(s, words, &m, &glia_sgd(.lr = 1), 0.25);
}
static void step_small(glia_scope *s, glia_value words) {
  const language_model m = {128, {256}, false};
  step(s, words, &m, &glia_adam(.lr = 1e-3), 0);
}

static const workload awd = {.name = "lstm_awd",
                             .peer = "lstm_awd",
                             .settings = "--avx512",
                             .target = {1.35, 1.35},
                             .step = step_awd,
                             .optimizer = "sgd",
                             .tokens = WORDS,
                             .rank = 1,
                             .shape = {20},
                             .batch = 71,
                             .batches = 4};
static const workload awd_bf16 = {.name = "lstm_awd_bf16",
                                  .peer = "lstm_awd",
                                  .settings = "--avx512",
                                  .target = {1.3, 1.3},
                                  .step = step_awd,
                                  .optimizer = "sgd",
                                  .precision = GLIA_BF16,
                                  .tokens = WORDS,
                                  .rank = 1,
                                  .shape = {20},
                                  .batch = 71,
                                  .batches = 4};
static const workload small = {.name = "lstm_small",
                               .peer = "lstm_small",
                               .settings = "--avx512",
                               .target = {1.2, 1.2},
                               .step = step_small,
                               .optimizer = "adam",
                               .tokens = WORDS,
                               .rank = 1,
                               .shape = {32},
                               .batch = 65,
                               .batches = 4};

const workload *const gi_workloads_lstm[] = {&awd, &awd_bf16, &small, NULL};
