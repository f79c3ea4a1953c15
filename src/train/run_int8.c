/* run_int8.c - a model in 8-bit whole numbers: calibration, and its file.
 *
 * Calibration runs the model in f32 over samples and notes how large the first operand of each
 * product gets: over 127 that is its scale. The file holds each weight as I8 with a scale for
 * each row ("NAME.scale"), and for each layer the scale of what it reads
 * ("LAYER.input_scale"). Opened again, weights are what they were rounded to, as f32, and
 * compile/int8.c makes the products 8-bit ones.
 */
#include <math.h>

#include "graph/graph.h"
#include "ops/int8.h"
#include "train/run.h"

enum { NAME = 512, BATCH = 32, SAMPLES = 512 };

typedef struct layer { /* that has a product in 8 bits */
  char input_scale[NAME];
  const char *weight; /* the variable's name, of the graph */
  char output[24];    /* of the calibrating graph: the largest element of what it reads */
  double largest;
} layer;

typedef struct calibration {
  glia_graph *g;
  glia_plan *plan;
  GI_VEC(layer) layers;
} calibration;

/* ---- calibrating --------------------------------------------------------------------------
 */

static glia_status add_layer(calibration *c, const gi_node *n) {
  layer l = {.weight = NULL};
  const gi_node *w = c->g->nodes.at[c->g->values.at[n->in[1]]->node];
  if (w->op != &gi_op_variable) return GLIA_OK;
  l.weight = ((const gi_input_attr *)w->attr)->name;
  const int length = snprintf(l.input_scale, sizeof l.input_scale, "%s.input_scale", n->path);
  if (length < 0 || (size_t)length >= sizeof l.input_scale) return GLIA_OK;
  snprintf(l.output, sizeof l.output, "calibrate %zu", c->layers.n);
  glia_output(l.output, glia_max(glia_abs(gi_value(c->g, n->in[0]))));
  if (!gi_vec_push(&c->layers, l)) return gi_fail_nomem(sizeof l);
  return glia_graph_status(c->g);
}

static glia_status make_plan(calibration *c, glia_run *r) {
  GI_TRY(gi_learner_graph(r->learner, BATCH, &c->g));
  const size_t n = c->g->nodes.n; /* of the model: those behind are ours */
  for (size_t k = 0; k < n; k++)
    if (c->g->nodes.at[k]->op->int8 != NULL) GI_TRY(add_layer(c, c->g->nodes.at[k]));
  if (c->layers.n == 0)
    return gi_fail(
        GLIA_MODEL,
        "int8: the network has no convolution and no dense layer with weights of its "
        "own, wanted one at least; hint: export it as f16");
  return glia_compile(c->g, &c->plan, .backend = r->o.backend, .threads = r->o.threads,
                      .skip = "int8");
}

static glia_status watch_batch(calibration *c, const glia_tensor *x) {
  GI_TRY(glia_plan_bind(c->plan, "x", x));
  GI_TRY(glia_plan_run(c->plan));
  for (size_t i = 0; i < c->layers.n; i++) {
    layer *l = &c->layers.at[i];
    const double v = glia_tensor_get(glia_plan_output(c->plan, l->output), 0);
    if (!isfinite(v))
      return gi_fail(
          GLIA_MODEL,
          "int8: what the layer of %s reads reaches %g, wanted finite numbers; hint: "
          "the data or the model is spoilt: evaluate it in f32 first",
          l->weight, v);
    l->largest = fmax(l->largest, v);
  }
  return GLIA_OK;
}

/* Whole batches alone; `data` has at least one. */
static glia_status watch_data(calibration *c, const glia_run *r, const glia_dataset *data) {
  const glia_loader_opts o = {.size = sizeof o,
                              .batch = BATCH,
                              .shuffle = true,
                              .seed = r->o.seed,
                              .normalise = &r->info.normalise};
  glia_loader *loader = NULL;
  GI_TRY(glia_loader_new(data, &o, &loader));
  glia_status s = glia_loader_start(loader, 0);
  int64_t seen = 0;
  while (s == GLIA_OK && seen < SAMPLES) {
    glia_batch b;
    s = glia_loader_next(loader, &b);
    if (s != GLIA_OK || b.count < BATCH) break;
    s = watch_batch(c, b.x);
    seen += b.count;
  }
  if (s == GLIA_OK && seen == 0)
    s = gi_fail(GLIA_DATA,
                "int8: there are %lld samples to calibrate with, wanted %d at least; "
                "hint: --calibrate names other data",
                (long long)glia_dataset_count(data), BATCH);
  glia_loader_free(loader);
  return s;
}

static glia_status calibrate(calibration *c, glia_run *r, const char *data) {
  const glia_dataset *samples = NULL;
  if (data == NULL && r->o.data == NULL)
    return gi_fail(GLIA_INVALID,
                   "int8: a model file alone knows no data to calibrate with; "
                   "hint: --calibrate names them");
  GI_TRY(make_plan(c, r));
  GI_TRY(gi_where(gi_run_samples(r, data, &samples), "int8: calibration"));
  return watch_data(c, r, samples);
}

static void drop(calibration *c) {
  glia_plan_free(c->plan);
  glia_graph_free(c->g);
  gi_vec_free(&c->layers);
}

/* ---- the file -----------------------------------------------------------------------------
 */

/* q = round(w / s), s the largest of each row over 127: as ops/int8.c has it. */
static glia_status add_weight(glia_store *to, const char *name, const glia_tensor *w) {
  gi_type t = gi_tensor_type(w), row = {.dtype = GLIA_F32, .rank = 1, .dim = {t.dim[0]}};
  const int64_t n = t.dim[0] > 0 ? gi_type_count(&t) / t.dim[0] : 0;
  char scale_name[NAME];
  gi_entry *q = NULL, *scale = NULL;
  snprintf(scale_name, sizeof scale_name, "%s.scale", name);
  t.dtype = GLIA_I8;
  GI_TRY(gi_store_add(to, name, GLIA_PARAMETER, &t, &q));
  GI_TRY(gi_store_add(to, scale_name, GLIA_BUFFER, &row, &scale));
  for (int64_t r = 0; r < row.dim[0]; r++) {
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(glia_tensor_get(w, r * n + i)));
    const double s = (double)(float)(most / GI_INT8_MOST);
    glia_tensor_set(scale->tensor, r, s);
    for (int64_t i = 0; i < n && s > 0; i++)
      glia_tensor_set(q->tensor, r * n + i, rint(glia_tensor_get(w, r * n + i) / s));
  }
  return GLIA_OK;
}

/* A layer that read zeros alone stays f32: nothing is known of what else it may read. */
static glia_status add_input_scale(glia_store *to, const layer *l) {
  const gi_type scalar = {.dtype = GLIA_F32};
  gi_entry *e = gi_store_find(to, l->input_scale); /* of a layer that is used twice */
  if (l->largest <= 0) return GLIA_OK;
  if (e == NULL) GI_TRY(gi_store_add(to, l->input_scale, GLIA_BUFFER, &scalar, &e));
  const double before = glia_tensor_get(e->tensor, 0);
  glia_tensor_set(e->tensor, 0, fmax(before, l->largest / GI_INT8_MOST));
  return GLIA_OK;
}

static bool is_weight(const calibration *c, const char *name) {
  for (size_t i = 0; i < c->layers.n; i++)
    if (strcmp(c->layers.at[i].weight, name) == 0) return true;
  return false;
}

/* Of a model that was calibrated before: it is found anew. */
static bool is_input_scale(const calibration *c, const char *name) {
  for (size_t i = 0; i < c->layers.n; i++)
    if (strcmp(c->layers.at[i].input_scale, name) == 0) return true;
  return false;
}

static glia_status convert(const calibration *c, const glia_store *s, glia_store *to) {
  for (int i = 0; i < glia_store_count(s); i++) {
    const char *name = glia_store_name(s, i);
    const glia_tensor *t = glia_store_tensor(s, i);
    const glia_store_kind kind = glia_store_kind_of(s, i);
    if (kind == GLIA_STATE || is_input_scale(c, name)) continue;
    if (is_weight(c, name))
      GI_TRY(add_weight(to, name, t));
    else
      GI_TRY(gi_export_copy(to, name, kind, t, glia_tensor_dtype(t)));
  }
  for (size_t i = 0; i < c->layers.n; i++) GI_TRY(add_input_scale(to, &c->layers.at[i]));
  return GLIA_OK;
}

glia_status glia_run_export_int8(glia_run *r, const char *path, const char *data) {
  calibration c = {.g = NULL};
  glia_store *to = NULL;
  GI_TRY(gi_export_check(r));
  glia_status s = calibrate(&c, r, data);
  if (s == GLIA_OK) s = glia_store_new(&to);
  if (s == GLIA_OK) s = convert(&c, r->learner->store, to);
  if (s == GLIA_OK) s = gi_export_write(r, to, path);
  glia_store_free(to);
  drop(&c);
  return s;
}
