/* store.c - named tensors. A plain list in the order of creation: networks have hundreds of
 * names, and names are looked up while tracing, never while running.
 */
#include "graph/store.h"

struct glia_store {
  GI_VEC(gi_entry *) entries;
  uint64_t freezes;
};

glia_status glia_store_new(glia_store **out) {
  glia_store *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  *out = s;
  return GLIA_OK;
}

static void free_entry(gi_entry *e) {
  if (e == NULL) return;
  glia_tensor_free(e->tensor);
  gi_free((void *)(uintptr_t)e->name);
  gi_free(e);
}

void glia_store_free(glia_store *s) {
  if (s == NULL) return;
  for (size_t i = 0; i < s->entries.n; i++) free_entry(s->entries.at[i]);
  gi_vec_free(&s->entries);
  gi_free(s);
}

gi_entry *gi_store_at(const glia_store *s, int i) {
  return i >= 0 && (size_t)i < s->entries.n ? s->entries.at[i] : NULL;
}

gi_entry *gi_store_find(const glia_store *s, const char *name) {
  for (size_t i = 0; i < s->entries.n; i++)
    if (strcmp(s->entries.at[i]->name, name) == 0) return s->entries.at[i];
  return NULL;
}

glia_status gi_store_add(glia_store *s, const char *name, glia_store_kind kind,
                         const gi_type *type, gi_entry **out) {
  if (gi_store_find(s, name) != NULL)
    return gi_fail(GLIA_INVALID, "%s: the store has a tensor of this name already", name);
  gi_entry *e = gi_alloc(sizeof *e);
  if (e == NULL) return gi_fail_nomem(sizeof *e);
  e->kind = kind;
  e->name = gi_strdup(name);
  glia_status status = e->name == NULL ? gi_fail_nomem(strlen(name)) : GLIA_OK;
  if (status == GLIA_OK) status = gi_tensor_new(type, &e->tensor);
  if (status == GLIA_OK && !gi_vec_push(&s->entries, e)) status = gi_fail_nomem(sizeof e);
  if (status != GLIA_OK) {
    free_entry(e);
    return status;
  }
  if (out != NULL) *out = e;
  return GLIA_OK;
}

int glia_store_count(const glia_store *s) { return (int)s->entries.n; }

const char *glia_store_name(const glia_store *s, int i) {
  const gi_entry *e = gi_store_at(s, i);
  return e != NULL ? e->name : NULL;
}

glia_store_kind glia_store_kind_of(const glia_store *s, int i) {
  const gi_entry *e = gi_store_at(s, i);
  return e != NULL ? e->kind : GLIA_STATE;
}

glia_tensor *glia_store_tensor(const glia_store *s, int i) {
  const gi_entry *e = gi_store_at(s, i);
  return e != NULL ? e->tensor : NULL;
}

glia_tensor *glia_store_get(const glia_store *s, const char *name) {
  const gi_entry *e = gi_store_find(s, name);
  return e != NULL ? e->tensor : NULL;
}

glia_tensor *gi_store_average(const glia_store *s, int i) {
  const gi_entry *e = gi_store_at(s, i);
  if (e == NULL || e->kind != GLIA_PARAMETER) return NULL;
  const size_t n = strlen(e->name);
  for (size_t k = 0; k < s->entries.n; k++) {
    const gi_entry *mean = s->entries.at[k];
    if (mean->kind == GLIA_STATE && strncmp(mean->name, e->name, n) == 0 &&
        strcmp(mean->name + n, "." GI_AVERAGE) == 0)
      return mean->tensor;
  }
  return NULL;
}

bool gi_store_is_average(const glia_store *s, int i) {
  const gi_entry *e = gi_store_at(s, i);
  const char *last = e != NULL ? strrchr(e->name, '.') : NULL;
  return last != NULL && e->kind == GLIA_STATE && strcmp(last, "." GI_AVERAGE) == 0;
}

int64_t glia_store_parameters(const glia_store *s) {
  int64_t n = 0;
  for (size_t i = 0; i < s->entries.n; i++)
    if (s->entries.at[i]->kind == GLIA_PARAMETER)
      n += glia_tensor_count(s->entries.at[i]->tensor);
  return n;
}

int glia_store_freeze(glia_store *s, const char *prefix, bool frozen) {
  int n = 0;
  for (size_t i = 0; i < s->entries.n; i++) {
    gi_entry *e = s->entries.at[i];
    if (e->kind != GLIA_PARAMETER || strncmp(e->name, prefix, strlen(prefix)) != 0) continue;
    s->freezes += e->frozen != frozen;
    e->frozen = frozen;
    n++;
  }
  return n;
}

uint64_t gi_store_freezes(const glia_store *s) { return s->freezes; }
