/* passes.c - the pipeline: which passes run, in which order. */
#include "compile/compile.h"

const gi_pass *const gi_passes[] = {
  &gi_pass_simplify, /* first: the others see fewer nodes */
  &gi_pass_fuse_ops, /* bias and activation go into convolutions and products... */
  &gi_pass_fuse,     /* ...before what is left of the elementwise ops is grouped */
  &gi_pass_layout,   /* last: it puts in the reorders that the chosen kernels want */
  NULL,
};

bool gi_listed(const char *list, const char *name) {
  const size_t n = strlen(name);
  for (const char *p = list; p != NULL && *p != '\0';) {
    const size_t len = strcspn(p, ",");
    if ((len == n && memcmp(p, name, n) == 0) || (len == 3 && memcmp(p, "all", 3) == 0))
      return true;
    p += len + (p[len] == ',');
  }
  return false;
}

static void dump(const glia_graph *g, const char *list, const char *name, gi_str *text) {
  if (text == NULL || !gi_listed(list, name)) return;
  gi_str_printf(text, "---- %s\n", name);
  gi_graph_print(g, text);
}

glia_status gi_run_passes(const glia_graph *g, const gi_target *target, const char *skip,
                          const char *list, gi_str *text, glia_graph **out) {
  glia_graph *mine = NULL; /* the result of the last pass that ran */
  dump(g, list, "grad", text);
  for (int i = 0; gi_passes[i] != NULL; i++) {
    const gi_pass *pass = gi_passes[i];
    glia_graph *next = NULL;
    if (gi_listed(skip, pass->name)) continue;
    glia_status s = glia_graph_new(&next);
    if (s == GLIA_OK) s = pass->run(mine != NULL ? mine : g, next, target);
    glia_graph_free(mine);
    mine = next;
    if (s != GLIA_OK) {
      glia_graph_free(mine);
      return gi_where(s, "pass %s", pass->name);
    }
    dump(mine, list, pass->name, text);
  }
  if (mine == NULL) { /* all were skipped: the plan still wants a graph of its own */
    gi_rewrite r;
    GI_TRY(glia_graph_new(&mine));
    glia_status s = gi_rewrite_begin(&r, g, mine, target);
    for (uint32_t k = 0; s == GLIA_OK && k < g->nodes.n; k++)
      if (r.live[k]) s = gi_rewrite_copy(&r, k);
    s = gi_rewrite_end(&r, s);
    if (s != GLIA_OK) {
      glia_graph_free(mine);
      return s;
    }
  }
  *out = mine;
  return GLIA_OK;
}
