/* 13 - a small transformer learns a nursery rhyme letter by letter, and goes on from a prompt.
 *
 * A letter is a token. The network (GPT-2's, by the keys of a config.json) reads 112 letters
 * and gives scores for the letter behind each; the loss says how surprised it is by the real
 * one: at first log 128 = 4.9. Then it goes on by itself: the letter with the highest score is
 * put behind the text, again and again. Keys and values of earlier letters stay in a cache, so
 * that a step works on one letter alone.
 *
 *   > This is the cat that killed the rat
 */
#include "example.h"

enum { BATCH = 8, LETTERS = 112, STEPS = 400, ROOM = 256 };
static const char config[] =
    "{\"model_type\": \"gpt2\", \"vocab_size\": 128, \"n_embd\": 64, \"n_layer\": 2,"
    " \"n_head\": 4, \"n_positions\": 256}";
static const char *const lines[] = {
    "the house that Jack built.\n", "the malt that lay in ", "the rat that ate ",
    "the cat that killed ",         "the dog that worried ", "the cow that tossed ",
    "the maiden that milked "};
enum { VERSES = sizeof lines / sizeof lines[0] };

/* On windows of the rhyme, LETTERS and the one behind, at places that move on. */
static double train(const glia_transformer *model, glia_store *store, const char *text) {
  const int64_t shape[] = {BATCH, LETTERS + 1}, flat[] = {BATCH * LETTERS, 128};
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  glia_tensor *x = NULL;
  OK(glia_graph_new(&g));
  OK(glia_tensor_new(GLIA_I64, 2, shape, &x));
  glia_scope *s = glia_scope_new(g, store, NULL); /* not .train: a rhyme is learned by heart */
  glia_value in = glia_input(g, "x", GLIA_I64, 2, shape);
  glia_value scores = glia_transformer_apply(s, model, glia_slice(in, 1, 0, LETTERS, 1));
  glia_value next = glia_reshape(glia_slice(in, 1, 1, LETTERS + 1, 1), 1, flat);
  glia_value loss = glia_cross_entropy_loss(glia_reshape(scores, 2, flat), next);
  glia_minimize(s, glia_output("loss", loss), &glia_adam(.lr = 1e-3), .clip_norm = 1);
  OK(glia_compile(g, &plan));
  OK(glia_plan_bind(plan, "x", x));
  for (int step = 0; step < STEPS; step++) {
    for (int i = 0; i < BATCH * (LETTERS + 1); i++) {
      const int from = (step * 7919 + i / (LETTERS + 1) * 6007) % ((int)strlen(text) - LETTERS);
      glia_tensor_set(x, i, text[from + i % (LETTERS + 1)]);
    }
    OK(glia_plan_run(plan));
  }
  const double last = glia_tensor_get(glia_plan_output(plan, "loss"), 0);
  printf("loss after %d steps: %.3f\n", STEPS, last);
  glia_plan_free(plan);
  glia_tensor_free(x);
  glia_graph_free(g);
  return last;
}

static void go_on(const glia_transformer *model, glia_store *store, const char *prompt) {
  const int64_t one[] = {1, 1};
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  glia_tensor *x = NULL, *place = NULL;
  OK(glia_graph_new(&g));
  OK(glia_tensor_new(GLIA_I64, 2, one, &x));
  OK(glia_tensor_new(GLIA_I64, 0, NULL, &place));
  glia_value in = glia_input(g, "x", GLIA_I64, 2, one),
             at = glia_input(g, "place", GLIA_I64, 0, NULL);
  glia_value scores = glia_transformer_apply(glia_scope_new(g, store, NULL), model, in,
                                             .cache = ROOM, .place = at);
  glia_output("letter", glia_argmax(scores, -1, false));
  OK(glia_compile(g, &plan));
  OK(glia_plan_bind(plan, "x", x));
  OK(glia_plan_bind(plan, "place", place));
  for (int i = 0, c = prompt[0]; i < ROOM && c != '\n'; i++) {
    putchar(c);
    glia_tensor_set(x, 0, c);
    glia_tensor_set(place, 0, i);
    OK(glia_plan_run(plan));
    c = i + 1 < (int)strlen(prompt) ? prompt[i + 1]
                                    : (int)glia_tensor_get(glia_plan_output(plan, "letter"), 0);
  }
  printf("\n");
  glia_plan_free(plan);
  glia_tensor_free(x);
  glia_tensor_free(place);
  glia_graph_free(g);
}

int main(void) {
  static char text[4096];
  glia_transformer *model = NULL;
  glia_store *store = NULL;
  for (int verse = 0; verse < VERSES; verse++) { /* the one before, with a line more in front */
    strcat(text, "This is ");
    for (int k = verse; k >= 0; k--) strcat(text, lines[k]);
  }
  OK(glia_transformer_parse(config, NULL, "config", &model));
  OK(glia_store_new(&store));
  CLAIM(train(model, store, text) < 0.3);
  go_on(model, store, "This is the cat");
  glia_transformer_free(model);
  glia_store_free(store);
}
