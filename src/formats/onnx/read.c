/* formats/onnx/read.c - names that are made, and the few things that reading any message needs.
 *
 * A scope is a set of names that remembers in which order they came; graphs within nodes see
 * the scopes around them.
 */
#include "formats/onnx/read.h"

/* ---- names that are made --------------------------------------------------------------- */

/* The place of a name, or the empty one where it would be. There always is one. */
static size_t place_of(const gi_onnx_scope *s, const char *name) {
  size_t i = (size_t)gi_hash_str(name, 0) & (s->cap - 1);
  while (s->at[i].name != NULL && strcmp(s->at[i].name, name) != 0) i = (i + 1) & (s->cap - 1);
  return i;
}

int gi_onnx_find(const gi_onnx_scope *s, const char *name) {
  if (s->cap == 0) return -1;
  const gi_onnx_made_name *m = &s->at[place_of(s, name)];
  return m->name == NULL ? -1 : m->i;
}

bool gi_onnx_made(const gi_onnx_scope *s, const char *name) {
  for (; s != NULL; s = s->outer)
    if (gi_onnx_find(s, name) >= 0) return true;
  return false;
}

static bool grow(gi_onnx_scope *s) {
  gi_onnx_scope wider = {.outer = s->outer, .n = s->n, .cap = GI_MAX(2 * s->cap, 16)};
  wider.at = gi_alloc(wider.cap * sizeof *wider.at);
  if (wider.at == NULL) return false;
  for (size_t i = 0; i < s->cap; i++)
    if (s->at[i].name != NULL) wider.at[place_of(&wider, s->at[i].name)] = s->at[i];
  gi_onnx_scope_free(s);
  *s = wider;
  return true;
}

glia_status gi_onnx_make(gi_onnx_scope *s, const char *name, const char *what) {
  if (name[0] == '\0') return gi_fail(GLIA_FORMAT, "%s without a name", what);
  if (2 * s->n >= s->cap && !grow(s)) return gi_fail_nomem(2 * s->cap * sizeof *s->at);
  gi_onnx_made_name *m = &s->at[place_of(s, name)];
  if (m->name != NULL)
    return gi_fail(GLIA_FORMAT, "%s \"%.80s\": there is one of that name already", what, name);
  *m = (gi_onnx_made_name){.name = name, .i = (int)s->n++};
  return GLIA_OK;
}

void gi_onnx_scope_free(gi_onnx_scope *s) {
  gi_free(s->at);
  s->at = NULL;
  s->n = s->cap = 0;
}

/* ---- messages -------------------------------------------------------------------------- */

void *gi_onnx_take(gi_onnx_reader *r, size_t n, size_t item) {
  size_t bytes = 0;
  void *p = gi_mul_size(n, item, &bytes) ? gi_arena_alloc(&r->m->arena, bytes) : NULL;
  if (p == NULL) (void)gi_fail_nomem(bytes);
  return p;
}

glia_status gi_onnx_string(gi_onnx_reader *r, const gi_wire_field *f, const char *what,
                           const char **out) {
  GI_TRY(gi_wire_want(f, GI_WIRE_BYTES, what));
  if (f->n > 0 && memchr(f->p, '\0', f->n) != NULL)
    return gi_fail(GLIA_FORMAT, "%s holds a NUL", what);
  char *text = gi_onnx_take(r, f->n + 1, 1);
  if (text == NULL) return GLIA_NOMEM;
  memcpy(text, f->p, f->n);
  *out = text;
  return GLIA_OK;
}

glia_status gi_onnx_count(gi_wire w, const uint32_t *number, int *count) {
  for (int i = 0; number[i] != 0; i++) count[i] = 0;
  for (;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) return GLIA_OK;
    for (int i = 0; number[i] != 0; i++) {
      if (number[i] != f.number) continue;
      GI_TRY(gi_wire_want(&f, GI_WIRE_BYTES, "a part of a message"));
      if (count[i]++ == INT32_MAX) return gi_fail(GLIA_FORMAT, "has more than 2^31 parts");
    }
  }
}

glia_status gi_onnx_deeper(gi_onnx_reader *r) {
  if (++r->depth <= GI_PROTOBUF_DEPTH) return GLIA_OK;
  return gi_fail(GLIA_FORMAT, "messages lie more than %d deep in each other",
                 (int)GI_PROTOBUF_DEPTH);
}

glia_status gi_onnx_read_texts(gi_onnx_reader *r, gi_wire w, uint32_t number, const char *what,
                               int n, const char *const **out) {
  const char **text = gi_onnx_take(r, (size_t)n, sizeof *text);
  if (text == NULL) return GLIA_NOMEM;
  *out = text;
  for (int i = 0;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) return GLIA_OK;
    if (f.number == number) GI_TRY(gi_onnx_string(r, &f, what, &text[i++]));
  }
}
