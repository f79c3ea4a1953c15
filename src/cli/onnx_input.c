/* onnx_input.c - inputs of ONNX models from files. */
#include "cli/onnx_input.h"

#include "formats/onnx/model.h"
#include "glia/formats.h"

glia_status gi_cli_onnx_open(const gi_cli *c, const glia_onnx_opts *opts, glia_onnx **out) {
  glia_onnx_opts o = *opts;
  o.size = sizeof o;
  o.backend = gi_cli_text(c, "backend");
  o.threads = (int)gi_cli_i64(c, "threads");
  return glia_onnx_open_opt(gi_cli_argument(c, "MODEL"), &o, out);
}

/* Are the numbers of a the same as those of b, which has another dtype? */
static bool same(const glia_tensor *a, const glia_tensor *b) {
  for (int64_t k = 0; k < glia_tensor_count(a); k++) {
    const double x = glia_tensor_get(a, k), y = glia_tensor_get(b, k);
    if (x != y && (x == x || y == y)) return false;
  }
  return true;
}

/* t in the dtype that an input wants: NumPy's integers are i64 unless somebody cared. Takes t.
 */
static glia_status suit(const glia_onnx_port *p, const char *path, glia_tensor *t,
                        glia_tensor **out) {
  glia_tensor *cast = NULL;
  const glia_dtype have = glia_tensor_dtype(t);
  if (have == p->dtype) return *out = t, GLIA_OK;
  glia_status s = glia_tensor_cast(t, p->dtype, &cast);
  if (s == GLIA_OK && !glia_dtype_is_float(p->dtype) && !same(t, cast))
    s = gi_fail(GLIA_DTYPE, "%s: is %s, the input '%s' wants %s, which does not hold all of it",
                path, glia_dtype_name(have), p->name, glia_dtype_name(p->dtype));
  glia_tensor_free(t);
  if (s == GLIA_OK)
    *out = cast;
  else
    glia_tensor_free(cast);
  return s;
}

glia_status gi_cli_onnx_read(const glia_onnx *m, int i, const char *path, glia_tensor **out) {
  const size_t n = strlen(path);
  glia_tensor *t = NULL;
  int type = 0;
  if (n > 4 && strcmp(path + n - 4, ".npy") == 0)
    GI_TRY(glia_npy_read(path, &t));
  else
    GI_TRY(gi_onnx_tensor_read(path, &t, &type));
  return suit(glia_onnx_input(m, i), path, t, out);
}

glia_status gi_cli_onnx_find(const glia_onnx *m, int i, const char *folder, glia_tensor **out) {
  static const char *const endings[] = {"pb", "npy"};
  glia_status s = GLIA_OK;
  *out = NULL;
  for (int k = 0; k < GI_COUNT(endings) && s == GLIA_OK && *out == NULL; k++) {
    char name[64];
    snprintf(name, sizeof name, "input_%d.%s", i, endings[k]);
    char *path = gi_path_join(folder, name);
    if (path == NULL) return gi_fail_nomem(sizeof name);
    if (gi_exists(path)) s = gi_cli_onnx_read(m, i, path, out);
    gi_free(path);
  }
  return s;
}
