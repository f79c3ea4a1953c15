/* passes.c - the pipeline: which passes run, in which order. */
#include "compile/compile.h"

const gi_pass *const gi_passes[] = {
    &gi_pass_simplify,    /* first: the others see fewer nodes */
    &gi_pass_recognise,   /* what is written out, while it stands as it was written */
    &gi_pass_sparse,      /* updates of tables, before their nodes are grouped */
    &gi_pass_shrink,      /* masks and sums behind pooling become smaller */
    &gi_pass_fuse_norm,   /* batch norm and relu while training... */
    &gi_pass_fold_affine, /* batch norm at inference goes into weights and bias... */
    &gi_pass_int8,      /* ...which are quantised as they are then; products stand alone yet */
    &gi_pass_fuse_ops,  /* bias, sums and activation go into convolutions and products */
    &gi_pass_precision, /* the ops are final: what lies between them becomes narrow... */
    &gi_pass_fuse,      /* ...before what is left of the elementwise ops is grouped */
    &gi_pass_layout,    /* last: it puts in the reorders that the chosen kernels want */
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

/* Every name of the list must be that of a pass, "all" or `also`. */
static glia_status check_list(const char *list, const char *option, const char *also) {
  const char *names[32] = {"all", also};
  char word[64];
  int n = also != NULL ? 2 : 1;
  for (int i = 0; gi_passes[i] != NULL && n < GI_COUNT(names); i++)
    names[n++] = gi_passes[i]->name;
  for (const char *p = list; p != NULL && *p != '\0';) {
    const size_t len = strcspn(p, ",");
    bool known = len == 0;
    snprintf(word, sizeof word, "%.*s", (int)GI_MIN(len, sizeof word - 1), p);
    for (int i = 0; i < n; i++) known |= strcmp(names[i], word) == 0;
    const int near = known ? -1 : gi_nearest(word, names, n);
    if (!known)
      return gi_fail(GLIA_INVALID, "%s: there is no pass \"%s\"%s%s%s", option, word,
                     near >= 0 ? "; did you mean \"" : "", near >= 0 ? names[near] : "",
                     near >= 0 ? "\"?" : "");
    p += len + (p[len] == ',');
  }
  return GLIA_OK;
}

static void dump(const glia_graph *g, const char *list, const char *name, gi_str *text) {
  if (text == NULL || !gi_listed(list, name)) return;
  gi_str_printf(text, "---- %s\n", name);
  gi_graph_print(g, text);
}

glia_status gi_run_passes(const glia_graph *g, const gi_target *target, const char *skip,
                          const char *list, gi_str *text, glia_graph **out) {
  glia_graph *mine = NULL; /* the result of the last pass that ran */
  GI_TRY(check_list(skip, "skip", NULL));
  GI_TRY(check_list(list, "dump", "grad"));
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
    GI_TRY(glia_graph_new(&mine));
    const glia_status s = gi_rewrite_live(g, mine, target);
    if (s != GLIA_OK) {
      glia_graph_free(mine);
      return s;
    }
  }
  *out = mine;
  return GLIA_OK;
}
