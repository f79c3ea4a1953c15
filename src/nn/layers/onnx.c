/* onnx.c - a network from an ONNX file as a layer: its weights are parameters under their names
 * in the file, gradients flow through it, and a value inside of it may be taken in place of its
 * output, so that other layers can stand behind it (a new head for other classes).
 *
 * The text of a network that is kept has the model without its weights, as base64: it needs no
 * file beside it; the weights are in the store. Batch norms stay at the means that the file
 * has.
 */
#include "formats/onnx/trace.h"
#include "nn/layer.h"

static const char packed[] = "base64:";

typedef struct onnx_opts {
  size_t size;
  const char *model, *until;
  const char *file; /* that `model` named before it was packed: where the weights come from */
} onnx_opts;

/* ---- the model --------------------------------------------------------------------------- */

static glia_status open_packed(const char *text, gi_str *bytes, gi_onnx_model **out) {
  if (!gi_base64_decode(bytes, text + sizeof packed - 1))
    return gi_fail(GLIA_FORMAT, "onnx: the model is no base64");
  if (bytes->failed) return gi_fail_nomem(bytes->n);
  return gi_onnx_from_hollow(bytes->s, bytes->n, "onnx", out);
}

static glia_status open_model(const onnx_opts *o, gi_str *bytes, gi_onnx_model **out) {
  if (o->file != NULL) return gi_onnx_open(o->file, out);
  if (strncmp(o->model, packed, sizeof packed - 1) == 0)
    return open_packed(o->model, bytes, out);
  return gi_onnx_open(o->model, out);
}

/* Packs the model that a file holds. */
static glia_status pack(gi_arena *arena, void *opts) {
  onnx_opts *o = opts;
  gi_onnx_model *m = NULL;
  gi_str hollow = {0}, text = {0};
  if (strncmp(o->model, packed, sizeof packed - 1) == 0) return GLIA_OK;
  GI_TRY(gi_onnx_open(o->model, &m));
  glia_status s = gi_onnx_hollow(m, &hollow);
  gi_str_puts(&text, packed);
  if (s == GLIA_OK) gi_base64(&text, hollow.s, hollow.n);
  if (s == GLIA_OK && text.failed) s = gi_fail_nomem(text.n);
  if (s == GLIA_OK) {
    o->file = o->model;
    o->model = gi_arena_strdup(arena, text.s);
    if (o->model == NULL) s = gi_fail_nomem(text.n);
  }
  gi_str_free(&hollow);
  gi_str_free(&text);
  gi_onnx_close(m);
  return s;
}

/* ---- building ---------------------------------------------------------------------------- */

/* A parameter, new ones with the file's numbers. */
static glia_value parameter(void *user, const gi_onnx_tensor *x, bool statistic) {
  glia_scope *s = user;
  glia_dtype dtype = GLIA_F32;
  const bool is_new = gi_store_find(s->store, gi_scoped(s, x->name)) == NULL;
  (void)gi_onnx_carrier(x->type, &dtype);
  if (dtype != GLIA_F32)
    return gi_latch(s->graph, GLIA_UNSUPPORTED, "tensor '%s' is %s, f32 is taken here", x->name,
                    glia_dtype_name(dtype));
  const glia_init zero = {.kind = GLIA_INIT_CONSTANT};
  const glia_value v = statistic ? glia_buffer(s, x->name, x->rank, x->dim, 0)
                                 : glia_parameter(s, x->name, x->rank, x->dim, zero);
  const gi_entry *e = gi_store_find(s->store, gi_scoped(s, x->name));
  if (is_new && e != NULL && x->data != NULL)
    memcpy(glia_tensor_data(e->tensor), x->data, x->bytes);
  return v;
}

static glia_status trace(glia_scope *s, const gi_onnx_model *m, const char *until, glia_value x,
                         glia_value *out) {
  bool asked = false;
  int in_type = GI_ONNX_FLOAT;
  if (m->graph.n_in != 1)
    return gi_fail(GLIA_MODEL, "the model has %d inputs, as a layer it has one", m->graph.n_in);
  const gi_onnx_info *info = &m->graph.in[0];
  if (info->type != gi_onnx_type_of(glia_value_dtype(x)))
    return gi_fail(GLIA_DTYPE, "the model's input '%s' is %s, got %s", info->name,
                   gi_onnx_type_name(info->type), glia_dtype_name(glia_value_dtype(x)));
  const size_t n = (size_t)m->graph.n_out + 1;
  glia_value *outs = gi_alloc(n * sizeof *outs);
  int *types = gi_alloc(n * sizeof *types);
  gi_onnx_trace t = {.model = m,
                     .g = s->graph,
                     .parameter = parameter,
                     .user = s,
                     .until = until,
                     .asked = &asked,
                     .input = &x};
  glia_status status = outs == NULL || types == NULL ? gi_fail_nomem(n) : GLIA_OK;
  if (status == GLIA_OK) status = gi_onnx_trace_model(&t, &in_type, outs, types);
  if (status == GLIA_OK) *out = outs[0];
  gi_onnx_trace_free(&t);
  gi_free(outs);
  gi_free(types);
  return status;
}

static glia_value build(glia_scope *s, const char *name, glia_value x, const void *opts) {
  const onnx_opts *o = opts;
  gi_onnx_model *m = NULL;
  gi_str bytes = {0};
  glia_value out = GLIA_NONE;
  (void)name; /* parameters have the file's names, in the scope around */
  glia_status status = open_model(o, &bytes, &m);
  if (status == GLIA_OK) status = trace(s, m, o->until, x, &out);
  gi_onnx_close(m);
  gi_str_free(&bytes);
  if (status == GLIA_OK) return out;
  return gi_latch(s->graph, status, "%s", glia_error_message());
}

static const gi_field fields[] = {
    GI_FIELD(TEXT, onnx_opts, model, .positional = true, .required = true,
             .doc = "the .onnx file, with one input and its weights"),
    GI_FIELD(TEXT, onnx_opts, until,
             .doc = "the name of a value inside that is taken in place of the output"),
    {.name = NULL},
};

static const gi_layer onnx = {.name = "onnx",
                              .doc = "a network from an ONNX file, with its weights",
                              .opts_size = sizeof(onnx_opts),
                              .fields = fields,
                              .pack = pack,
                              .build = build};

const gi_layer *const gi_layers_onnx[] = {&onnx, NULL};
