/* 11 - a network that reads a text letter by letter, and then writes on.
 *
 *   letters [T, N] -> a vector each [T, N, 24] -> lstm, gru or rnn [T, N, units] -> a score for
 *   each letter that may come next
 *
 * Learning and writing are two graphs over one store. The first reads N pieces of T letters at
 * once. The second reads one letter, and keeps the state for the next in buffers of the store.
 *
 * Without an argument it learns a few lines by heart. 11_char_rnn FILE [gru or rnn]
 *
 *   > the next letter is rarely a surprise
 */
#include "example.h"

enum { STEPS = 48, BATCH = 32, VECTOR = 24, WRITTEN = 400, MOST = 1 << 21 };
static char text[MOST] =
    "Shall I compare thee to a summer's day?\nThou art more lovely and more temperate.\n"
    "Rough winds do shake the darling buds of May,\nAnd summer's lease hath all too short a "
    "date.\nSometime too hot the eye of heaven shines,\nAnd often is his gold complexion "
    "dim.\n";
static char kinds[257]; /* the different letters of the text */
static int64_t letters[(STEPS + 1) * BATCH], units = 96, rounds = 250, n_kinds;
static glia_value (*cell)(glia_scope *, const char *, glia_value,
                          const glia_recurrent_opts *) = glia_lstm_opt;

/* letters [T, N] -> scores [T N, n_kinds] */
static glia_value network(glia_scope *s, glia_value x, const glia_recurrent_opts *states) {
  const int64_t table[] = {n_kinds, VECTOR}, rows[] = {-1, units};
  const glia_init normal = {.kind = GLIA_INIT_NORMAL, .b = 1};
  x = glia_gather(glia_parameter(s, "letters", 2, table, normal), x, 0);
  x = glia_reshape(cell(s, "cell", x, states), 2, rows);
  return glia_dense(s, "next", x, .units = n_kinds);
}

static glia_plan *compile(glia_store *store, bool learn) {
  const int64_t shape[] = {learn ? STEPS + 1 : 1, learn ? BATCH : 1}, state[] = {1, 1, units};
  const glia_scope_opts mode = {.size = sizeof mode, .train = learn, .seed = 1};
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  glia_tensor *t = NULL;
  glia_value h, c;
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(g, store, &mode);
  const glia_value x = glia_input(g, "letters", GLIA_I64, 2, shape);
  glia_recurrent_opts o = {.size = sizeof o, .units = units, .final_h = &h, .final_c = &c};
  if (learn) { /* each letter is to be told from those before it */
    const glia_value scores = network(s, glia_slice(x, 0, 0, STEPS, 1), &o);
    const glia_value next = glia_reshape(glia_slice(x, 0, 1, STEPS + 1, 1), 1, (int64_t[]){-1});
    glia_minimize(s, glia_output("loss", glia_cross_entropy_loss(scores, next)),
                  &glia_adam(.lr = 5e-3), .clip_norm = 1);
  } else {
    o.h0 = glia_buffer(s, "h", 3, state, 0);
    if (cell == glia_lstm_opt) o.c0 = glia_buffer(s, "c", 3, state, 0);
    glia_output("chances", glia_softmax(network(s, x, &o), 1));
    glia_assign(o.h0, h);
    if (o.c0.graph != NULL) glia_assign(o.c0, c);
  }
  OK(glia_compile(g, &plan));
  OK(glia_tensor_wrap(GLIA_I64, 2, shape, letters, &t)); /* the memory stays ours */
  OK(glia_plan_bind(plan, "letters", t));
  glia_tensor_free(t);
  glia_graph_free(g);
  return plan;
}

int main(int n, char **argv) {
  FILE *f = n > 1 ? fopen(argv[1], "r") : NULL;
  glia_store *store = NULL;
  double loss = 0;
  if (n > 1) CLAIM(f != NULL && fread(text, 1, MOST - 1, f) > sizeof letters);
  if (n > 1) units = 192, rounds = 1000, fclose(f);
  if (n > 2) cell = argv[2][0] == 'g' ? glia_gru_opt : glia_rnn_opt;
  const int64_t length = (int64_t)strlen(text);
  for (int64_t i = 0; i < length; i++)
    if (strchr(kinds, text[i]) == NULL) kinds[n_kinds++] = text[i];
  OK(glia_store_new(&store));
  glia_plan *plan = compile(store, true), *writer = compile(store, false);
  for (int round = 1; round <= rounds; round++) {
    for (int64_t i = 0; i < BATCH; i++)
      for (int64_t t = 0, from = rand() % (length - STEPS); t <= STEPS; t++)
        letters[t * BATCH + i] = strchr(kinds, text[from + t]) - kinds;
    OK(glia_plan_run(plan));
    loss = glia_tensor_get(glia_plan_output(plan, "loss"), 0);
    if (round % 50 == 0) printf("round %4d  loss %.3f\n", round, loss);
  }
  CLAIM(loss < (n > 1 ? 2 : 0.3));
  printf("the next letter is rarely a surprise; it writes:\n\n");
  letters[0] = strchr(kinds, '\n') - kinds;
  for (int i = 0; i < WRITTEN; i++) { /* each letter as often as its chance says */
    double left = rand() / (RAND_MAX + 1.0);
    OK(glia_plan_run(writer));
    for (letters[0] = -1; left >= 0 && letters[0] < n_kinds - 1;)
      left -= glia_tensor_get(glia_plan_output(writer, "chances"), ++letters[0]);
    putchar(kinds[letters[0]]);
  }
  glia_plan_free(plan);
  glia_plan_free(writer);
  glia_store_free(store);
}
