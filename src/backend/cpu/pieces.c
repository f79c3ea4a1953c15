/* pieces.c - kernels cut into 3 x 3 pieces, images into tiles. */
#include "backend/cpu/pieces.h"

enum { IN = GI_WINOGRAD_IN, OUT = GI_WINOGRAD_OUT, LINES = GI_PIECE_LINES };

/* Along one axis: where a piece begins to read for the first place of a result, and which taps
 * of the kernel it has; -1: none. */
typedef struct line {
  int64_t first;
  int tap[3];
} line;

/* Taps r, r + stride, ... read neighbours in the image of every stride-th cell: three by three.
 */
static int lines_forward(int64_t taps, int64_t stride, int64_t padding, line *to) {
  int n = 0;
  for (int64_t r = 0; r < stride; r++)
    for (int64_t first = r; first < taps; first += 3 * stride, n++) {
      to[n].first = first - padding;
      for (int a = 0; a < 3; a++)
        to[n].tap[a] = first + a * stride < taps ? (int)(first + a * stride) : -1;
    }
  return n;
}

/* Cell r + q stride of dx lies under tap k of place q + (r + padding - k) / stride, where that
 * is whole: the last such tap reads the first place. */
static int lines_backward(int64_t taps, int64_t stride, int64_t padding, int64_t r, line *to) {
  int64_t last = taps - 1;
  int n = 0;
  while (last >= 0 && (r + padding - last) % stride != 0) last--;
  for (int64_t k = last; k >= 0; k -= 3 * stride, n++) {
    to[n].first = (r + padding - k) / stride;
    for (int a = 0; a < 3; a++) to[n].tap[a] = k >= a * stride ? (int)(k - a * stride) : -1;
  }
  return n;
}

static void make_pieces(gi_grid *g, const line *rows, int n_rows, const line *cols, int n_cols,
                        int64_t taps_in_row) {
  g->n_pieces = 0;
  for (int i = 0; i < n_rows; i++)
    for (int j = 0; j < n_cols; j++) {
      gi_piece *p = &g->piece[g->n_pieces++];
      p->first[0] = rows[i].first;
      p->first[1] = cols[j].first;
      for (int c = 0; c < GI_PIECE_CELLS; c++) {
        const int y = rows[i].tap[c / 3], x = cols[j].tap[c % 3];
        p->tap[c] = y < 0 || x < 0 ? -1 : y * (int)taps_in_row + x;
      }
    }
}

static void count_tiles(gi_grid *g, int64_t images) {
  const int64_t rows = (g->to_height - g->to_first[0] + g->to_step[0] - 1) / g->to_step[0];
  const int64_t cols = (g->to_width - g->to_first[1] + g->to_step[1] - 1) / g->to_step[1];
  g->rows = (GI_MAX(rows, 0) + OUT - 1) / OUT;
  g->cols = (GI_MAX(cols, 0) + OUT - 1) / OUT;
  g->tiles = images * g->rows * g->cols;
}

static gi_grid empty_grid(const gi_type *from, const gi_type *to) {
  return (gi_grid){.height = from->dim[2],
                   .width = from->dim[3],
                   .depth = from->dim[1],
                   .to_height = to->dim[2],
                   .to_width = to->dim[3],
                   .channels = to->dim[1],
                   .step = {1, 1},
                   .to_step = {1, 1}};
}

/* Results are places of y. */
static gi_grid forward_grid(const gi_conv_attr *a, const gi_type *x, const gi_type *w,
                            const gi_type *y) {
  gi_grid g = empty_grid(x, y);
  line l[2][LINES];
  int n[2];
  for (int d = 0; d < 2; d++) {
    g.step[d] = a->stride.at[d];
    n[d] = lines_forward(w->dim[2 + d], a->stride.at[d], a->padding.at[d], l[d]);
  }
  make_pieces(&g, l[0], n[0], l[1], n[1], w->dim[3]);
  count_tiles(&g, x->dim[0]);
  return g;
}

/* Results are cells of dx in phase number `phase`. */
static gi_grid backward_grid(const gi_conv_attr *a, const gi_type *dy, const gi_type *w,
                             const gi_type *dx, int64_t phase) {
  gi_grid g = empty_grid(dy, dx);
  line l[2][LINES];
  int n[2];
  g.to_first[0] = phase / a->stride.at[1];
  g.to_first[1] = phase % a->stride.at[1];
  for (int d = 0; d < 2; d++) {
    g.to_step[d] = a->stride.at[d];
    n[d] =
        lines_backward(w->dim[2 + d], a->stride.at[d], a->padding.at[d], g.to_first[d], l[d]);
  }
  make_pieces(&g, l[0], n[0], l[1], n[1], w->dim[3]);
  count_tiles(&g, dy->dim[0]);
  return g;
}

int gi_grid_phases(const gi_problem *p) {
  const gi_conv_attr *a = p->attr;
  const bool backward = gi_is_input_grad(p->op);
  return backward ? (int)(a->stride.at[0] * a->stride.at[1]) : 1;
}

gi_grid gi_grid_of(const gi_problem *p, int phase) {
  if (gi_is_input_grad(p->op))
    return backward_grid(p->attr, &p->in[0], &p->in[1], &p->out[0], phase);
  if (strcmp(p->op->name, "conv2d_weight_grad") == 0)
    return forward_grid(p->attr, &p->in[0], &p->out[0], &p->in[1]);
  return forward_grid(p->attr, &p->in[0], &p->in[1], &p->out[0]);
}

const char *gi_pieces_fit(const gi_conv_attr *a, const gi_type *w) {
  int pieces = 1;
  for (int d = 0; d < 2; d++) {
    line lines[LINES];
    if (w->dim[2 + d] < 2 || w->dim[2 + d] > GI_PIECE_SIDE)
      return "takes kernels of 2 to 7 on a side";
    if (a->stride.at[d] > GI_PIECE_STRIDE) return "takes stride 1 and 2";
    if (a->dilation.at[d] != 1) return "takes dilation 1";
    pieces *= lines_forward(w->dim[2 + d], a->stride.at[d], 0, lines);
  }
  const int64_t products = pieces * GI_WINOGRAD_POINTS, direct = w->dim[2] * w->dim[3];
  return 10 * products > 8 * direct * OUT * OUT ? "would save few multiplications" : NULL;
}

void gi_grid_read(const gi_grid *g, int64_t tile, const gi_piece *p, const float *from,
                  const float *zeros, const float **at) {
  const int64_t plane = g->rows * g->cols, in_image = tile % plane;
  const int64_t y = in_image / g->cols * OUT * g->step[0] + p->first[0];
  const int64_t x = in_image % g->cols * OUT * g->step[1] + p->first[1];
  const float *image = from + tile / plane * g->height * g->width * g->depth;
  for (int64_t i = y; i < y + IN * g->step[0]; i += g->step[0]) {
    const bool row = i >= 0 && i < g->height;
    for (int64_t j = x; j < x + IN * g->step[1]; j += g->step[1])
      *at++ = row && j >= 0 && j < g->width ? image + (i * g->width + j) * g->depth : zeros;
  }
}

void gi_grid_written(const gi_grid *g, int64_t tile, int64_t *cell) {
  const int64_t plane = g->rows * g->cols, in_image = tile % plane;
  const int64_t y = in_image / g->cols * OUT * g->to_step[0] + g->to_first[0];
  const int64_t x = in_image % g->cols * OUT * g->to_step[1] + g->to_first[1];
  const int64_t image = tile / plane * g->to_height;
  for (int64_t i = y; i < y + OUT * g->to_step[0]; i += g->to_step[0])
    for (int64_t j = x; j < x + OUT * g->to_step[1]; j += g->to_step[1])
      *cell++ = i < g->to_height && j < g->to_width
                    ? ((image + i) * g->to_width + j) * g->channels
                    : -1;
}
