/* thin.c - products of a few rows with a weight in panels.
 *
 * All rows go by a panel while it is near, in tiles of six rows or four, whichever leave less
 * empty; the panel behind it is called for meanwhile, since a weight that fits in no cache
 * comes from memory at every product.
 */
#include "backend/cpu/thin.h"

enum { DEPTH = 1024 }; /* most numbers summed before a sum goes to memory */

void gi_thin_size(gi_thin *w) {
  w->isa = gi_cpu_isa();
  const int64_t width = w->isa->product->width;
  w->blocks = (w->columns + width - 1) / width;
}

int64_t gi_thin_floats(const gi_thin *w) {
  return w->blocks * w->gates * w->depth * w->isa->product->width;
}

/* ---- packing ----------------------------------------------------------------------------- */

static void pack_panel(void *user, int64_t panel) {
  const gi_thin *w = user;
  const gi_product_loops *loops = w->isa->product;
  const int64_t width = loops->width, block = panel / w->gates;
  const int64_t n = GI_MIN(width, w->columns - block * width);
  const float *from = w->from + panel % w->gates * w->gate + block * width * w->outer;
  float *to = w->panels + panel * w->depth * width;
  if (n == width && w->outer == 1) {
    loops->pack(from, w->inner, w->depth, to);
    return;
  }
  const gi_rectangle r = {.rows = w->depth,
                          .cols = n,
                          .from_row = w->inner,
                          .from_col = w->outer,
                          .to_row = width,
                          .to_col = 1,
                          .size = sizeof(float)};
  if (n < width) memset(to, 0, (size_t)(w->depth * width) * sizeof *to);
  w->isa->move_rectangle(&r, from, to);
}

void gi_thin_pack(const gi_thin *w, int threads) {
  gi_thin copy = *w;
  if (!w->kept) gi_cpu_for(threads, w->blocks * w->gates, pack_panel, &copy);
}

/* ---- products ---------------------------------------------------------------------------- */

/* How many of the tiles of n rows shall be of GI_PRODUCT_FEW, so that least is computed. */
static int64_t few_tiles(int64_t n) {
  int64_t best = 0, least = INT64_MAX;
  for (int64_t few = 0; few < 3; few++) {
    const int64_t rest = GI_MAX(n - few * GI_PRODUCT_FEW, 0);
    const int64_t whole = (rest + GI_PRODUCT_ROWS - 1) / GI_PRODUCT_ROWS;
    const int64_t computed = whole * GI_PRODUCT_ROWS + few * GI_PRODUCT_FEW;
    if (computed < least) least = computed, best = few;
  }
  return best;
}

void gi_thin_multiply(const gi_thin *w, int64_t block, int64_t gate, gi_thin_left *left,
                      const void *user, gi_thin_rows rows, gi_thin_target to) {
  const gi_product_loops *loops = w->isa->product;
  const int64_t width = loops->width, blocks = (w->depth + DEPTH - 1) / DEPTH;
  const float *panel = w->panels + (block * w->gates + gate) * w->depth * width;
  const int64_t few = few_tiles(rows.last - rows.first);
  const int64_t whole_end = rows.last - few * GI_PRODUCT_FEW; /* of tiles of six */
  const bool last_panel = block == w->blocks - 1 && gate == w->gates - 1;
  gi_product_tiles t = {.a_step = 1,
                        .row_step = to.row_step,
                        .col_step = 1,
                        .cols = GI_MIN(width, w->columns - block * width)};
  for (int64_t k = 0; k < blocks; k++) {
    const int64_t from = w->depth * k / blocks;
    t.panels = panel + from * width;
    t.depth = w->depth * (k + 1) / blocks - from;
    t.add = to.add || k > 0;
    t.col_bias = k == 0 ? to.bias : NULL;
    const int64_t tiles =
        few + (whole_end - rows.first + GI_PRODUCT_ROWS - 1) / GI_PRODUCT_ROWS;
    for (int64_t n = rows.first, i = 0, step; n < rows.last; n += step, i++) {
      const int64_t end = n < whole_end ? whole_end : rows.last;
      step = GI_MIN(n < whole_end ? GI_PRODUCT_ROWS : GI_PRODUCT_FEW, end - n);
      t.rows = (int)step;
      t.c = to.c + n * to.row_step;
      t.added = k == 0 && to.added != NULL ? to.added + n * to.row_step : NULL;
      for (int r = 0; r < GI_PRODUCT_ROWS; r++)
        t.a[r] = left(user, GI_MIN(n + r, rows.last - 1)) + from;
      /* each tile calls for its part of the panel behind this one */
      t.next =
          (gi_product_ahead){.at = t.panels + w->depth * width + t.depth * i / tiles * width,
                             .count = !last_panel,
                             .step = (width + tiles - 1) / tiles};
      loops->tiles(&t);
    }
  }
}
