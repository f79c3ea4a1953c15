/* net.c - networks as text: lines of layers, read by the layers' own schemas. */
#include "glia/models.h"

#include <ctype.h>

#include "nn/layer.h"

enum { MAX_WORDS = 32, MAX_LAYERS = 10000, MAX_BYTES = 16 << 20 };

typedef struct line {
  const gi_layer *layer;
  const char *name;
  void *opts; /* the layer's options struct */
  int number; /* in the file */
} line;

struct glia_net {
  gi_arena arena;
  const char *what;
  char *text;
  gi_str whole; /* the text in the making, with what its files hold in their names' places */
  GI_VEC(line) lines;
};

/* ---- reading ----------------------------------------------------------------------------- */

static glia_status unknown_layer(const glia_net *net, int number, const char *word) {
  const char *names[256];
  int n = 0;
  for (; n < 200 && gi_layer_at(n) != NULL; n++) names[n] = gi_layer_at(n)->name;
  for (int i = 0; gi_activation_names[i] != NULL && n < 256; i++)
    names[n++] = gi_activation_names[i];
  const int near = gi_nearest(word, names, n);
  return gi_fail(GLIA_MODEL, "%s:%d: no layer is called \"%s\"%s%s%s", net->what, number, word,
                 near >= 0 ? "; did you mean \"" : "", near >= 0 ? names[near] : "",
                 near >= 0 ? "\"?" : "");
}

static bool is_activation(const char *word) {
  for (int i = 0; gi_activation_names[i] != NULL; i++)
    if (strcmp(gi_activation_names[i], word) == 0) return true;
  return false;
}

static const line *named(const glia_net *net, const char *name) {
  for (size_t i = 0; i < net->lines.n; i++)
    if (strcmp(net->lines.at[i].name, name) == 0) return &net->lines.at[i];
  return NULL;
}

/* conv2d_1, conv2d_2, ...: counted by kind; names that are taken are passed over. */
static const char *automatic_name(glia_net *net, const gi_layer *layer) {
  char name[128];
  int n = 1;
  for (size_t i = 0; i < net->lines.n; i++) n += net->lines.at[i].layer == layer;
  do snprintf(name, sizeof name, "%s_%d", layer->name, n++);
  while (named(net, name) != NULL);
  return gi_arena_strdup(&net->arena, name);
}

static glia_status check_name(const glia_net *net, int number, const char *name) {
  if (name[0] == '\0')
    return gi_fail(GLIA_MODEL, "%s:%d: the name is empty", net->what, number);
  for (const char *c = name; *c != '\0'; c++)
    if (!isalnum((unsigned char)*c) && strchr("_-.", *c) == NULL)
      return gi_fail(GLIA_MODEL, "%s:%d: name \"%s\": wanted letters, digits, '_', '-' and '.'",
                     net->what, number, name);
  const line *taken = named(net, name);
  return taken == NULL ? GLIA_OK
                       : gi_fail(GLIA_MODEL, "%s:%d: name \"%s\" is that of line %d already",
                                 net->what, number, name, taken->number);
}

/* Takes name=... out of the words; NULL if there is none. */
static const char *take_name(char **words, int *n) {
  for (int i = 0; i < *n; i++) {
    if (strncmp(words[i], "name=", 5) != 0) continue;
    const char *name = words[i] + 5;
    for (int k = i; k + 1 < *n; k++) words[k] = words[k + 1];
    (*n)--;
    return name;
  }
  return NULL;
}

/* The line of a layer whose options were packed, written anew from them. */
static void write_line(glia_net *net, const line *l, bool named) {
  gi_str_puts(&net->whole, l->layer->name);
  gi_fields_text(l->layer->fields, l->opts, &net->whole);
  gi_str_printf(&net->whole, named ? " name=%s\n" : "\n", l->name);
}

static glia_status add_line(glia_net *net, int number, char **words, int n) {
  line l = {.layer = gi_layer_find(words[0]), .number = number};
  char who[300], *again[MAX_WORDS + 1];
  if (l.layer == NULL && is_activation(words[0])) { /* "relu" is "activation relu" */
    l.layer = gi_layer_find("activation");
    memcpy(again, words, (size_t)n * sizeof *words);
    for (int i = n; i > 0; i--) again[i] = again[i - 1];
    words = again;
    n++;
  }
  if (l.layer == NULL) return unknown_layer(net, number, words[0]);
  if (net->lines.n == MAX_LAYERS)
    return gi_fail(GLIA_MODEL, "%s:%d: more than %d layers", net->what, number, MAX_LAYERS);
  const char *name = strcmp(l.layer->name, "activation") == 0 ? NULL : take_name(words, &n);
  l.name = name != NULL ? gi_arena_strdup(&net->arena, name) : automatic_name(net, l.layer);
  l.opts = gi_arena_alloc(&net->arena, l.layer->opts_size);
  if (l.name == NULL || l.opts == NULL) return gi_fail_nomem(l.layer->opts_size);
  GI_TRY(check_name(net, number, l.name));
  memcpy(l.opts, &l.layer->opts_size, sizeof l.layer->opts_size);
  snprintf(who, sizeof who, "%s:%d: %s", net->what, number, l.layer->name);
  GI_TRY(gi_fields_parse(l.layer->fields, who, words + 1, n - 1, l.opts));
  if (l.layer->pack != NULL) {
    GI_TRY(gi_where(l.layer->pack(&net->arena, l.opts), "%s", who));
    write_line(net, &l, name != NULL);
  }
  return gi_vec_push(&net->lines, l) ? GLIA_OK : gi_fail_nomem(sizeof l);
}

static glia_status parse_line(glia_net *net, char *text, int number) {
  char *words[MAX_WORDS], *save = NULL;
  int n = 0;
  text[strcspn(text, "#")] = '\0';
  for (char *w = strtok_r(text, " \t\r\f\v", &save); w != NULL;
       w = strtok_r(NULL, " \t\r\f\v", &save)) {
    if (n == MAX_WORDS)
      return gi_fail(GLIA_MODEL, "%s:%d: more than %d words", net->what, number, MAX_WORDS);
    words[n++] = w;
  }
  return n == 0 ? GLIA_OK : add_line(net, number, words, n);
}

static glia_status parse(glia_net *net, const char *text) {
  if (strlen(text) > MAX_BYTES)
    return gi_fail(GLIA_MODEL, "%s: larger than %d bytes, which no network is", net->what,
                   MAX_BYTES);
  char *copy = gi_arena_strdup(&net->arena, text);
  if (copy == NULL) return gi_fail_nomem(strlen(text));
  int number = 1;
  for (char *p = copy; p != NULL; number++) {
    char *end = strchr(p, '\n');
    if (end != NULL) *end = '\0';
    const size_t before = net->whole.n;
    char *given = gi_arena_strdup(&net->arena, p);
    if (given == NULL) return gi_fail_nomem(strlen(p));
    GI_TRY(parse_line(net, p, number));
    if (net->whole.n == before) /* not written by its layer */
      gi_str_printf(&net->whole, end != NULL ? "%s\n" : "%s", given);
    p = end != NULL ? end + 1 : NULL;
  }
  if ((net->text = gi_str_take(&net->whole)) == NULL) return gi_fail_nomem(strlen(text));
  if (net->lines.n == 0)
    return gi_fail(GLIA_MODEL,
                   "%s: has no layers; hint: one layer a line, such as \"dense 10\"",
                   net->what);
  return GLIA_OK;
}

glia_status glia_net_parse(const char *text, const char *what, glia_net **out) {
  glia_net *net = gi_alloc(sizeof *net);
  if (net == NULL) return gi_fail_nomem(sizeof *net);
  net->what = gi_arena_strdup(&net->arena, what);
  const glia_status s = net->what == NULL ? gi_fail_nomem(strlen(what)) : parse(net, text);
  if (s != GLIA_OK) {
    glia_net_free(net);
    return s;
  }
  *out = net;
  return GLIA_OK;
}

glia_status glia_net_read(const char *path, glia_net **out) {
  char *text = NULL;
  size_t n = 0;
  GI_TRY(gi_read_file(path, MAX_BYTES, &text, &n));
  glia_status s = GLIA_OK;
  if (memchr(text, '\0', n) != NULL)
    s = gi_fail(GLIA_MODEL, "%s: is no text; wanted one layer a line", path);
  if (s == GLIA_OK) s = glia_net_parse(text, path, out);
  gi_free(text);
  return s;
}

void glia_net_free(glia_net *net) {
  if (net == NULL) return;
  gi_vec_free(&net->lines);
  gi_str_free(&net->whole);
  gi_free(net->text);
  gi_arena_free(&net->arena);
  gi_free(net);
}

const char *glia_net_text(const glia_net *net) { return net->text; }
int glia_net_layers(const glia_net *net) { return (int)net->lines.n; }

/* ---- applying ---------------------------------------------------------------------------- */

glia_value glia_net_apply(glia_scope *s, glia_value x, void *user) {
  const glia_net *net = user;
  for (size_t i = 0; i < net->lines.n && !gi_null(x); i++) {
    const line *l = &net->lines.at[i];
    glia_graph *g = x.graph;
    if (g->status != GLIA_OK) return GLIA_NONE;
    x = l->layer->build(s, l->name, x, l->opts);
    if (g->status == GLIA_OK) continue;
    gi_latched_where(g, "%s:%d", net->what, l->number);
    return GLIA_NONE;
  }
  return x;
}
