/* run.c - runs: made, resumed, opened, trained, measured, asked. */
#include "train/run.h"

/* ---- the network that suits the data ----------------------------------------------------- */

char *gi_default_net(const glia_sample_spec *spec) {
  gi_str out = {0};
  const int width = spec->classes > 0 ? spec->classes : spec->targets;
  if (spec->rank == 3) {
    int64_t side = GI_MIN(spec->shape[1], spec->shape[2]);
    for (int filters = 32; side >= 8; filters = GI_MIN(filters * 2, 256), side /= 2)
      gi_str_printf(&out, "conv2d %d 3x3 relu same\nconv2d %d 3x3 relu same\nmax_pool2d 2\n",
                    filters, filters);
    gi_str_puts(&out, "dropout 0.25\nflatten\ndense 128 relu\ndropout 0.5\n");
  } else {
    if (spec->rank > 1) gi_str_puts(&out, "flatten\n");
    gi_str_puts(&out, "dense 64 relu\ndense 32 relu\n");
  }
  gi_str_printf(&out, "dense %d\n", width);
  return gi_str_take(&out);
}

/* ---- data -------------------------------------------------------------------------------- */

static glia_data_opts data_opts(const glia_run *r) {
  const glia_train_opts *o = &r->o;
  glia_data_opts d = {
      .size = sizeof d,
      .image = {.size = sizeof d.image},
      .csv = {.size = sizeof d.csv, .target = o->target, .regression = o->regression}};
  return d;
}

static glia_status open_data(glia_run *r) {
  const glia_data_opts d = data_opts(r);
  const glia_split_opts split = {.size = sizeof split, .ratio = r->o.valid, .seed = r->o.seed};
  GI_TRY(glia_data_open(r->o.data, &d, &r->train, &r->test));
  GI_TRY(glia_dataset_split(r->train, &split, &r->train_part, &r->valid_part));
  r->info.spec = *glia_dataset_spec(r->train);
  r->info.loss = r->o.loss;
  return GLIA_OK;
}

static glia_status take_classes(glia_run *r) {
  const int n = r->info.spec.classes;
  r->info.classes = gi_alloc((size_t)(n + 1) * sizeof *r->info.classes);
  if (r->info.classes == NULL) return gi_fail_nomem((size_t)n * sizeof *r->info.classes);
  for (int c = 0; c < n; c++)
    if ((r->info.classes[c] = gi_strdup(glia_dataset_class(r->train, c))) == NULL)
      return gi_fail_nomem(1);
  return GLIA_OK;
}

static glia_loader_opts loader_opts(const glia_run *r, bool shuffle) {
  return (glia_loader_opts){.size = sizeof(glia_loader_opts),
                            .batch = r->o.batch,
                            .shuffle = shuffle,
                            .seed = r->o.seed,
                            .workers = r->o.workers,
                            .strict = r->o.strict,
                            .normalise = &r->info.normalise};
}

static glia_status make_loaders(glia_run *r) {
  const glia_loader_opts train = loader_opts(r, true), valid = loader_opts(r, false);
  GI_TRY(glia_loader_new(r->train_part, &train, &r->train_loader));
  return glia_loader_new(r->valid_part, &valid, &r->valid_loader);
}

/* ---- building ---------------------------------------------------------------------------- */

/* weights: the file of a model that is opened for use; NULL: it is to be trained. */
static glia_status make_learner(glia_run *r, const char *weights) {
  glia_learner_opts o = {.size = sizeof o,
                         .model = glia_net_apply,
                         .user = r->net,
                         .data = r->info.spec,
                         .clip_norm = r->o.clip_norm,
                         .seed = r->o.seed,
                         .backend = r->o.backend,
                         .threads = r->o.threads,
                         .memory_limit = r->o.memory_limit,
                         .precision = r->o.precision,
                         .deterministic = r->o.deterministic,
                         .fixed = weights != NULL,
                         .weights = weights,
                         .tune = GI_MAX(r->o.tune, 0),
                         .exact_conv = r->o.exact_conv};
  if (weights == NULL) { /* it trains: the choice of kernels stays the run's */
    o.choices = gi_arena_printf(&r->arena, "%s/kernels.json", r->o.run);
    if (o.choices == NULL) return gi_fail_nomem(strlen(r->o.run));
  }
  GI_TRY(gi_settings_loss(r->info.loss != NULL ? r->info.loss : r->o.loss,
                          weights == NULL ? r->o.label_smoothing : 0, &o.loss));
  GI_TRY(glia_schedule_parse(r->o.schedule != NULL ? r->o.schedule : "constant", &r->schedule));
  GI_TRY(glia_optimizer_parse(r->o.optimizer != NULL ? r->o.optimizer : "adam", &o.optimizer));
  GI_TRY(glia_learner_new(&o, &r->learner));
  return weights == NULL && r->schedule.cycle_momentum ? gi_learner_move_momentum(r->learner)
                                                       : GLIA_OK;
}

/* The network from its text, or the one that suits the data. */
static glia_status make_net(glia_run *r, const char *what, const char *text) {
  char *mine = text == NULL ? gi_default_net(&r->info.spec) : NULL;
  if (text == NULL && mine == NULL) return gi_fail_nomem(1);
  const glia_status s = glia_net_parse(text != NULL ? text : mine, what, &r->net);
  gi_free(mine);
  if (s == GLIA_OK) r->info.net = glia_net_text(r->net);
  return s;
}

/* Everything but the folder. The network is read before the data, so that its mistakes are told
 * first. */
static glia_status build(glia_run *r, const char *what, const char *net) {
  if (net != NULL) GI_TRY(make_net(r, what, net));
  GI_TRY(open_data(r));
  GI_TRY(take_classes(r));
  if (net == NULL) GI_TRY(make_net(r, "default network", NULL));
  GI_TRY(make_learner(r, NULL));
  GI_TRY(glia_normalise_fit(r->train_part, &r->info.normalise));
  return make_loaders(r);
}

static const char *copied(glia_run *r, const char *s) {
  return s != NULL ? gi_arena_strdup(&r->arena, s) : NULL;
}

static void take_opts(glia_run *r, const glia_train_opts *opt) {
  gi_opts(&r->o, sizeof r->o, opt);
  glia_train_opts *o = &r->o;
  o->size = sizeof *o;
  o->data = copied(r, o->data);
  o->net = copied(r, o->net);
  o->run = copied(r, o->run);
  o->optimizer = copied(r, o->optimizer);
  o->loss = copied(r, o->loss);
  o->schedule = copied(r, o->schedule);
  o->target = copied(r, o->target);
  o->backend = copied(r, o->backend);
  if (o->epochs == 0) o->epochs = 5;
  if (o->batch == 0) o->batch = 64;
  if (o->valid == 0) o->valid = 0.1;
  if (o->tune == 0) o->tune = 10;
}

static glia_status refuse_used_folder(const glia_run *r) {
  char *path = gi_run_file(r, "run.json");
  if (path == NULL) return gi_fail_nomem(1);
  const bool used = gi_exists(path);
  gi_free(path);
  if (!used) return GLIA_OK;
  return gi_fail(GLIA_INVALID,
                 "%s: holds a run already; hint: --resume %s goes on with it, or give "
                 "another folder",
                 r->o.run, r->o.run);
}

/* The network's text: what its file holds; of an ONNX file the layer that it is. */
static glia_status net_text(const char *path, char **out) {
  const size_t end = strlen(path);
  size_t n = 0;
  if (end > 5 && strcmp(path + end - 5, ".onnx") == 0) {
    gi_str text = {0};
    gi_str_printf(&text, "onnx model=%s\n", path);
    *out = gi_str_take(&text);
    return *out != NULL ? GLIA_OK : gi_fail_nomem(end);
  }
  GI_TRY(gi_read_file(path, 1 << 20, out, &n));
  if (memchr(*out, '\0', n) == NULL) return GLIA_OK;
  gi_free(*out);
  *out = NULL;
  return gi_fail(GLIA_MODEL, "%s: is no text; wanted one layer a line", path);
}

static glia_status make_new(glia_run *r, const glia_train_opts *opt) {
  char *text = NULL;
  take_opts(r, opt);
  GI_TRY(gi_settings_check(&r->o));
  GI_TRY(refuse_used_folder(r));
  if (r->o.net != NULL) GI_TRY(net_text(r->o.net, &text));
  glia_status s = build(r, r->o.net, text);
  gi_free(text);
  if (s == GLIA_OK) s = gi_make_dirs(r->o.run);
  return s == GLIA_OK ? gi_settings_write(r) : s;
}

glia_status glia_run_new(const glia_train_opts *opt, glia_run **out) {
  glia_run *r = gi_alloc(sizeof *r);
  if (r == NULL) return gi_fail_nomem(sizeof *r);
  const glia_status s = make_new(r, opt);
  if (s != GLIA_OK) {
    glia_run_free(r);
    return s;
  }
  *out = r;
  return GLIA_OK;
}

void glia_run_free(glia_run *r) {
  if (r == NULL) return;
  glia_loader_free(r->train_loader);
  glia_loader_free(r->valid_loader);
  glia_dataset_free(r->train_part);
  glia_dataset_free(r->valid_part);
  glia_dataset_free(r->train);
  glia_dataset_free(r->test);
  glia_learner_free(r->learner);
  glia_net_free(r->net);
  gi_info_clear(&r->info);
  glia_history_clear(&r->history);
  glia_events_free(r->events);
  glia_tensor_free(r->input);
  glia_tensor_free(r->probabilities);
  gi_free(r->values);
  gi_free(r->failure);
  gi_arena_free(&r->arena);
  gi_free(r);
}

/* ---- resuming ---------------------------------------------------------------------------- */

static glia_status load_checkpoint(glia_run *r) {
  char *path = gi_run_file(r, "checkpoint.safetensors");
  gi_model_info info = {0};
  if (path == NULL) return gi_fail_nomem(1);
  glia_status s = GLIA_OK;
  if (gi_exists(path)) { /* else it was killed before its first epoch's end */
    s = gi_read_info(&r->arena, path, &info, &r->history, &r->learner->steps);
    if (s == GLIA_OK) s = glia_checkpoint_load(r->learner->store, path);
  }
  gi_info_clear(&info);
  gi_free(path);
  return s;
}

static glia_status make_resumed(glia_run *r, const char *dir) {
  const char *net = NULL;
  GI_TRY(gi_settings_read(r, dir, &net));
  GI_TRY(build(r, "the run's network", net));
  return load_checkpoint(r);
}

glia_status glia_run_resume(const char *dir, glia_run **out) {
  glia_run *r = gi_alloc(sizeof *r);
  if (r == NULL) return gi_fail_nomem(sizeof *r);
  const glia_status s = make_resumed(r, dir);
  if (s != GLIA_OK) {
    glia_run_free(r);
    return s;
  }
  *out = r;
  return GLIA_OK;
}

/* ---- opening for use --------------------------------------------------------------------- */

/* The model of a folder: the finished one, else the last checkpoint. Owned. */
static glia_status model_path(glia_run *r, const char *dir, char **out) {
  if (!gi_is_dir(dir)) {
    *out = gi_strdup(dir);
    return *out != NULL ? GLIA_OK : gi_fail_nomem(1);
  }
  static const char *const names[] = {"model.safetensors", "checkpoint.safetensors"};
  for (int i = 0; i < GI_COUNT(names); i++) {
    char *path = gi_path_join(dir, names[i]);
    if (path == NULL) return gi_fail_nomem(1);
    if (gi_exists(path)) {
      *out = path;
      return GLIA_OK;
    }
    gi_free(path);
  }
  (void)r;
  return gi_fail(GLIA_IO,
                 "%s: no model and no checkpoint in it; hint: glia train --run %s makes one",
                 dir, dir);
}

static glia_status make_opened(glia_run *r, const char *dir, const glia_run_open_opts *o) {
  const char *net = NULL;
  char *path = NULL;
  GI_TRY(model_path(r, dir, &path));
  glia_status s = GLIA_OK;
  if (gi_is_dir(dir)) s = gi_settings_read(r, dir, &net);
  r->o.exact_conv |= o->exact_conv;
  r->o.tune = o->tune;
  r->o.threads = o->threads;
  if (s == GLIA_OK) s = gi_read_info(&r->arena, path, &r->info, &r->history, NULL);
  r->o.precision = o->precision;
  if (s == GLIA_OK && (r->model_path = gi_arena_strdup(&r->arena, path)) == NULL)
    s = gi_fail_nomem(strlen(path));
  if (s == GLIA_OK) s = glia_net_parse(r->info.net, path, &r->net);
  if (s == GLIA_OK) s = make_learner(r, path);
  if (r->o.batch == 0) r->o.batch = 64;
  gi_free(path);
  return s;
}

glia_status glia_run_open_opt(const char *dir, const glia_run_open_opts *opt, glia_run **out) {
  glia_run_open_opts o;
  gi_opts(&o, sizeof o, opt);
  glia_run *r = gi_alloc(sizeof *r);
  if (r == NULL) return gi_fail_nomem(sizeof *r);
  const glia_status s = make_opened(r, dir, &o);
  if (s != GLIA_OK) {
    glia_run_free(r);
    return s;
  }
  *out = r;
  return GLIA_OK;
}

/* ---- reading ----------------------------------------------------------------------------- */

const glia_train_opts *glia_run_opts(const glia_run *r) { return &r->o; }
const glia_history *glia_run_history(const glia_run *r) { return &r->history; }
glia_learner *glia_run_learner(glia_run *r) { return r->learner; }
int glia_run_classes(const glia_run *r) { return r->info.spec.classes; }
const glia_dataset *glia_run_train_data(const glia_run *r) { return r->train_part; }
const glia_dataset *glia_run_valid_data(const glia_run *r) { return r->valid_part; }

const char *glia_run_class(const glia_run *r, int c) {
  return c >= 0 && c < r->info.spec.classes ? r->info.classes[c] : "?";
}

static int64_t skipped_by(const glia_loader *l) {
  return l != NULL ? glia_loader_skipped(l) : 0;
}

int64_t glia_run_skipped(const glia_run *r) {
  return skipped_by(r->train_loader) + skipped_by(r->valid_loader);
}

const char *glia_run_skipped_message(const glia_run *r, int64_t i) {
  const int64_t first = skipped_by(r->train_loader);
  if (i < first) return glia_loader_skipped_message(r->train_loader, i);
  return r->valid_loader != NULL ? glia_loader_skipped_message(r->valid_loader, i - first)
                                 : NULL;
}

glia_status glia_run_summary(glia_run *r, glia_summary *out) {
  int64_t input[GLIA_MAX_RANK] = {1};
  for (int i = 0; i < r->info.spec.rank; i++) input[i + 1] = r->info.spec.shape[i];
  return glia_summarise(glia_net_apply, r->net, r->learner->store, r->o.seed,
                        r->info.spec.rank + 1, input, out);
}

static size_t store_bytes(const glia_store *s) {
  size_t bytes = 0;
  for (int i = 0; i < glia_store_count(s); i++) {
    const gi_type t = gi_tensor_type(glia_store_tensor(s, i));
    bytes += gi_type_bytes(&t);
  }
  return bytes;
}

/* A step on so many samples, if there are such steps. */
static glia_status add_step(glia_run *r, int64_t samples, size_t *most) {
  size_t bytes = 0;
  if (samples > 0) GI_TRY(glia_learner_plan_bytes(r->learner, (int)samples, &bytes));
  *most = GI_MAX(*most, bytes);
  return GLIA_OK;
}

/* The last batch of an epoch is smaller, and may want more scratch. */
glia_status glia_run_memory(glia_run *r, glia_memory *out) {
  const int64_t batch = r->o.batch > 0 ? r->o.batch : 64;
  const int64_t count = r->train_part != NULL ? glia_dataset_count(r->train_part) : batch;
  *out = (glia_memory){0};
  GI_TRY(add_step(r, count >= batch ? batch : 0, &out->step));
  GI_TRY(add_step(r, count % batch, &out->step));
  out->store = store_bytes(r->learner->store);
  if (r->train_loader != NULL) out->batches += glia_loader_bytes(r->train_loader);
  if (r->valid_loader != NULL) out->batches += glia_loader_bytes(r->valid_loader);
  if (r->train != NULL) out->data += glia_dataset_bytes(r->train);
  if (r->test != NULL) out->data += glia_dataset_bytes(r->test);
  return GLIA_OK;
}
