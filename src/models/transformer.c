/* transformer.c - a config.json, read by the row of its architecture. */
#include <math.h>

#include "models/architecture.h"

struct glia_transformer {
  const gi_architecture *architecture;
  void *config; /* owned */
};

enum { MAX_CONFIG = 1 << 20 };

/* ---- which architecture ------------------------------------------------------------------ */

static const gi_architecture *architecture_at(int i) {
  for (int list = 0; gi_architectures_table[list] != NULL; list++)
    for (int k = 0; gi_architectures_table[list][k] != NULL; k++)
      if (i-- == 0) return gi_architectures_table[list][k];
  return NULL;
}

static const gi_architecture *find(const char *name, const char *type) {
  for (int i = 0; architecture_at(i) != NULL; i++) {
    const gi_architecture *a = architecture_at(i);
    if (name != NULL ? strcmp(a->name, name) == 0 : strcmp(a->type, type) == 0) return a;
  }
  return NULL;
}

static glia_status unknown(const char *name) {
  gi_str known = {0};
  for (int i = 0; architecture_at(i) != NULL; i++)
    gi_str_printf(&known, "%s%s", i > 0 ? ", " : "", architecture_at(i)->name);
  const glia_status s = gi_fail(GLIA_MODEL, "the architecture is \"%s\", wanted one of %s",
                                name, known.s != NULL ? known.s : "those that are known");
  gi_str_free(&known);
  return s;
}

static glia_status choose(const gi_json *j, const char *asked, const gi_architecture **out) {
  const char *name = asked;
  if (name == NULL) name = gi_json_str(gi_json_at(gi_json_get(j, "architectures"), 0), NULL);
  const char *type = gi_json_str(gi_json_get(j, "model_type"), "");
  *out = find(name, type);
  return *out != NULL ? GLIA_OK : unknown(name != NULL ? name : type);
}

/* ---- keys -------------------------------------------------------------------------------- */

static glia_status wrong(const gi_key *k, const char *wanted) {
  return gi_fail(GLIA_MODEL, "%s is no %s", k->name, wanted);
}

static glia_status read_number(const gi_key *k, const gi_json *v, double *out) {
  const gi_json_kind kind = v != NULL ? gi_json_type(v) : GI_JSON_NULL;
  *out = k->number;
  if (kind == GI_JSON_NULL) return GLIA_OK;
  if (k->kind == GI_KEY_BOOL) {
    if (kind != GI_JSON_BOOL) return wrong(k, "flag");
    *out = gi_json_bool(v, false);
    return GLIA_OK;
  }
  if (kind != GI_JSON_INT && (kind != GI_JSON_REAL || k->kind == GI_KEY_INT))
    return wrong(k, k->kind == GI_KEY_INT ? "whole number" : "number");
  *out = gi_json_num(v, 0);
  if (k->min != k->max && !(*out >= k->min && *out <= k->max))
    return gi_fail(GLIA_MODEL, "%s is %g, wanted %g to %g", k->name, *out, k->min, k->max);
  return GLIA_OK;
}

static glia_status read_text(const gi_key *k, const gi_json *v, char *out) {
  const gi_json_kind kind = v != NULL ? gi_json_type(v) : GI_JSON_NULL;
  if (kind != GI_JSON_NULL && kind != GI_JSON_STRING) return wrong(k, "text");
  const char *text = gi_json_str(v, k->text);
  if (strlen(text) >= GI_KEY_TEXT_MAX) return wrong(k, "name that is known");
  memcpy(out, text, strlen(text) + 1);
  return GLIA_OK;
}

static glia_status read_keys(const gi_architecture *a, const gi_json *j, void *config) {
  for (const gi_key *k = a->keys; k->name != NULL; k++) {
    char *at = (char *)config + k->offset;
    const gi_json *v = gi_json_get(j, k->name);
    double number = 0;
    if (k->kind == GI_KEY_TEXT) {
      GI_TRY(read_text(k, v, at));
      continue;
    }
    GI_TRY(read_number(k, v, &number));
    const int64_t whole = (int64_t)number;
    const bool flag = number != 0;
    switch (k->kind) {
      case GI_KEY_INT: memcpy(at, &whole, sizeof whole); break;
      case GI_KEY_NUM: memcpy(at, &number, sizeof number); break;
      default: memcpy(at, &flag, sizeof flag);
    }
  }
  return a->settle != NULL ? a->settle(config, j) : GLIA_OK;
}

/* ---- in public --------------------------------------------------------------------------- */

static glia_status make(const gi_json *j, const char *asked, glia_transformer **out) {
  const gi_architecture *a = NULL;
  if (gi_json_type(j) != GI_JSON_OBJECT)
    return gi_fail(GLIA_MODEL, "a configuration is an object of keys");
  GI_TRY(choose(j, asked, &a));
  glia_transformer *t = gi_alloc(sizeof *t);
  if (t == NULL) return gi_fail_nomem(sizeof *t);
  t->architecture = a;
  t->config = gi_alloc(a->size);
  const glia_status s = t->config == NULL ? gi_fail_nomem(a->size) : read_keys(a, j, t->config);
  if (s == GLIA_OK)
    *out = t;
  else
    glia_transformer_free(t);
  return s;
}

glia_status glia_transformer_parse(const char *text, const char *architecture, const char *what,
                                   glia_transformer **out) {
  gi_json *j = NULL;
  *out = NULL;
  GI_TRY(gi_json_parse(text, strlen(text), what, &j));
  const glia_status s = gi_where(make(j, architecture, out), "%s", what);
  gi_json_free(j);
  return s;
}

glia_status glia_transformer_read(const char *path, glia_transformer **out) {
  char *text = NULL;
  size_t n = 0;
  *out = NULL;
  GI_TRY(gi_read_file(path, MAX_CONFIG, &text, &n));
  const glia_status s = glia_transformer_parse(text, NULL, path, out);
  gi_free(text);
  return s;
}

void glia_transformer_free(glia_transformer *t) {
  if (t == NULL) return;
  gi_free(t->config);
  gi_free(t);
}

const char *glia_transformer_name(const glia_transformer *t) { return t->architecture->name; }

static bool cache_is_good(glia_value tokens, const glia_transformer_opts *o) {
  if (o->cache == 0) return true;
  if (o->cache > 0 && !gi_null(o->place) && glia_value_rank(o->place) == 0) return true;
  gi_latch(tokens.graph, GLIA_INVALID,
           "a cache of %lld tokens: wanted 1 or more, and in `place` how many are in it",
           (long long)o->cache);
  return false;
}

glia_value glia_transformer_apply_opt(glia_scope *s, const glia_transformer *t,
                                      glia_value tokens, const glia_transformer_opts *opt) {
  glia_transformer_opts o;
  gi_opts(&o, sizeof o, opt);
  if (s == NULL || gi_null(tokens) || !cache_is_good(tokens, &o)) return GLIA_NONE;
  return t->architecture->build(s, t->config, tokens, &o);
}
