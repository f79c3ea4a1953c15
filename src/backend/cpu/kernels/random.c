/* random.c - dropout, uniform and normal numbers by vectors of Philox.
 *
 * An element's number depends on its place in logical order. Channels-last, neighbours in
 * memory are H W places apart there; four rows (places w .. w + 3) of all channels then share
 * their blocks, if H W is a multiple of four. Else dropout asks for the plain layout.
 */
#include <math.h>

#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  CHUNK = 4096,  /* elements that are drawn together; a multiple of 4 */
  PART = 1 << 15 /* elements worth a thread */
};

typedef struct state {
  uint64_t stream;
  int64_t count;
  int64_t channels, plane; /* channels-last dropout; else 0 */
  uint32_t least;          /* dropout: of 2^24 */
  float scale, a, b;
  bool normal;
  int threads;
  const gi_chance_loops *loops;
  /* for the time of a run */
  gi_stream drawn;
  const float *x;
  float *y;
} state;

static const char *fits_dropout(const gi_problem *p) {
  return p->in[0].dtype == GLIA_F32 ? NULL : "takes f32 only";
}
static const char *fits_random(const gi_problem *p) {
  return p->out[0].dtype == GLIA_F32 ? NULL : "gives f32 only";
}

static bool rows_of_four(const gi_type *t) {
  return t->rank == 4 && t->dim[2] * t->dim[3] % 4 == 0;
}

static bool layouts(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  if (choice == 1) in[0] = out[0] = GI_CHANNELS_LAST;
  return choice == 0 || (choice == 1 && rows_of_four(&p->in[0]));
}

static glia_status new_state(const gi_problem *p, uint64_t stream, gi_prepared *out,
                             state **made) {
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->stream = stream;
  s->count = gi_type_count(&p->out[0]);
  s->threads = gi_cpu_parts(p->threads, s->count, PART);
  s->loops = gi_cpu_isa()->chance;
  out->state = *made = s;
  out->scratch = 0;
  return GLIA_OK;
}

static glia_status prepare_dropout(const gi_problem *p, gi_prepared *out) {
  const gi_dropout_attr *a = p->attr;
  state *s = NULL;
  GI_TRY(new_state(p, a->stream, out, &s));
  s->least = (uint32_t)ceil(a->p * 0x1p24);
  s->scale = a->p < 1 ? (float)(1 / (1 - a->p)) : 0.0f;
  if (p->in_layout[0] == GI_CHANNELS_LAST && p->in[0].rank == 4) {
    s->channels = p->in[0].dim[1];
    s->plane = p->in[0].dim[2] * p->in[0].dim[3];
  }
  return GLIA_OK;
}

static glia_status prepare_random(const gi_problem *p, gi_prepared *out) {
  const gi_random_attr *a = p->attr;
  state *s = NULL;
  GI_TRY(new_state(p, a->stream, out, &s));
  s->normal = strcmp(p->op->name, "random_normal") == 0;
  s->a = (float)a->a;
  s->b = (float)(s->normal ? a->b : a->b - a->a);
  return GLIA_OK;
}

static void drop_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t first = part * CHUNK;
  s->loops->drop(&s->drawn, (uint64_t)first, GI_MIN(CHUNK, s->count - first), s->least,
                 s->scale, s->x + first, s->y + first);
}

/* Four neighbouring places of one image's plane, all channels. */
static void drop_rows_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t image = part * 4 / s->plane, place = part * 4 % s->plane;
  const int64_t logical = image * s->channels * s->plane + place, at = part * 4 * s->channels;
  s->loops->drop_rows(&s->drawn, (uint64_t)logical, (uint64_t)s->plane, s->channels,
                      s->channels, s->least, s->scale, s->x + at, s->y + at);
}

static void random_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t first = part * CHUNK;
  (s->normal ? s->loops->normal : s->loops->uniform)(
      &s->drawn, (uint64_t)first, GI_MIN(CHUNK, s->count - first), s->a, s->b, s->y + first);
}

static glia_status run(const gi_exec *x, void (*part)(void *, int64_t), int64_t parts) {
  state *s = x->state;
  s->drawn = (gi_stream){x->clock->seed ^ s->stream, x->clock->step};
  s->y = x->out[0];
  gi_cpu_for(s->threads, parts, part, s);
  return GLIA_OK;
}

static glia_status run_dropout(const gi_exec *x) {
  state *s = x->state;
  s->x = x->in[0];
  if (s->channels > 0) return run(x, drop_rows_part, s->count / s->channels / 4);
  return run(x, drop_part, (s->count + CHUNK - 1) / CHUNK);
}

static glia_status run_random(const gi_exec *x) {
  const state *s = x->state;
  return run(x, random_part, (s->count + CHUNK - 1) / CHUNK);
}

static const gi_kernel dropout = {
    .op = "dropout",
    .name = "philox_vector",
    .fits = fits_dropout,
    .layouts = layouts,
    .prepare = prepare_dropout,
    .run = run_dropout,
    .release = gi_free,
};
static const gi_kernel random_uniform = {
    .op = "random_uniform",
    .name = "philox_vector",
    .fits = fits_random,
    .prepare = prepare_random,
    .run = run_random,
    .release = gi_free,
};
static const gi_kernel random_normal = {
    .op = "random_normal",
    .name = "philox_vector",
    .fits = fits_random,
    .prepare = prepare_random,
    .run = run_random,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_random[] = {&dropout, &random_uniform, &random_normal,
                                                  NULL};
