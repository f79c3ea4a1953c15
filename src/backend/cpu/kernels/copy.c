/* copy.c - ops that move elements and change none: reorder, permute, flip, broadcast_to, slice,
 * place, pad, concat. Each is a copy (or one a part) between two arrangements of strides; place
 * and pad fill the whole result first. All dtypes; slices and their like also channels-last.
 */
#include "backend/cpu/copy.h"
#include "ops/attrs.h"

typedef struct state {
  size_t fill_bytes; /* 0: nothing is filled */
  size_t fill_size;  /* bytes of the value */
  _Alignas(8) unsigned char fill[8];
  int n;
  gi_copy copies[]; /* from input i to output 0 */
} state;

static glia_status new_state(int n, gi_prepared *out, state **made) {
  const size_t bytes = sizeof(state) + (size_t)n * sizeof(gi_copy);
  state *s = gi_alloc(bytes);
  if (s == NULL) return gi_fail_nomem(bytes);
  s->n = n;
  out->state = *made = s;
  out->scratch = 0;
  return GLIA_OK;
}

static void plan(gi_copy *c, const gi_problem *p, const gi_type *shape, int64_t from_first,
                 const int64_t *from, int64_t to_first, const int64_t *to) {
  gi_copy_plan(c, shape->rank, shape->dim, from_first, from, to_first, to,
               glia_dtype_size(shape->dtype), p->threads);
}

/* ---- the same elements in another order ------------------------------------------------- */

static glia_status prepare_reorder(const gi_problem *p, gi_prepared *out) {
  const gi_reorder_attr *a = p->attr;
  int64_t from[GLIA_MAX_RANK], to[GLIA_MAX_RANK];
  state *s = NULL;
  GI_TRY(new_state(1, out, &s));
  gi_layout_strides(&p->in[0], (gi_layout)a->from, from);
  gi_layout_strides(&p->in[0], (gi_layout)a->to, to);
  plan(&s->copies[0], p, &p->in[0], 0, from, 0, to);
  return GLIA_OK;
}

static bool layouts_reorder(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  const gi_reorder_attr *a = p->attr;
  in[0] = (gi_layout)a->from;
  out[0] = (gi_layout)a->to;
  return choice == 0;
}

static glia_status prepare_permute(const gi_problem *p, gi_prepared *out) {
  const gi_dims *axes = &((const gi_permute_attr *)p->attr)->axes;
  int64_t own[GLIA_MAX_RANK], from[GLIA_MAX_RANK], to[GLIA_MAX_RANK];
  state *s = NULL;
  GI_TRY(new_state(1, out, &s));
  gi_type_strides(&p->in[0], own);
  gi_type_strides(&p->out[0], to);
  for (int d = 0; d < axes->n; d++) from[d] = own[axes->at[d]];
  plan(&s->copies[0], p, &p->out[0], 0, from, 0, to);
  return GLIA_OK;
}

/* A flipped axis is read from its end, with steps back. */
static glia_status prepare_flip(const gi_problem *p, gi_prepared *out) {
  const gi_dims *axes = &((const gi_permute_attr *)p->attr)->axes;
  int64_t from[GLIA_MAX_RANK], to[GLIA_MAX_RANK], first = 0;
  state *s = NULL;
  GI_TRY(new_state(1, out, &s));
  gi_type_strides(&p->in[0], from);
  gi_type_strides(&p->out[0], to);
  for (int k = 0; k < axes->n; k++) {
    const int64_t d = axes->at[k];
    first += (p->in[0].dim[d] - 1) * from[d];
    from[d] = -from[d];
  }
  plan(&s->copies[0], p, &p->out[0], gi_type_count(&p->in[0]) > 0 ? first : 0, from, 0, to);
  return GLIA_OK;
}

static glia_status prepare_broadcast(const gi_problem *p, gi_prepared *out) {
  int64_t from[GLIA_MAX_RANK], to[GLIA_MAX_RANK];
  state *s = NULL;
  GI_TRY(new_state(1, out, &s));
  gi_broadcast_strides(&p->in[0], &p->out[0], from);
  gi_type_strides(&p->out[0], to);
  plan(&s->copies[0], p, &p->out[0], 0, from, 0, to);
  return GLIA_OK;
}

/* ---- parts of one another --------------------------------------------------------------- */

/* Such ops move whole axes in any layout. */
static bool layouts_any(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  for (int i = 0; i < p->n_in && choice == 1; i++) in[i] = GI_CHANNELS_LAST;
  if (choice == 1) out[0] = GI_CHANNELS_LAST;
  return choice == 0 || (choice == 1 && p->out[0].rank == 4);
}

static void strides_of(const gi_problem *p, int64_t *in, int64_t *out) {
  gi_layout_strides(&p->in[0], p->in_layout[0], in);
  gi_layout_strides(&p->out[0], p->out_layout[0], out);
}

static glia_status prepare_slice(const gi_problem *p, gi_prepared *out) {
  const gi_slice_attr *a = p->attr;
  int64_t from[GLIA_MAX_RANK], to[GLIA_MAX_RANK];
  state *s = NULL;
  GI_TRY(new_state(1, out, &s));
  strides_of(p, from, to);
  const int64_t first = a->begin * from[a->axis];
  from[a->axis] *= a->step;
  plan(&s->copies[0], p, &p->out[0], first, from, 0, to);
  return GLIA_OK;
}

static void set_fill(state *s, const gi_type *t, double value) {
  s->fill_bytes = gi_type_bytes(t);
  s->fill_size = glia_dtype_size(t->dtype);
  gi_store(t->dtype, s->fill, 0, value);
}

static glia_status prepare_place(const gi_problem *p, gi_prepared *out) {
  const gi_place_attr *a = p->attr;
  int64_t from[GLIA_MAX_RANK], to[GLIA_MAX_RANK];
  state *s = NULL;
  GI_TRY(new_state(1, out, &s));
  strides_of(p, from, to);
  const int64_t first = a->begin * to[a->axis];
  to[a->axis] *= a->step;
  set_fill(s, &p->out[0], 0);
  plan(&s->copies[0], p, &p->in[0], 0, from, first, to);
  return GLIA_OK;
}

static glia_status prepare_pad(const gi_problem *p, gi_prepared *out) {
  const gi_pad_attr *a = p->attr;
  int64_t from[GLIA_MAX_RANK], to[GLIA_MAX_RANK], first = 0;
  state *s = NULL;
  GI_TRY(new_state(1, out, &s));
  strides_of(p, from, to);
  for (int d = 0; d < p->in[0].rank; d++) first += a->before.at[d] * to[d];
  set_fill(s, &p->out[0], a->value);
  plan(&s->copies[0], p, &p->in[0], 0, from, first, to);
  return GLIA_OK;
}

static glia_status prepare_concat(const gi_problem *p, gi_prepared *out) {
  const int64_t axis = ((const gi_axis_attr *)p->attr)->axis;
  int64_t from[GLIA_MAX_RANK], to[GLIA_MAX_RANK], begin = 0;
  state *s = NULL;
  GI_TRY(new_state(p->n_in, out, &s));
  gi_layout_strides(&p->out[0], p->out_layout[0], to);
  for (int i = 0; i < p->n_in; i++) {
    gi_layout_strides(&p->in[i], p->in_layout[i], from);
    plan(&s->copies[i], p, &p->in[i], 0, from, begin * to[axis], to);
    begin += p->in[i].dim[axis];
  }
  return GLIA_OK;
}

/* ---- running ---------------------------------------------------------------------------- */

/* The value is written once, and then what is written is doubled. */
static void fill(const state *s, unsigned char *to) {
  size_t done = s->fill_size;
  memcpy(to, s->fill, done);
  while (done < s->fill_bytes) {
    const size_t n = GI_MIN(GI_MIN(done, s->fill_bytes - done), (size_t)1 << 15);
    memcpy(to + done, to, n);
    done += n;
  }
}

static glia_status run(const gi_exec *x) {
  const state *s = x->state;
  if (s->fill_bytes > 0) fill(s, x->out[0]);
  for (int i = 0; i < s->n; i++) gi_copy_run(&s->copies[i], x->in[i], x->out[0]);
  return GLIA_OK;
}

static const gi_kernel reorder = {
    .ops = {"reorder"},
    .name = "copy_strided",
    .layouts = layouts_reorder,
    .prepare = prepare_reorder,
    .run = run,
    .release = gi_free,
};
static const gi_kernel permute = {
    .ops = {"permute"},
    .name = "copy_strided",
    .prepare = prepare_permute,
    .run = run,
    .release = gi_free,
};
static const gi_kernel flip = {
    .ops = {"flip"},
    .name = "copy_strided",
    .prepare = prepare_flip,
    .run = run,
    .release = gi_free,
};
static const gi_kernel broadcast_to = {
    .ops = {"broadcast_to"},
    .name = "copy_strided",
    .prepare = prepare_broadcast,
    .run = run,
    .release = gi_free,
};
static const gi_kernel slice = {
    .ops = {"slice"},
    .name = "copy_strided",
    .layouts = layouts_any,
    .prepare = prepare_slice,
    .run = run,
    .release = gi_free,
};
static const gi_kernel place = {
    .ops = {"place"},
    .name = "copy_strided",
    .layouts = layouts_any,
    .prepare = prepare_place,
    .run = run,
    .release = gi_free,
};
static const gi_kernel pad = {
    .ops = {"pad"},
    .name = "copy_strided",
    .layouts = layouts_any,
    .prepare = prepare_pad,
    .run = run,
    .release = gi_free,
};
static const gi_kernel concat = {
    .ops = {"concat"},
    .name = "copy_strided",
    .layouts = layouts_any,
    .prepare = prepare_concat,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_copy[] = {
    &reorder, &permute, &flip, &broadcast_to, &slice, &place, &pad, &concat, NULL};
