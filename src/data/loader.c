/* loader.c - batches of a data set, read ahead on worker threads.
 *
 *   order[] -> batch b = order[b * B .. b * B + B) -> slot b mod S -> glia_loader_next
 *
 * A ring of S slots lies between the workers and the caller. A worker takes the next batch
 * number once its slot is empty, fills the whole batch (read, normalise, collate) and marks it
 * ready; the caller takes the batches in number order. What a slot holds is a function of the
 * batch number alone, hence of (seed, epoch): the number of workers and their luck change
 * nothing.
 *
 * EMPTY --worker takes it--> FILLING --filled--> READY --handed out--> LENT --next call-->
 * EMPTY
 *
 * Samples that cannot be read are left out of their batch. The slot carries their messages, and
 * the caller's thread lists them when the batch is handed out, so that the list too is the same
 * for any number of workers.
 */
#include <inttypes.h>
#include <stdatomic.h>

#include "data/dataset.h"
#include "tensor/tensor.h"

enum { BATCH = 64, PREFETCH = 4, MESSAGES = 100, WORKERS_MOST = 256 };

typedef struct failure {
  int64_t index;
  glia_status status;
  char *message; /* NULL: there was no memory for it */
} failure;

typedef enum slot_state { EMPTY, FILLING, READY, LENT } slot_state;

typedef struct slot {
  slot_state state;
  float *x;       /* [B, ...] */
  void *y;        /* int64_t [B] or float [B, K] */
  int64_t *index; /* [B] */
  int64_t count;  /* samples that could be read */
  GI_VEC(failure) failures;
  glia_status status;    /* NOMEM and the like, which are no sample's fault */
  glia_tensor *x_tensor; /* views of the first `viewed` samples */
  glia_tensor *y_tensor;
  int64_t viewed; /* -1: none yet */
} slot;

struct glia_loader {
  const glia_dataset *data;
  const glia_sample_spec *spec;
  glia_loader_opts opt; /* with defaults filled in */
  int64_t elements, batches;
  int64_t *order;
  slot *slots;
  int n_slots;

  gi_mutex *mutex; /* guards slot states, taken, busy, running and quit */
  gi_cond *work;   /* a slot was emptied, an epoch was started, or it is over */
  gi_cond *done;   /* a slot was filled, or a worker fell idle */
  int64_t taken;   /* batches of this epoch that workers took */
  int busy;        /* workers that are filling a slot */
  bool running, quit;
  atomic_bool cancel; /* fill no further: the epoch is being left */
  gi_thread **threads;
  int n_threads;

  /* The caller's thread only. */
  bool started;
  int64_t from, at; /* batches: first of this epoch, next to hand out */
  slot *lent;
  int64_t delivered;   /* samples of this epoch */
  void *scratch;       /* one stored sample, where there are no workers */
  unsigned char *seen; /* one bit a sample: it was listed */
  int64_t skipped;
  GI_VEC(char *) messages;
};

/* ---- filling a slot (any thread) --------------------------------------------------------- */

static void clear_failures(slot *s) {
  for (size_t i = 0; i < s->failures.n; i++) gi_free(s->failures.at[i].message);
  s->failures.n = 0;
}

/* Not the sample's fault: the epoch cannot go on. */
static bool is_fatal(glia_status s) { return s == GLIA_NOMEM || s == GLIA_CANCELLED; }

static void fill(const glia_loader *l, slot *s, int64_t batch, void *stored) {
  const int64_t begin = batch * l->opt.batch, n = glia_dataset_count(l->data);
  const int64_t end = GI_MIN(begin + l->opt.batch, n);
  const size_t target = gi_target_bytes(l->spec);
  s->count = 0;
  s->status = GLIA_OK;
  clear_failures(s);
  for (int64_t i = begin; i < end && !atomic_load(&l->cancel); i++) {
    char *y = (char *)s->y + (size_t)s->count * target;
    const glia_status status = glia_dataset_read(l->data, l->order[i], stored, y);
    if (status == GLIA_OK) {
      glia_normalise_apply(l->opt.normalise, l->spec, stored, s->x + s->count * l->elements);
      s->index[s->count++] = l->order[i];
      continue;
    }
    const failure f = {l->order[i], status, gi_strdup(glia_error_message())};
    if (!gi_vec_push(&s->failures, f)) {
      gi_free(f.message);
      s->status = GLIA_NOMEM;
      return;
    }
    if (is_fatal(status) || l->opt.strict) return;
  }
}

/* ---- workers ----------------------------------------------------------------------------- */

static slot *slot_of(const glia_loader *l, int64_t batch) {
  return &l->slots[batch % l->n_slots];
}

static bool can_take(const glia_loader *l) {
  return l->running && l->taken < l->batches && slot_of(l, l->taken)->state == EMPTY;
}

static void work(void *user) {
  glia_loader *l = user;
  void *stored = gi_alloc(GI_MAX(gi_sample_bytes(l->spec), 1));
  gi_thread_give_way(); /* batches are prepared ahead: the step that runs comes first */
  gi_lock(l->mutex);
  for (;;) {
    while (!l->quit && !can_take(l)) gi_wait(l->work, l->mutex);
    if (l->quit) break;
    const int64_t batch = l->taken++;
    slot *s = slot_of(l, batch);
    s->state = FILLING;
    l->busy++;
    gi_unlock(l->mutex);
    if (stored != NULL) {
      fill(l, s, batch, stored);
    } else {
      s->count = 0;
      s->status = GLIA_NOMEM;
    }
    gi_lock(l->mutex);
    s->state = READY;
    l->busy--;
    gi_wake_all(l->done);
  }
  gi_unlock(l->mutex);
  gi_free(stored);
}

/* Stops handing out work and waits until no worker touches a slot. */
static void quiesce(glia_loader *l) {
  if (l->mutex == NULL) return;
  atomic_store(&l->cancel, true);
  gi_lock(l->mutex);
  l->running = false;
  while (l->busy > 0) gi_wait(l->done, l->mutex);
  gi_unlock(l->mutex);
  atomic_store(&l->cancel, false);
}

/* ---- making and freeing ------------------------------------------------------------------ */

static glia_status new_slot(const glia_loader *l, slot *s) {
  const size_t batch = (size_t)l->opt.batch;
  size_t x, y;
  if (!gi_mul_size(batch * sizeof(float), (size_t)l->elements, &x) ||
      !gi_mul_size(batch, gi_target_bytes(l->spec), &y))
    return gi_fail(GLIA_NOMEM, "loader: batches of %d samples overflow", l->opt.batch);
  s->viewed = -1;
  s->x = gi_alloc_aligned(GI_MAX(x, 1));
  s->y = gi_alloc_aligned(y);
  s->index = gi_alloc(batch * sizeof *s->index);
  return s->x != NULL && s->y != NULL && s->index != NULL ? GLIA_OK : gi_fail_nomem(x);
}

static void clear_slot(slot *s) {
  glia_tensor_free(s->x_tensor);
  glia_tensor_free(s->y_tensor);
  clear_failures(s);
  gi_vec_free(&s->failures);
  gi_free(s->index);
  gi_free_aligned(s->x);
  gi_free_aligned(s->y);
}

static glia_status check_options(glia_loader_opts *o) {
  if (o->batch == 0) o->batch = BATCH;
  if (o->prefetch == 0) o->prefetch = PREFETCH;
  if (o->workers == 0) o->workers = 1;
  if (o->batch < 0)
    return gi_fail(GLIA_INVALID, "loader: batch is %d, wanted above 0", o->batch);
  if (o->prefetch < 0)
    return gi_fail(GLIA_INVALID, "loader: prefetch is %d, wanted above 0", o->prefetch);
  if (o->workers < -1 || o->workers > WORKERS_MOST)
    return gi_fail(GLIA_INVALID, "loader: %d workers, wanted -1 (none) to %d", o->workers,
                   WORKERS_MOST);
  return GLIA_OK;
}

static glia_status check_normalise(const glia_normalise *n, const glia_sample_spec *s) {
  if (n == NULL || n->n <= 1) return GLIA_OK;
  if ((s->rank == 3 || s->rank == 1) && s->shape[0] == n->n) return GLIA_OK;
  return gi_fail(GLIA_SHAPE,
                 "loader: normalisation has %d channels or columns, samples have %" PRId64,
                 n->n, s->rank > 0 ? s->shape[0] : 1);
}

static glia_status start_threads(glia_loader *l) {
  if (l->opt.workers < 0) {
    l->scratch = gi_alloc(GI_MAX(gi_sample_bytes(l->spec), 1));
    return l->scratch != NULL ? GLIA_OK : gi_fail_nomem(gi_sample_bytes(l->spec));
  }
  GI_TRY(gi_mutex_new(&l->mutex));
  GI_TRY(gi_cond_new(&l->work));
  GI_TRY(gi_cond_new(&l->done));
  l->threads = gi_alloc((size_t)l->opt.workers * sizeof(gi_thread *));
  if (l->threads == NULL) return gi_fail_nomem((size_t)l->opt.workers * sizeof(gi_thread *));
  for (; l->n_threads < l->opt.workers; l->n_threads++)
    GI_TRY(gi_thread_new(work, l, &l->threads[l->n_threads]));
  return GLIA_OK;
}

static glia_status build(glia_loader *l) {
  const int64_t n = glia_dataset_count(l->data), batch = l->opt.batch;
  l->elements = gi_sample_elements(l->spec);
  l->batches = l->opt.drop_last ? n / batch : n / batch + (n % batch != 0);
  const size_t bytes = (size_t)GI_MAX(n, 1) * sizeof *l->order;
  l->order = gi_alloc(bytes);
  if (l->order == NULL) return gi_fail_nomem(bytes);
  /* One slot is lent to the caller; the others are ready or being filled. */
  l->n_slots = l->opt.workers < 0 ? 1 : 1 + GI_MAX(l->opt.prefetch, l->opt.workers);
  l->slots = gi_alloc((size_t)l->n_slots * sizeof *l->slots);
  if (l->slots == NULL) return gi_fail_nomem((size_t)l->n_slots * sizeof *l->slots);
  for (int i = 0; i < l->n_slots; i++) GI_TRY(new_slot(l, &l->slots[i]));
  return start_threads(l);
}

glia_status glia_loader_new(const glia_dataset *d, const glia_loader_opts *opt,
                            glia_loader **out) {
  if (d == NULL || out == NULL)
    return gi_fail(GLIA_INVALID, "loader: no data set, or nowhere to put the loader");
  glia_loader_opts o;
  gi_data_options(&o, sizeof o, opt);
  GI_TRY(check_options(&o));
  GI_TRY(check_normalise(o.normalise, glia_dataset_spec(d)));
  glia_loader *l = gi_alloc(sizeof *l);
  if (l == NULL) return gi_fail_nomem(sizeof *l);
  l->data = d;
  l->spec = glia_dataset_spec(d);
  l->opt = o;
  atomic_init(&l->cancel, false);
  const glia_status status = build(l);
  if (status != GLIA_OK) {
    glia_loader_free(l);
    return status;
  }
  *out = l;
  return GLIA_OK;
}

void glia_loader_free(glia_loader *l) {
  if (l == NULL) return;
  if (l->n_threads > 0) {
    atomic_store(&l->cancel, true);
    gi_lock(l->mutex);
    l->quit = true;
    gi_wake_all(l->work);
    gi_unlock(l->mutex);
    for (int i = 0; i < l->n_threads; i++) gi_thread_join(l->threads[i]);
  }
  gi_free(l->threads);
  gi_cond_free(l->done);
  gi_cond_free(l->work);
  gi_mutex_free(l->mutex);
  for (int i = 0; l->slots != NULL && i < l->n_slots; i++) clear_slot(&l->slots[i]);
  gi_free(l->slots);
  gi_free(l->order);
  gi_free(l->scratch);
  gi_free(l->seen);
  for (size_t i = 0; i < l->messages.n; i++) gi_free(l->messages.at[i]);
  gi_vec_free(&l->messages);
  gi_free(l);
}

/* ---- an epoch ---------------------------------------------------------------------------- */

static void set_order(glia_loader *l, int64_t epoch) {
  const int64_t n = glia_dataset_count(l->data);
  for (int64_t i = 0; i < n; i++) l->order[i] = i;
  if (!l->opt.shuffle) return;
  const gi_rng rng = {
      .seed = l->opt.seed, .stream = gi_hash_str("data.loader", 0), .step = (uint64_t)epoch};
  gi_rng_shuffle(&rng, l->order, n);
}

glia_status glia_loader_start_at(glia_loader *l, int64_t epoch, int64_t batch) {
  if (epoch < 0 || batch < 0 || batch > l->batches)
    return gi_fail(GLIA_INVALID,
                   "loader: epoch %" PRId64 ", batch %" PRId64
                   ", wanted 0 or more, and 0 to %" PRId64,
                   epoch, batch, l->batches);
  quiesce(l);
  for (int i = 0; i < l->n_slots; i++) {
    l->slots[i].state = EMPTY;
    clear_failures(&l->slots[i]);
  }
  set_order(l, epoch);
  l->started = true;
  l->lent = NULL;
  l->from = l->at = l->taken = batch;
  l->delivered = 0;
  if (l->mutex != NULL) {
    gi_lock(l->mutex);
    l->running = true;
    gi_wake_all(l->work);
    gi_unlock(l->mutex);
  }
  return GLIA_OK;
}

glia_status glia_loader_start(glia_loader *l, int64_t epoch) {
  return glia_loader_start_at(l, epoch, 0);
}

/* Slot of batch l->at, filled. */
static slot *take_ready(glia_loader *l) {
  slot *s = slot_of(l, l->at);
  if (l->mutex == NULL) {
    if (s->state == EMPTY) fill(l, s, l->at, l->scratch);
    s->state = READY;
    return s;
  }
  gi_lock(l->mutex);
  while (s->state != READY) gi_wait(l->done, l->mutex);
  gi_unlock(l->mutex);
  return s;
}

static void set_state(glia_loader *l, slot *s, slot_state state) {
  if (l->mutex == NULL) {
    s->state = state;
    return;
  }
  gi_lock(l->mutex);
  s->state = state;
  if (state == EMPTY) gi_wake_all(l->work);
  gi_unlock(l->mutex);
}

/* Counts and lists a sample that could not be read, once. */
static glia_status list_skipped(glia_loader *l, failure *f) {
  if (l->seen == NULL) {
    const size_t bytes = (size_t)glia_dataset_count(l->data) / 8 + 1;
    l->seen = gi_alloc(bytes);
    if (l->seen == NULL) return gi_fail_nomem(bytes);
  }
  unsigned char *byte = &l->seen[f->index / 8];
  const unsigned char bit = (unsigned char)(1u << (f->index % 8));
  if ((*byte & bit) != 0) return GLIA_OK;
  if (l->messages.n < MESSAGES) {
    if (!gi_vec_reserve(&l->messages, l->messages.n + 1)) return gi_fail_nomem(sizeof(char *));
    if (f->message == NULL) f->message = gi_strdup(glia_status_text(f->status));
    if (f->message == NULL) return gi_fail_nomem(sizeof(char *));
    gi_log(GLIA_LOG_WARN, "skipped: %s", f->message);
    l->messages.at[l->messages.n++] = f->message;
    f->message = NULL; /* moved to the list */
  }
  *byte |= bit;
  l->skipped++;
  return GLIA_OK;
}

/* What went wrong in a slot: a failure that ends the epoch, or samples to list. */
static glia_status account(glia_loader *l, slot *s) {
  if (s->status != GLIA_OK)
    return gi_fail(s->status, "loader: batch %" PRId64 ": %s", l->at,
                   glia_status_text(s->status));
  for (size_t i = 0; i < s->failures.n; i++) {
    failure *f = &s->failures.at[i];
    if (l->opt.strict || is_fatal(f->status))
      return gi_fail(f->status, "%s",
                     f->message != NULL ? f->message : glia_status_text(f->status));
    GI_TRY(list_skipped(l, f));
  }
  clear_failures(s);
  return GLIA_OK;
}

static glia_status view(const glia_loader *l, slot *s) {
  if (s->viewed == s->count) return GLIA_OK;
  glia_tensor_free(s->x_tensor);
  glia_tensor_free(s->y_tensor);
  s->x_tensor = s->y_tensor = NULL;
  s->viewed = -1;
  int64_t shape[GLIA_MAX_RANK] = {s->count};
  memcpy(shape + 1, l->spec->shape, (size_t)l->spec->rank * sizeof *shape);
  GI_TRY(glia_tensor_wrap(GLIA_F32, l->spec->rank + 1, shape, s->x, &s->x_tensor));
  const bool classes = l->spec->classes > 0;
  const int64_t target[2] = {s->count, l->spec->targets};
  GI_TRY(glia_tensor_wrap(classes ? GLIA_I64 : GLIA_F32, classes ? 1 : 2, target, s->y,
                          &s->y_tensor));
  s->viewed = s->count;
  return GLIA_OK;
}

static glia_status end_epoch(const glia_loader *l, glia_batch *out) {
  if (l->from == 0 && l->batches > 0 && l->delivered == 0 && l->messages.n > 0)
    return gi_fail(GLIA_DATA, "loader: no sample can be read; the first: %s",
                   l->messages.at[0]);
  *out = (glia_batch){0};
  return GLIA_OK;
}

glia_status glia_loader_next(glia_loader *l, glia_batch *out) {
  if (!l->started) GI_TRY(glia_loader_start(l, 0));
  if (l->lent != NULL) {
    set_state(l, l->lent, EMPTY);
    l->lent = NULL;
    l->at++;
  }
  for (; l->at < l->batches; l->at++) {
    slot *s = take_ready(l);
    GI_TRY(account(l, s)); /* the slot stays ready: the next call fails again */
    if (s->count == 0) {   /* nothing of it could be read */
      set_state(l, s, EMPTY);
      continue;
    }
    GI_TRY(view(l, s));
    set_state(l, s, LENT);
    l->lent = s;
    l->delivered += s->count;
    *out = (glia_batch){s->x_tensor, s->y_tensor, s->index, s->count};
    return GLIA_OK;
  }
  return end_epoch(l, out);
}

/* ---- asking ------------------------------------------------------------------------------ */

int64_t glia_loader_batches(const glia_loader *l) { return l->batches; }

size_t glia_loader_bytes(const glia_loader *l) {
  const size_t sample = (size_t)l->elements * sizeof(float) + gi_target_bytes(l->spec);
  return (size_t)l->n_slots * (size_t)l->opt.batch * (sample + sizeof(int64_t));
}

const glia_dataset *glia_loader_dataset(const glia_loader *l) { return l->data; }

int64_t glia_loader_skipped(const glia_loader *l) { return l->skipped; }

const char *glia_loader_skipped_message(const glia_loader *l, int64_t i) {
  return i >= 0 && (size_t)i < l->messages.n ? l->messages.at[i] : NULL;
}
