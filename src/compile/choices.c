/* choices.c - what was chosen for a graph, kept in a file, so that a training that goes on
 * after it was stopped computes with the same kernels, to the same bits, whatever would be
 * chosen now.
 *
 *     {"format": 1, "graphs": {"<hash>": "conv_direct 0, elementwise_vector 1, ..."}}
 *
 * The hash is that of the graph's text and of the backend's setup. Of each node that has
 * several offers stand, in the order of the nodes, the kernel and the number of its layouts.
 * The file is on disk before the plan takes its first step.
 */
#include "base/json.h"
#include "compile/offers.h"

enum { FORMAT = 1, BYTES = 64 << 20 };

static glia_status name_graph(const gi_offers *o, const gi_target *target, char name[24]) {
  gi_str text = {0};
  gi_graph_print(o->g, &text);
  gi_setup_text(target->backend, target->threads, &text);
  if (!text.failed)
    snprintf(name, 24, "%016llx", (unsigned long long)gi_hash(text.s, text.n, 0));
  const glia_status s = text.failed ? gi_fail_nomem(text.n) : GLIA_OK;
  gi_str_free(&text);
  return s;
}

/* ---- reading ----------------------------------------------------------------------------- */

static glia_status read_file(const char *path, gi_json **out) {
  char *text = NULL;
  size_t n = 0;
  *out = NULL;
  if (!gi_exists(path)) return GLIA_OK;
  GI_TRY(gi_read_file(path, BYTES, &text, &n));
  glia_status s = gi_json_parse(text, n, path, out);
  gi_free(text);
  if (s == GLIA_OK && (gi_json_int(gi_json_get(*out, "format"), 0) != FORMAT ||
                       gi_json_type(gi_json_get(*out, "graphs")) != GI_JSON_OBJECT)) {
    gi_json_free(*out);
    *out = NULL;
    s = gi_fail(GLIA_FORMAT, "%s: is no list of kernels", path);
  }
  return s == GLIA_FORMAT
             ? gi_fail(s,
                       "%s; hint: without this file kernels are chosen anew, and a training "
                       "goes on with other roundings",
                       glia_error_message())
             : s;
}

/* The number of the offer that the text at *at names, past which *at is moved; -1: none. */
static int named_offer(const gi_node_offers *offers, const char **at) {
  char want[96];
  for (int i = 0; i < offers->n; i++) {
    const int n =
        snprintf(want, sizeof want, "%s %d", offers->at[i].kernel->name, offers->at[i].choice);
    if (n < 0 || (size_t)n >= sizeof want || strncmp(*at, want, (size_t)n) != 0) continue;
    if ((*at)[n] != '\0' && strncmp(*at + n, ", ", 2) != 0) continue;
    *at += n + ((*at)[n] != '\0' ? 2 : 0);
    return i;
  }
  return -1;
}

bool gi_choices_parse(const gi_offers *o, const char *text, int *pick) {
  for (size_t k = 0; k < o->g->nodes.n; k++) {
    pick[k] = 0;
    if (o->node[k].n > 1 && (pick[k] = named_offer(&o->node[k], &text)) < 0) return false;
  }
  return *text == '\0';
}

glia_status gi_choices_read(const gi_offers *o, const gi_target *target, int *pick,
                            bool *found) {
  gi_json *j = NULL;
  char name[24];
  *found = false;
  if (target->choices == NULL) return GLIA_OK;
  GI_TRY(name_graph(o, target, name));
  GI_TRY(read_file(target->choices, &j));
  const char *text = gi_json_str(gi_json_get(gi_json_get(j, "graphs"), name), NULL);
  if (text != NULL) *found = gi_choices_parse(o, text, pick);
  gi_json_free(j);
  return GLIA_OK;
}

/* ---- writing ----------------------------------------------------------------------------- */

typedef struct copying {
  gi_json *to;
  const char *but; /* the graph that is written anew */
} copying;

static bool copy_graph(const char *name, const gi_json *value, void *user) {
  const copying *c = user;
  if (strcmp(name, c->but) != 0) gi_json_set_str(c->to, name, gi_json_str(value, ""));
  return true;
}

void gi_choices_print(const gi_offers *o, const int *pick, gi_str *out) {
  const char *between = "";
  gi_str_puts(out, "");
  for (size_t k = 0; k < o->g->nodes.n; k++) {
    if (o->node[k].n < 2) continue;
    const gi_offer *offer = &o->node[k].at[pick[k]];
    gi_str_printf(out, "%s%s %d", between, offer->kernel->name, offer->choice);
    between = ", ";
  }
}

static char *file_text(const gi_offers *o, const int *pick, const gi_json *before,
                       const char *name) {
  gi_str list = {0};
  gi_choices_print(o, pick, &list);
  gi_json *j = gi_json_object(), *graphs = gi_json_object();
  gi_json_set_int(j, "format", FORMAT);
  gi_json_each(gi_json_get(before, "graphs"), copy_graph, &(copying){graphs, name});
  gi_json_set_str(graphs, name, list.s);
  gi_json_set(j, "graphs", graphs);
  char *text = list.failed ? NULL : gi_json_text(j, 1);
  gi_json_free(j);
  gi_str_free(&list);
  return text;
}

glia_status gi_choices_write(const gi_offers *o, const gi_target *target, const int *pick) {
  gi_json *before = NULL;
  char name[24];
  if (target->choices == NULL) return GLIA_OK;
  GI_TRY(name_graph(o, target, name));
  GI_TRY(read_file(target->choices, &before));
  char *text = file_text(o, pick, before, name);
  gi_json_free(before);
  if (text == NULL) return gi_fail_nomem(1);
  const glia_status s = gi_write_file(target->choices, text, strlen(text));
  gi_free(text);
  return s;
}
