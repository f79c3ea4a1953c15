/* tests/golden_tensors.h - golden files of tensors (tests/golden/, written by
 * tools/golden_*.py).
 */
#ifndef GI_TEST_GOLDEN_TENSORS_H
#define GI_TEST_GOLDEN_TENSORS_H

#include "test.h"

#include "base/json.h"
#include "glia/formats.h"

typedef struct golden {
  glia_safetensors *file;
  gi_json *attributes; /* in PyTorch's words */
  const char *op;
} golden;

/* "optim/adam_f64" -> tests/golden/optim/adam_f64.safetensors */
static inline golden golden_open(const char *name) {
  char path[512];
  golden g;
  snprintf(path, sizeof path, "%s/tests/golden/%s.safetensors", GI_TEST_SOURCE, name);
  OK(glia_safetensors_open(path, &g.file));
  const char *text = glia_safetensors_metadata(g.file, "attributes");
  OK(gi_json_parse(text, strlen(text), name, &g.attributes));
  g.op = glia_safetensors_metadata(g.file, "op");
  return g;
}

static inline void golden_close(golden *g) {
  gi_json_free(g->attributes);
  glia_safetensors_close(g->file);
}

static inline bool golden_has(const golden *g, const char *name) {
  return glia_safetensors_find(g->file, name) >= 0;
}

/* Owned (glia_tensor_free). */
static inline glia_tensor *golden_tensor(const golden *g, const char *name) {
  glia_tensor *t = NULL;
  const int i = glia_safetensors_find(g->file, name);
  if (i < 0) fail_msg("the golden file has no %s", name);
  OK(glia_safetensors_read(g->file, i, &t));
  return t;
}

static inline double golden_number(const golden *g, const char *key, double dflt) {
  return gi_json_num(gi_json_get(g->attributes, key), dflt);
}

/* Every element within tolerance * (1 + |wanted|), NaN never. */
static inline void assert_close(const glia_tensor *got, const glia_tensor *want,
                                double tolerance, const char *what) {
  if (got == NULL) fail_msg("%s: there is none", what);
  assert_int_equal(glia_tensor_count(got), glia_tensor_count(want));
  for (int64_t i = 0; i < glia_tensor_count(want); i++) {
    const double a = glia_tensor_get(got, i), b = glia_tensor_get(want, i);
    if (!(fabs(a - b) <= tolerance * (1 + fabs(b))))
      fail_msg("%s: element %lld is %.17g, wanted %.17g", what, (long long)i, a, b);
  }
}

/* The tensor called `name` of the golden file. */
static inline void assert_golden(const glia_tensor *got, const golden *g, const char *name,
                                 double tolerance, const char *what) {
  char text[512];
  glia_tensor *want = golden_tensor(g, name);
  snprintf(text, sizeof text, "%s: %s", what, name);
  assert_close(got, want, tolerance, text);
  glia_tensor_free(want);
}

/* Calls fn with "folder/name" of every golden file, so that a new one cannot be forgotten; how
 * many there are. */
static inline int golden_each(const char *folder, void (*fn)(const char *name, void *user),
                              void *user) {
  char dir[512], name[400];
  gi_names files = {0};
  int n = 0;
  snprintf(dir, sizeof dir, "%s/tests/golden/%s", GI_TEST_SOURCE, folder);
  OK(gi_list_dir(dir, &files));
  for (size_t i = 0; i < files.n; i++) {
    const char *dot = strstr(files.at[i], ".safetensors");
    if (dot == NULL) continue;
    snprintf(name, sizeof name, "%s/%.*s", folder, (int)(dot - files.at[i]), files.at[i]);
    fn(name, user);
    n++;
  }
  gi_names_free(&files);
  return n;
}

#endif /* GI_TEST_GOLDEN_TENSORS_H */
