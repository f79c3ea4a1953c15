/* einsum.c - sums of products by Einstein's notation: "bij,bjk->bik".
 *
 * Every axis has a letter; axes with one letter go together, a letter that is missing behind
 * the arrow is summed over, one that an operand has twice is its diagonal, "..." are the axes
 * without letters, which broadcast. Without an arrow the result has "..." and the letters that
 * occur once, in the order A .. Z a .. z. The definitions are PyTorch's, sizes of 1 included:
 * they broadcast under any letter.
 *
 * There is no op for it. Operands are taken in from left to right: of what is gathered so far
 * (a) and the next (b), with the letters
 *
 *   batch  in both and needed later       rows     in a alone
 *   inner  in both and not needed         columns  in b alone
 *
 * the product is one of matrices, [batch, rows, inner] x [batch, inner, columns].
 */
#include "ops/attrs.h"
#include "ops/ref.h"

enum { LETTERS = 52, LABELS = LETTERS + GLIA_MAX_RANK, MAX_TERMS = 16 };

typedef struct term { /* a value and the labels of its axes: letters, then those of "..." */
  glia_value v;
  int n, label[GLIA_MAX_RANK];
} term;

typedef struct sum {
  const char *equation;
  int n;
  term in[MAX_TERMS];
  int n_out, out[LABELS];
} sum;

/* ---- the equation -------------------------------------------------------------------- */

static int letter_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  return c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1;
}

/* Adds the labels from p up to a comma, an arrow or the end; "..." stands for `open` axes,
 * numbered from the right. Returns the end, or NULL. */
static const char *labels(const char *p, int open, int most, int *n, int *label, bool *dots) {
  *n = 0;
  *dots = false;
  for (; *p != '\0' && *p != ',' && *p != '-'; p++) {
    if (*p == ' ') continue;
    if (strncmp(p, "...", 3) == 0 && !*dots && open >= 0 && *n + open <= most) {
      for (int d = open - 1; d >= 0; d--) label[(*n)++] = LETTERS + d;
      *dots = true;
      p += 2;
    } else if (letter_of(*p) >= 0 && *n < most) {
      label[(*n)++] = letter_of(*p);
    } else {
      return NULL;
    }
  }
  return p;
}

/* How many axes the "..." of an operand has: those that letters leave over; 0 without it. */
static int open_axes(const char *p, int rank) {
  int letters = 0;
  bool dots = false;
  for (; *p != '\0' && *p != ',' && *p != '-'; p++) {
    letters += letter_of(*p) >= 0;
    dots = dots || *p == '.';
  }
  return dots ? rank - letters : 0;
}

static int find(const int *label, int n, int wanted) {
  for (int d = 0; d < n; d++)
    if (label[d] == wanted) return d;
  return -1;
}

static glia_status malformed(const sum *s, const char *what) {
  return gi_fail(GLIA_INVALID, "einsum: \"%s\": %s", s->equation, what);
}

/* The labels of the result where there is no arrow. */
static void implied(sum *s, int open) {
  int times[LABELS] = {0};
  for (int i = 0; i < s->n; i++)
    for (int d = 0; d < s->in[i].n; d++) times[s->in[i].label[d]]++;
  for (int d = open - 1; d >= 0; d--) s->out[s->n_out++] = LETTERS + d;
  for (int l = 0; l < LETTERS; l++)
    if (times[l] == 1) s->out[s->n_out++] = l;
}

static glia_status parse(sum *s) {
  const char *p = s->equation;
  char text[GI_TEXT];
  int open = 0;
  bool dots, known[LABELS] = {false};
  for (int i = 0; i < s->n; i++) {
    term *t = &s->in[i];
    const gi_type type = gi_value_type(t->v);
    const int rest = open_axes(p, type.rank);
    p = labels(p, rest, GLIA_MAX_RANK, &t->n, t->label, &dots);
    if (p == NULL || *p != (i + 1 < s->n ? ',' : *p == '-' ? '-' : '\0'))
      return malformed(s, "wanted letters for each operand, with commas between them");
    if (t->n != type.rank)
      return gi_fail(GLIA_SHAPE, "einsum: \"%s\": operand %d is %s, it has %d letters",
                     s->equation, i, gi_shape_text(&type, text, sizeof text), t->n);
    open = GI_MAX(open, rest);
    for (int d = 0; d < t->n; d++) known[t->label[d]] = true;
    if (*p == ',') p++;
  }
  if (*p == '\0') {
    implied(s, open);
    return GLIA_OK;
  }
  if (p[1] != '>') return malformed(s, "wanted -> in front of the result");
  p = labels(p + 2, open, LABELS, &s->n_out, s->out, &dots);
  if (p == NULL || *p != '\0') return malformed(s, "wanted letters behind the arrow");
  for (int k = 0; k < s->n_out; k++)
    if (!known[s->out[k]] || find(s->out, k, s->out[k]) >= 0)
      return malformed(s, "the result has a letter twice, or one that no operand has");
  return GLIA_OK;
}

/* ---- one term ------------------------------------------------------------------------ */

static int64_t size_of(const term *t, int d) { return glia_value_dim(t->v, d); }

static void drop_label(term *t, int d) {
  t->n--;
  for (; d < t->n; d++) t->label[d] = t->label[d + 1];
}

/* Axes a and b with one label become their diagonal: as one axis, every (n + 1)-th element. */
static glia_status take_diagonal(const sum *s, term *t, int a, int b) {
  const int64_t n = size_of(t, a);
  int axes[GLIA_MAX_RANK] = {0}, k = 0;
  int64_t shape[GLIA_MAX_RANK];
  if (size_of(t, b) != n)
    return gi_fail(GLIA_SHAPE, "einsum: \"%s\": no diagonal of %" PRId64 " x %" PRId64,
                   s->equation, n, size_of(t, b));
  for (int d = 0; d < t->n; d++) {
    if (d == b) continue;
    axes[k++] = d;
    if (d == a) axes[k++] = b;
  }
  drop_label(t, b);
  for (int d = 0; d < t->n; d++)
    shape[d] = d == a ? n * n : glia_value_dim(t->v, axes[d < a ? d : d + 1]);
  t->v = glia_reshape(glia_permute(t->v, axes), t->n, shape);
  t->v = glia_slice(t->v, a, 0, n * n, n + 1);
  return GLIA_OK;
}

static glia_status take_diagonals(const sum *s, term *t) {
  for (int b = t->n - 1; b > 0; b--) {
    const int a = find(t->label, b, t->label[b]);
    if (a >= 0) GI_TRY(take_diagonal(s, t, a, b));
    if (gi_null(t->v)) return GLIA_OK; /* latched */
  }
  return GLIA_OK;
}

/* Sums over the labels that neither `other` has (NULL: none) nor anybody needs. */
static void sum_out(term *t, const term *other, const bool *needed) {
  glia_reduce_opts over = {.size = sizeof over};
  term left = *t;
  left.n = 0;
  for (int d = 0; d < t->n; d++) {
    if (needed[t->label[d]] ||
        (other != NULL && find(other->label, other->n, t->label[d]) >= 0))
      left.label[left.n++] = t->label[d];
    else
      over.axes[over.n++] = d;
  }
  if (over.n > 0) left.v = glia_sum_opt(t->v, &over);
  *t = left;
}

/* Axes of size 1 that the other has larger go away: they broadcast. */
static void drop_ones(term *t, const term *other) {
  int64_t shape[GLIA_MAX_RANK];
  for (int d = t->n - 1; d >= 0; d--) {
    const int e = find(other->label, other->n, t->label[d]);
    if (e < 0 || size_of(t, d) != 1 || size_of(other, e) == 1) continue;
    for (int k = 0, j = 0; k < t->n; k++)
      if (k != d) shape[j++] = size_of(t, k);
    drop_label(t, d);
    t->v = glia_reshape(t->v, t->n, shape);
  }
}

/* The axes in the order of `label`. */
static glia_value ordered(const term *t, const int *label) {
  int axes[GLIA_MAX_RANK] = {0};
  for (int d = 0; d < t->n; d++) axes[d] = find(t->label, t->n, label[d]);
  return glia_permute(t->v, axes);
}

/* ---- two terms ----------------------------------------------------------------------- */

typedef struct kinds { /* labels of a product by what becomes of them; and their elements */
  int n_batch, n_own, n_inner, batch[GLIA_MAX_RANK], own[GLIA_MAX_RANK], inner[GLIA_MAX_RANK];
  int64_t size_batch, size_own, size_inner;
} kinds;

static kinds sorted(const term *t, const term *other, const bool *needed) {
  kinds k = {.size_batch = 1, .size_own = 1, .size_inner = 1};
  for (int d = 0; d < t->n; d++) {
    const int l = t->label[d];
    if (find(other->label, other->n, l) < 0) {
      k.own[k.n_own++] = l;
      k.size_own *= size_of(t, d);
    } else if (needed[l]) {
      k.batch[k.n_batch++] = l;
      k.size_batch *= size_of(t, d);
    } else {
      k.inner[k.n_inner++] = l;
      k.size_inner *= size_of(t, d);
    }
  }
  return k;
}

/* Do the own labels lie behind the inner ones? */
static bool lies_turned(const term *t, const kinds *k) {
  return k->n_own > 0 && t->label[t->n - 1] == k->own[k->n_own - 1];
}

/* t as [batch, own, inner] or, turned, [batch, inner, own]. The order of batch and inner is
 * that of `first`. */
static glia_value as_matrices(const term *t, const kinds *k, const kinds *first, bool turned) {
  int label[GLIA_MAX_RANK], n = 0;
  for (int d = 0; d < k->n_batch; d++) label[n++] = first->batch[d];
  for (int d = 0; d < k->n_own && !turned; d++) label[n++] = k->own[d];
  for (int d = 0; d < k->n_inner; d++) label[n++] = first->inner[d];
  for (int d = 0; d < k->n_own && turned; d++) label[n++] = k->own[d];
  const int64_t shape[] = {k->size_batch, turned ? k->size_inner : k->size_own,
                           turned ? k->size_own : k->size_inner};
  const glia_value v = ordered(t, label);
  return k->n_batch > 0 ? glia_reshape(v, 3, shape) : glia_reshape(v, 2, shape + 1);
}

/* a times b, over all that nobody needs any more. */
static glia_status multiply(const sum *s, term *a, term *b, const bool *needed) {
  drop_ones(a, b);
  drop_ones(b, a);
  for (int d = 0; d < a->n; d++) {
    const int e = find(b->label, b->n, a->label[d]);
    if (e >= 0 && size_of(a, d) != size_of(b, e))
      return gi_fail(GLIA_SHAPE,
                     "einsum: \"%s\": axes of %" PRId64 " and %" PRId64 " elements go together",
                     s->equation, size_of(a, d), size_of(b, e));
  }
  sum_out(a, b, needed);
  sum_out(b, a, needed);
  const kinds ka = sorted(a, b, needed), kb = sorted(b, a, needed);
  term product = {.n = ka.n_batch + ka.n_own + kb.n_own};
  int64_t shape[GLIA_MAX_RANK];
  if (product.n > GLIA_MAX_RANK)
    return gi_fail(GLIA_SHAPE, "einsum: \"%s\": a product has %d axes, at most %d", s->equation,
                   product.n, GLIA_MAX_RANK);
  const bool broadcasts = ka.n_inner == 0; /* [batch, rows, 1] by [batch, 1, columns] */
  const bool turn_a = !broadcasts && lies_turned(a, &ka),
             turn_b = broadcasts || lies_turned(b, &kb);
  const glia_value x = as_matrices(a, &ka, &ka, turn_a);
  const glia_value y = as_matrices(b, &kb, &ka, turn_b);
  if (gi_null(x) || gi_null(y)) return GLIA_OK; /* latched */
  int n = 0;
  for (int d = 0; d < ka.n_batch; d++) product.label[n++] = ka.batch[d];
  for (int d = 0; d < ka.n_own; d++) product.label[n++] = ka.own[d];
  for (int d = 0; d < kb.n_own; d++) product.label[n++] = kb.own[d];
  for (int d = 0; d < n; d++) {
    const int in_a = find(a->label, a->n, product.label[d]);
    shape[d] =
        in_a >= 0 ? size_of(a, in_a) : size_of(b, find(b->label, b->n, product.label[d]));
  }
  const glia_value z = broadcasts
                           ? glia_mul(x, y)
                           : glia_matmul(x, y, .transpose_a = turn_a, .transpose_b = !turn_b);
  product.v = glia_reshape(z, n, shape);
  *a = product;
  return GLIA_OK;
}

/* ---- builder ------------------------------------------------------------------------- */

static void mark(bool *needed, const int *label, int n) {
  for (int d = 0; d < n; d++) needed[label[d]] = true;
}

static glia_status build(sum *s, glia_value *out) {
  GI_TRY(parse(s));
  if (s->n_out > GLIA_MAX_RANK) return malformed(s, "the result has too many axes");
  for (int i = 0; i < s->n; i++) {
    GI_TRY(take_diagonals(s, &s->in[i]));
    if (gi_null(s->in[i].v)) return GLIA_OK; /* latched */
  }
  term all = s->in[0];
  bool needed[LABELS] = {false};
  for (int i = 1; i < s->n; i++) {
    memset(needed, 0, sizeof needed);
    mark(needed, s->out, s->n_out);
    for (int k = i + 1; k < s->n; k++) mark(needed, s->in[k].label, s->in[k].n);
    GI_TRY(multiply(s, &all, &s->in[i], needed));
    if (gi_null(all.v)) return GLIA_OK;
  }
  memset(needed, 0, sizeof needed);
  mark(needed, s->out, s->n_out);
  sum_out(&all, NULL, needed);
  *out = gi_null(all.v) ? all.v : ordered(&all, s->out);
  return GLIA_OK;
}

glia_value glia_einsum(const char *equation, const glia_value *in, int n) {
  sum s = {.equation = equation, .n = n};
  glia_value out = GLIA_NONE;
  if (n < 1 || gi_null(in[0])) return GLIA_NONE;
  if (n > MAX_TERMS)
    return gi_latch(in[0].graph, GLIA_INVALID, "einsum: %d operands, at most %d", n, MAX_TERMS);
  for (int i = 0; i < n; i++) {
    if (gi_null(in[i])) return GLIA_NONE;
    s.in[i].v = in[i];
  }
  const glia_status status = build(&s, &out);
  if (status != GLIA_OK) return gi_latch(in[0].graph, status, "%s", glia_error_message());
  return out;
}
