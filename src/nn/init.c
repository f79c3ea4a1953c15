/* init.c - initial values of parameters. Element i of a parameter depends on (seed, name, i)
 * only, so that the same seed gives the same network on any machine and in any order of
 * creation.
 *
 * fan_in = dim[1] times the dimensions behind it (a dense weight is [out, in], a convolution's
 * [out, in, rows, columns]); fan_out = dim[0] times the same. Rank 1: both are dim[0].
 */
#include <math.h>

#include "nn/layer.h"

const char *const gi_init_names[] = {
#define GLIA_X(name, text, doc) text,
    GLIA_INIT_MAP(GLIA_X)
#undef GLIA_X
        NULL,
};

typedef struct fans {
  double in, out;
} fans;

static fans fans_of(const gi_type *t, int64_t fan_in) {
  double field = 1;
  for (int i = 2; i < t->rank; i++) field *= (double)t->dim[i];
  fans f = {1, 1};
  if (t->rank == 1) f = (fans){(double)t->dim[0], (double)t->dim[0]};
  if (t->rank >= 2) f = (fans){(double)t->dim[1] * field, (double)t->dim[0] * field};
  if (fan_in > 0) f.in = (double)fan_in;
  return (fans){fmax(f.in, 1), fmax(f.out, 1)};
}

static void fill_uniform(glia_tensor *t, const gi_rng *r, double low, double high) {
  const glia_dtype d = glia_tensor_dtype(t);
  const int64_t n = glia_tensor_count(t);
  void *data = glia_tensor_data(t); /* parameters are contiguous */
  for (int64_t i = 0; i < n; i += 4) {
    double u[4];
    gi_rng_uniform4(r, (uint64_t)i / 4, u);
    for (int64_t k = 0; k < GI_MIN(n - i, 4); k++)
      gi_store(d, data, i + k, low + (high - low) * u[k]);
  }
}

static void fill_normal(glia_tensor *t, const gi_rng *r, double mean, double deviation) {
  const int64_t n = glia_tensor_count(t);
  for (int64_t i = 0; i < n; i++)
    glia_tensor_set(t, i, mean + deviation * gi_rng_normal(r, (uint64_t)i));
}

static void fill(glia_tensor *t, double v) {
  const int64_t n = glia_tensor_count(t);
  for (int64_t i = 0; i < n; i++) glia_tensor_set(t, i, v);
}

/* Modified Gram-Schmidt, twice, on `count` vectors of length `len` (count <= len), rows of a.
 */
static void orthonormalise(double *a, int64_t count, int64_t len) {
  for (int64_t i = 0; i < count; i++) {
    for (int pass = 0; pass < 2; pass++)
      for (int64_t j = 0; j < i; j++) {
        double dot = 0;
        for (int64_t k = 0; k < len; k++) dot += a[i * len + k] * a[j * len + k];
        for (int64_t k = 0; k < len; k++) a[i * len + k] -= dot * a[j * len + k];
      }
    double norm = 0;
    for (int64_t k = 0; k < len; k++) norm += a[i * len + k] * a[i * len + k];
    norm = sqrt(norm);
    for (int64_t k = 0; k < len; k++) a[i * len + k] /= norm > 0 ? norm : 1;
  }
}

/* The tensor as a matrix [dim 0, rest]; the shorter side's vectors become orthogonal, and as
 * long as the gain. */
static glia_status fill_orthogonal(glia_tensor *t, const gi_rng *r, double gain) {
  const int64_t n = glia_tensor_count(t);
  if (glia_tensor_rank(t) < 2 || n == 0)
    return gi_fail(GLIA_SHAPE, "orthogonal: wants a tensor of rank 2 or more with elements");
  const int64_t rows = glia_tensor_shape(t)[0], cols = n / rows;
  const bool wide = rows <= cols;
  double *a = gi_alloc((size_t)n * sizeof *a);
  if (a == NULL) return gi_fail_nomem((size_t)n * sizeof *a);
  for (int64_t i = 0; i < n; i++) a[i] = gi_rng_normal(r, (uint64_t)i);
  orthonormalise(a, wide ? rows : cols, wide ? cols : rows);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++)
      glia_tensor_set(t, i * cols + j, gain * (wide ? a[i * cols + j] : a[j * rows + i]));
  gi_free(a);
  return GLIA_OK;
}

double glia_gain(const char *activation, double slope) {
  const char *name = activation != NULL ? activation : "";
  if (slope == 0) slope = 0.01;
  if (strcmp(name, "tanh") == 0) return 5.0 / 3;
  if (strcmp(name, "relu") == 0) return sqrt(2);
  if (strcmp(name, "leaky_relu") == 0) return sqrt(2 / (1 + slope * slope));
  return strcmp(name, "selu") == 0 ? 0.75 : 1;
}

glia_status glia_initialise(glia_tensor *t, glia_init init, uint64_t seed, const char *name) {
  const gi_type type = gi_tensor_type(t);
  const gi_rng r = {seed, gi_hash_str(name, 0), 0};
  const fans f = fans_of(&type, init.fan_in);
  if (!glia_dtype_is_float(type.dtype))
    return gi_fail(GLIA_DTYPE, "%s: initial values are for floats, this is %s", name,
                   glia_dtype_name(type.dtype));
  if (!glia_tensor_is_contiguous(t))
    return gi_fail(GLIA_INVALID, "%s: initial values are for contiguous tensors", name);
  const double gain = init.a != 0 ? init.a : 1;
  double bound = 0;
  switch (init.kind) {
    case GLIA_INIT_ZEROS: fill(t, 0); return GLIA_OK;
    case GLIA_INIT_ONES: fill(t, 1); return GLIA_OK;
    case GLIA_INIT_CONSTANT: fill(t, init.a); return GLIA_OK;
    case GLIA_INIT_UNIFORM: fill_uniform(t, &r, init.a, init.b); return GLIA_OK;
    case GLIA_INIT_NORMAL: fill_normal(t, &r, init.a, init.b); return GLIA_OK;
    case GLIA_INIT_GLOROT_NORMAL:
      fill_normal(t, &r, 0, gain * sqrt(2 / (f.in + f.out)));
      return GLIA_OK;
    case GLIA_INIT_HE_NORMAL: fill_normal(t, &r, 0, gain * sqrt(2 / f.in)); return GLIA_OK;
    case GLIA_INIT_LECUN_NORMAL: fill_normal(t, &r, 0, gain * sqrt(1 / f.in)); return GLIA_OK;
    case GLIA_INIT_ORTHOGONAL: return fill_orthogonal(t, &r, gain);
    case GLIA_INIT_DEFAULT: bound = sqrt(1 / f.in); break;
    case GLIA_INIT_GLOROT_UNIFORM: bound = gain * sqrt(6 / (f.in + f.out)); break;
    case GLIA_INIT_HE_UNIFORM: bound = gain * sqrt(6 / f.in); break;
    case GLIA_INIT_LECUN_UNIFORM: bound = gain * sqrt(3 / f.in); break;
    default:
      return gi_fail(GLIA_INVALID, "%s: no initialiser has number %d", name, (int)init.kind);
  }
  fill_uniform(t, &r, -bound, bound);
  return GLIA_OK;
}
