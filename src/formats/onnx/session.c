/* session.c - an open model: its weights, and its traces as plans, found again by what they
 * were made for: the inputs' types, and the elements of those inputs that shapes follow from.
 */
#include <inttypes.h>

#include "compile/plan.h"
#include "formats/onnx/survey.h"
#include "formats/onnx/trace.h"
#include "glia/onnx.h"

enum { TRACES = 8 }; /* kept; the one used longest ago goes first */

typedef struct traced {
  gi_type *types;         /* by input */
  glia_tensor **elements; /* by input: what the trace was made for; NULL: any */
  glia_plan *plan;
  int *out_type;
  uint64_t used;
} traced;

struct glia_onnx {
  gi_onnx_model *model;
  glia_store *store;
  glia_onnx_opts opts;
  glia_onnx_port *in, *out;
  int n_in, n_out;
  traced at[TRACES];
  int n;
  traced *last; /* of the last run; NULL: none */
  uint64_t now;
};

/* ---- opening ----------------------------------------------------------------------------- */

static glia_status port(const gi_onnx_model *m, const gi_onnx_info *info, bool is_input,
                        glia_onnx_port *out) {
  *out = (glia_onnx_port){
      .name = info->name, .type = gi_onnx_type_name(info->type), .rank = info->rank};
  memcpy(out->shape, info->dim, sizeof out->shape);
  memcpy(out->symbol, info->symbol, sizeof out->symbol);
  const bool held = info->is_tensor && gi_onnx_carrier(info->type, &out->dtype);
  if (held || !is_input) return GLIA_OK;
  return gi_fail(GLIA_UNSUPPORTED, "%s: input '%s' is %s, tensors of numbers are taken",
                 m->path, info->name, info->is_tensor ? out->type : "no tensor");
}

static glia_status ports(glia_onnx *m) {
  const gi_onnx_graph *g = &m->model->graph;
  m->n_in = g->n_in;
  m->n_out = g->n_out;
  m->in = gi_arena_alloc(&m->model->arena, ((size_t)m->n_in + 1) * sizeof *m->in);
  m->out = gi_arena_alloc(&m->model->arena, ((size_t)m->n_out + 1) * sizeof *m->out);
  if (m->in == NULL || m->out == NULL) return gi_fail_nomem(sizeof *m->in);
  for (int i = 0; i < m->n_in; i++) GI_TRY(port(m->model, &g->in[i], true, &m->in[i]));
  for (int i = 0; i < m->n_out; i++) GI_TRY(port(m->model, &g->out[i], false, &m->out[i]));
  return GLIA_OK;
}

glia_status glia_onnx_open_opt(const char *path, const glia_onnx_opts *opt, glia_onnx **out) {
  glia_onnx *m = gi_alloc(sizeof *m);
  if (m == NULL) return gi_fail_nomem(sizeof *m);
  gi_opts(&m->opts, sizeof m->opts, opt);
  glia_status s = gi_onnx_open(path, &m->model);
  if (s == GLIA_OK) s = gi_onnx_check_operators(m->model);
  if (s == GLIA_OK) s = ports(m);
  if (s == GLIA_OK) s = glia_store_new(&m->store);
  if (s == GLIA_OK) s = gi_onnx_fill(m->model, m->store);
  if (s == GLIA_OK)
    *out = m;
  else
    glia_onnx_close(m);
  return s;
}

static void forget(glia_onnx *m, traced *t) {
  glia_plan_free(t->plan);
  for (int i = 0; i < m->n_in && t->elements != NULL; i++) glia_tensor_free(t->elements[i]);
  gi_free(t->elements);
  gi_free(t->types);
  gi_free(t->out_type);
  *t = (traced){0};
}

void glia_onnx_forget(glia_onnx *m) {
  for (int i = 0; i < m->n; i++) forget(m, &m->at[i]);
  m->n = 0;
  m->last = NULL;
}

void glia_onnx_close(glia_onnx *m) {
  if (m == NULL) return;
  glia_onnx_forget(m);
  glia_store_free(m->store);
  gi_onnx_close(m->model);
  gi_free(m);
}

int glia_onnx_inputs(const glia_onnx *m) { return m->n_in; }
int glia_onnx_outputs(const glia_onnx *m) { return m->n_out; }
const glia_onnx_port *glia_onnx_input(const glia_onnx *m, int i) {
  return i >= 0 && i < m->n_in ? &m->in[i] : NULL;
}
const glia_onnx_port *glia_onnx_output(const glia_onnx *m, int i) {
  return i >= 0 && i < m->n_out ? &m->out[i] : NULL;
}
glia_store *glia_onnx_store(glia_onnx *m) { return m->store; }
const char *glia_onnx_output_type(const glia_onnx *m, int i) {
  if (i < 0 || i >= m->n_out) return NULL;
  return m->last != NULL ? gi_onnx_type_name(m->last->out_type[i]) : m->out[i].type;
}

/* ---- tracing ----------------------------------------------------------------------------- */

static glia_status check_input(const glia_onnx *m, int i, const glia_tensor *x) {
  const glia_onnx_port *p = &m->in[i];
  const gi_type t = gi_tensor_type(x);
  bool fits = p->rank < 0 || p->rank == t.rank;
  for (int k = 0; k < p->rank && fits; k++) fits = p->shape[k] < 0 || p->shape[k] == t.dim[k];
  if (t.dtype == p->dtype && fits) return GLIA_OK;
  char got[160], want[160] = "of any shape";
  gi_type declared = {.dtype = p->dtype, .rank = GI_MAX(p->rank, 0)};
  memcpy(declared.dim, p->shape, sizeof declared.dim);
  if (p->rank >= 0) gi_shape_text(&declared, want, sizeof want);
  return gi_fail(t.dtype != p->dtype ? GLIA_DTYPE : GLIA_SHAPE,
                 "%s: input '%s' is %s, the model wants %s %s (-1: any size)", m->model->path,
                 p->name, gi_type_text(&t, got, sizeof got), glia_dtype_name(p->dtype), want);
}

static glia_status name_outputs(glia_onnx *m, glia_graph *g, const glia_value *out) {
  for (int i = 0; i < m->n_out; i++) {
    char name[32];
    snprintf(name, sizeof name, "output %d", i);
    glia_output(name, out[i]);
  }
  return glia_graph_status(g);
}

/* Builds the graph and compiles it; *t is filled in. */
static glia_status compile(glia_onnx *m, gi_onnx_trace *trace, const int *in_type,
                           glia_value *out, traced *t) {
  for (int i = 0; i < m->n_in; i++) {
    const gi_type *type = &t->types[i];
    char name[32];
    snprintf(name, sizeof name, "input %d", i);
    trace->input[i] = glia_input(trace->g, name, type->dtype, type->rank, type->dim);
  }
  GI_TRY(glia_graph_status(trace->g));
  GI_TRY(gi_onnx_trace_model(trace, in_type, out, t->out_type));
  GI_TRY(gi_where(name_outputs(m, trace->g, out), "%s", m->model->path));
  for (int i = 0; i < m->n_in; i++)
    if (trace->asked[i]) GI_TRY(glia_tensor_copy(trace->elements[i], &t->elements[i]));
  return gi_where(
      glia_compile(trace->g, &t->plan, .backend = m->opts.backend, .threads = m->opts.threads,
                   .seed = m->opts.seed, .tune = m->opts.tune, .fixed = true),
      "%s", m->model->path);
}

static glia_status make(glia_onnx *m, const glia_tensor *const *in, traced *t) {
  const size_t n_in = (size_t)m->n_in + 1, n_out = (size_t)m->n_out + 1;
  gi_onnx_trace trace = {.model = m->model,
                         .backend = m->opts.backend,
                         .threads = m->opts.threads,
                         .elements = in};
  int *in_type = gi_alloc(n_in * sizeof *in_type);
  glia_value *out = gi_alloc(n_out * sizeof *out);
  trace.asked = gi_alloc(n_in);
  trace.input = gi_alloc(n_in * sizeof *trace.input);
  *t = (traced){.types = gi_alloc(n_in * sizeof *t->types),
                .elements = gi_alloc(n_in * sizeof *t->elements),
                .out_type = gi_alloc(n_out * sizeof *t->out_type)};
  glia_status s = GLIA_OK;
  if (in_type == NULL || out == NULL || trace.asked == NULL || trace.input == NULL ||
      t->types == NULL || t->elements == NULL || t->out_type == NULL)
    s = gi_fail_nomem(n_in * sizeof *t->types);
  if (s == GLIA_OK) s = glia_graph_new(&trace.g);
  if (s == GLIA_OK) {
    trace.g->store = m->store;
    for (int i = 0; i < m->n_in; i++) t->types[i] = gi_tensor_type(in[i]);
    for (int i = 0; i < m->n_in; i++) in_type[i] = m->model->graph.in[i].type;
    s = compile(m, &trace, in_type, out, t);
  }
  gi_onnx_trace_free(&trace);
  glia_graph_free(trace.g);
  gi_free(trace.asked);
  gi_free(trace.input);
  gi_free(in_type);
  gi_free(out);
  if (s != GLIA_OK) forget(m, t);
  return s;
}

static bool same_elements(const glia_tensor *a, const glia_tensor *b) {
  return memcmp(glia_tensor_data(a), glia_tensor_data(b), glia_tensor_bytes(a)) == 0;
}

static bool fits(const glia_onnx *m, const traced *t, const glia_tensor *const *in) {
  for (int i = 0; i < m->n_in; i++) {
    const gi_type type = gi_tensor_type(in[i]);
    if (!gi_type_equal(&type, &t->types[i])) return false;
  }
  for (int i = 0; i < m->n_in; i++)
    if (t->elements[i] != NULL && !same_elements(t->elements[i], in[i])) return false;
  return true;
}

static glia_status find(glia_onnx *m, const glia_tensor *const *in, traced **out) {
  for (int i = 0; i < m->n; i++)
    if (fits(m, &m->at[i], in)) {
      *out = &m->at[i];
      return GLIA_OK;
    }
  traced *place = m->n < TRACES ? &m->at[m->n] : &m->at[0];
  for (int i = 0; i < m->n && m->n == TRACES; i++)
    if (m->at[i].used < place->used) place = &m->at[i];
  traced t;
  GI_TRY(make(m, in, &t));
  if (m->n < TRACES)
    m->n++;
  else
    forget(m, place);
  *place = t;
  *out = place;
  return GLIA_OK;
}

/* ---- running ----------------------------------------------------------------------------- */

/* Does anything depend on this input? */
static bool reads(const glia_plan *p, const char *input) {
  for (int i = 0; i < p->n_inputs; i++)
    if (strcmp(p->inputs[i].name, input) == 0) return true;
  return false;
}

static glia_status run(glia_onnx *m, const glia_tensor *const *in, const glia_tensor **out) {
  m->last = NULL; /* the trace that it points to may go */
  GI_TRY(find(m, in, &m->last));
  m->last->used = ++m->now;
  glia_plan *p = m->last->plan;
  for (int i = 0; i < m->n_in; i++) {
    char name[32];
    snprintf(name, sizeof name, "input %d", i);
    if (reads(p, name)) GI_TRY(glia_plan_bind(p, name, in[i]));
  }
  GI_TRY(gi_where(glia_plan_run(p), "%s", m->model->path));
  for (int i = 0; i < m->n_out; i++) {
    char name[32];
    snprintf(name, sizeof name, "output %d", i);
    out[i] = glia_plan_output(p, name);
  }
  return GLIA_OK;
}

glia_status glia_onnx_run(glia_onnx *m, const glia_tensor *const *in, int n,
                          const glia_tensor **out) {
  if (n != m->n_in)
    return gi_fail(GLIA_INVALID, "%s: has %d inputs, %d are given", m->model->path, m->n_in, n);
  const glia_tensor **dense = gi_alloc(((size_t)n + 1) * sizeof *dense);
  glia_tensor **copies = gi_alloc(((size_t)n + 1) * sizeof *copies);
  glia_status s = dense == NULL || copies == NULL ? gi_fail_nomem(sizeof *dense) : GLIA_OK;
  for (int i = 0; i < n && s == GLIA_OK; i++) {
    s = check_input(m, i, in[i]);
    dense[i] = in[i];
    if (s == GLIA_OK && !glia_tensor_is_contiguous(in[i])) {
      s = glia_tensor_copy(in[i], &copies[i]);
      dense[i] = copies[i];
    }
  }
  if (s == GLIA_OK) s = run(m, dense, out);
  for (int i = 0; i < n && copies != NULL; i++) glia_tensor_free(copies[i]);
  gi_free(copies);
  gi_free(dense);
  return s;
}

glia_plan *glia_onnx_plan(glia_onnx *m) { return m->last != NULL ? m->last->plan : NULL; }

/* Zeros of a port's type, open axes 1. */
static glia_status zeros_of(const glia_onnx_port *p, glia_tensor **out) {
  gi_type t = {.dtype = p->dtype, .rank = GI_MAX(p->rank, 0)};
  for (int i = 0; i < t.rank; i++) t.dim[i] = p->shape[i] < 0 ? 1 : p->shape[i];
  return gi_tensor_new(&t, out);
}

glia_status glia_onnx_measure(glia_onnx *m, glia_onnx_cost *out) {
  glia_tensor **in = gi_alloc(((size_t)m->n_in + 1) * sizeof *in);
  traced *t = NULL;
  glia_status s = in != NULL ? GLIA_OK : gi_fail_nomem(sizeof *in);
  for (int i = 0; i < m->n_in && s == GLIA_OK; i++) s = zeros_of(&m->in[i], &in[i]);
  if (s == GLIA_OK) s = find(m, (const glia_tensor *const *)in, &t);
  if (s == GLIA_OK)
    *out = (glia_onnx_cost){glia_plan_flops(t->plan), (double)glia_plan_bytes(t->plan)};
  for (int i = 0; i < m->n_in && in != NULL; i++) glia_tensor_free(in[i]);
  gi_free(in);
  return s;
}
