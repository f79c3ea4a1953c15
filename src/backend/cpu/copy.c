/* copy.c - a copy is cut into rectangles: the axis that is dense where it is written, and
 * beside it the one that is dense where it is read (or, if that is the same, its neighbour).
 * All other axes are walked through, and the rectangle's rows in chunks that stay in the second
 * cache.
 */
#include "backend/cpu/copy.h"

enum {
  CHUNK_BYTES = 1 << 16,
  PART_BYTES = 1 << 17 /* worth a thread */
};

typedef struct axis {
  int64_t dim, from, to;
} axis;

/* Axes of size 1 go, the others are put in the order of writing, and those that both sides walk
 * through as one are joined. At least two remain. */
static int normalise(int rank, const int64_t *dim, const int64_t *from, const int64_t *to,
                     axis *out) {
  int n = 0;
  for (int d = 0; d < rank; d++) {
    if (dim[d] == 1) continue;
    int j = n++;
    for (; j > 0 && out[j - 1].to < to[d]; j--) out[j] = out[j - 1];
    out[j] = (axis){dim[d], from[d], to[d]};
  }
  int m = 0;
  for (int i = 0; i < n; i++) {
    axis *last = m > 0 ? &out[m - 1] : NULL;
    if (last != NULL && last->from == out[i].from * out[i].dim &&
        last->to == out[i].to * out[i].dim)
      *last = (axis){last->dim * out[i].dim, out[i].from, out[i].to};
    else
      out[m++] = out[i];
  }
  while (m < 2) {
    for (int i = m++; i > 0; i--) out[i] = out[i - 1];
    out[0] = (axis){1, 0, 0};
  }
  return m;
}

void gi_copy_plan(gi_copy *c, int rank, const int64_t *dim, int64_t from_first,
                  const int64_t *from, int64_t to_first, const int64_t *to, size_t size,
                  int threads) {
  axis a[GLIA_MAX_RANK + 2];
  const int n = normalise(rank, dim, from, to, a);
  const axis col = a[n - 1];
  int row = n - 2;
  for (int i = 0; i < n - 1 && col.from != 1; i++)
    if (a[i].from == 1) row = i;
  *c = (gi_copy){.from_first = from_first, .to_first = to_first, .outer = 1};
  c->inner = (gi_rectangle){0, col.dim, a[row].from, col.from, a[row].to, col.to, size};
  for (int i = 0; i < n - 1; i++) {
    if (i == row) continue;
    c->dim[c->rank] = a[i].dim;
    c->from[c->rank] = a[i].from;
    c->to[c->rank++] = a[i].to;
    c->outer *= a[i].dim;
  }
  c->rows = a[row].dim;
  const int64_t fit = CHUNK_BYTES / GI_MAX(1, col.dim * (int64_t)size);
  c->chunk = GI_MIN(GI_MAX(fit / 16 * 16, 16), GI_MAX(c->rows, 1));
  c->chunks = (c->rows + c->chunk - 1) / c->chunk;
  c->threads = gi_cpu_parts(threads, c->outer * c->rows * col.dim * (int64_t)size, PART_BYTES);
  c->move = gi_cpu_isa()->move_rectangle;
}

typedef struct job {
  const gi_copy *c;
  const char *from;
  char *to;
} job;

static void run_part(void *user, int64_t part) {
  const job *j = user;
  const gi_copy *c = j->c;
  const int64_t chunk = part % c->chunks * c->chunk;
  int64_t outer = part / c->chunks;
  int64_t from = c->from_first + chunk * c->inner.from_row;
  int64_t to = c->to_first + chunk * c->inner.to_row;
  for (int d = c->rank - 1; d >= 0; d--) {
    from += outer % c->dim[d] * c->from[d];
    to += outer % c->dim[d] * c->to[d];
    outer /= c->dim[d];
  }
  gi_rectangle r = c->inner;
  r.rows = GI_MIN(c->chunk, c->rows - chunk);
  c->move(&r, j->from + from * (int64_t)r.size, j->to + to * (int64_t)r.size);
}

void gi_copy_run(const gi_copy *c, const void *from, void *to) {
  job j = {c, from, to};
  if (c->inner.cols > 0) gi_cpu_for(c->threads, c->outer * c->chunks, run_part, &j);
}
