/* attr.c - attributes by their schema: hashing, comparing, copying, printing. The only place
 * that knows the kinds of fields.
 */
#include <inttypes.h>

#include "graph/graph.h"

static size_t literal_bytes(const gi_literal *l) { return gi_type_bytes(&l->type); }

static uint64_t hash_field(const gi_attr *f, const void *p, uint64_t h) {
  switch (f->kind) {
    case GI_ATTR_F64: return gi_hash(p, sizeof(double), h);
    case GI_ATTR_I64: return gi_hash(p, sizeof(int64_t), h);
    case GI_ATTR_U64: return gi_hash(p, sizeof(uint64_t), h);
    case GI_ATTR_BOOL: return gi_hash(p, sizeof(bool), h);
    case GI_ATTR_DTYPE: return gi_hash(p, sizeof(glia_dtype), h);
    case GI_ATTR_NAME: return gi_hash_str(*(const char *const *)p, h);
    case GI_ATTR_DIMS: {
      const gi_dims *d = p;
      return gi_hash(d->at, (size_t)d->n * sizeof d->at[0], h + (uint64_t)d->n);
    }
    case GI_ATTR_TYPE: {
      const gi_type *t = p;
      return gi_hash(t->dim, (size_t)t->rank * sizeof t->dim[0], h + (uint64_t)t->dtype);
    }
    case GI_ATTR_LITERAL: {
      const gi_literal *l = p;
      h = gi_hash(l->type.dim, (size_t)l->type.rank * sizeof l->type.dim[0],
                  h + (uint64_t)l->type.dtype);
      return gi_hash(l->data, literal_bytes(l), h);
    }
    case GI_ATTR_BLOB: {
      const gi_blob *b = p;
      return gi_hash(b->data, b->bytes, h);
    }
  }
  return h;
}

uint64_t gi_attr_hash(const gi_op *op, const void *attr) {
  uint64_t h = 0x9e3779b97f4a7c15u;
  if (attr == NULL || op->attrs == NULL) return h;
  for (const gi_attr *f = op->attrs; f->name != NULL; f++)
    h = hash_field(f, (const char *)attr + f->offset, h);
  return h;
}

static bool field_equal(const gi_attr *f, const void *a, const void *b) {
  switch (f->kind) {
    case GI_ATTR_F64: return memcmp(a, b, sizeof(double)) == 0;
    case GI_ATTR_I64: return memcmp(a, b, sizeof(int64_t)) == 0;
    case GI_ATTR_U64: return memcmp(a, b, sizeof(uint64_t)) == 0;
    case GI_ATTR_BOOL: return *(const bool *)a == *(const bool *)b;
    case GI_ATTR_DTYPE: return *(const glia_dtype *)a == *(const glia_dtype *)b;
    case GI_ATTR_NAME: return strcmp(*(const char *const *)a, *(const char *const *)b) == 0;
    case GI_ATTR_DIMS: {
      const gi_dims *x = a, *y = b;
      return x->n == y->n && memcmp(x->at, y->at, (size_t)x->n * sizeof x->at[0]) == 0;
    }
    case GI_ATTR_TYPE: return gi_type_equal(a, b);
    case GI_ATTR_LITERAL: {
      const gi_literal *x = a, *y = b;
      return gi_type_equal(&x->type, &y->type) &&
             memcmp(x->data, y->data, literal_bytes(x)) == 0;
    }
    case GI_ATTR_BLOB: {
      const gi_blob *x = a, *y = b;
      return x->bytes == y->bytes && memcmp(x->data, y->data, x->bytes) == 0;
    }
  }
  return false;
}

bool gi_attr_equal(const gi_op *op, const void *a, const void *b) {
  if (op->attrs == NULL || a == b) return true;
  if (a == NULL || b == NULL) return false;
  for (const gi_attr *f = op->attrs; f->name != NULL; f++)
    if (!field_equal(f, (const char *)a + f->offset, (const char *)b + f->offset)) return false;
  return true;
}

void *gi_attr_copy(gi_arena *arena, const gi_op *op, const void *attr) {
  char *copy = gi_arena_copy(arena, attr, op->attr_size);
  if (copy == NULL || op->attrs == NULL) return copy;
  for (const gi_attr *f = op->attrs; f->name != NULL; f++) {
    void *p = copy + f->offset;
    if (f->kind == GI_ATTR_NAME) {
      char **name = p;
      if (*name != NULL && (*name = gi_arena_strdup(arena, *name)) == NULL) return NULL;
    } else if (f->kind == GI_ATTR_LITERAL) {
      gi_literal *l = p;
      if ((l->data = gi_arena_copy(arena, l->data, literal_bytes(l))) == NULL) return NULL;
    } else if (f->kind == GI_ATTR_BLOB) {
      gi_blob *b = p;
      if ((b->data = gi_arena_copy(arena, b->data, b->bytes)) == NULL) return NULL;
    }
  }
  return copy;
}

/* ---- text -------------------------------------------------------------------------------- */

static void dims_text(const gi_dims *d, gi_str *out) {
  gi_str_puts(out, "[");
  for (int i = 0; i < d->n; i++)
    gi_str_printf(out, i != 0 ? ", %" PRId64 : "%" PRId64, d->at[i]);
  gi_str_puts(out, "]");
}

static void literal_text(const gi_literal *l, gi_str *out) {
  const int64_t n = gi_type_count(&l->type), shown = n <= 4 ? n : 3;
  gi_str_puts(out, "{");
  for (int64_t i = 0; i < shown; i++)
    gi_str_printf(out, i != 0 ? ", %.9g" : "%.9g", gi_load(l->type.dtype, l->data, i));
  gi_str_puts(out, shown < n ? ", ...}" : "}");
}

static void field_text(const gi_attr *f, const void *p, gi_str *out) {
  char text[128];
  switch (f->kind) {
    case GI_ATTR_F64: gi_str_printf(out, "%.9g", *(const double *)p); break;
    case GI_ATTR_I64: gi_str_printf(out, "%" PRId64, *(const int64_t *)p); break;
    case GI_ATTR_U64: gi_str_printf(out, "%016" PRIx64, *(const uint64_t *)p); break;
    case GI_ATTR_BOOL: gi_str_puts(out, *(const bool *)p ? "true" : "false"); break;
    case GI_ATTR_DTYPE: gi_str_puts(out, glia_dtype_name(*(const glia_dtype *)p)); break;
    case GI_ATTR_NAME: gi_str_printf(out, "\"%s\"", *(const char *const *)p); break;
    case GI_ATTR_DIMS: dims_text(p, out); break;
    case GI_ATTR_TYPE: gi_str_puts(out, gi_type_text(p, text, sizeof text)); break;
    case GI_ATTR_LITERAL: literal_text(p, out); break;
    case GI_ATTR_BLOB: gi_str_printf(out, "%zu bytes", ((const gi_blob *)p)->bytes); break;
  }
}

void gi_attr_text(const gi_op *op, const void *attr, gi_str *out) {
  if (attr == NULL || op->attrs == NULL) return;
  for (const gi_attr *f = op->attrs; f->name != NULL; f++) {
    gi_str_printf(out, f == op->attrs ? "%s=" : " %s=", f->name);
    field_text(f, (const char *)attr + f->offset, out);
  }
}
