/* formats/onnx/export.c - a graph walked and written node by node (see export.h): tracing it
 * for two batches, lowering what ONNX does not have, collecting what cannot be written.
 */
#include "base/protobuf.h"
#include "compile/compile.h"
#include "formats/onnx/exporter.h"

/* Sizes that no layer is likely to have as a dimension of its own: equal ones would make two
 * nodes one in one of the traces. Where they do, the next pair is tried. */
static const int64_t batches[][2] = {{61, 67}, {1009, 1013}, {113, 127}};
enum { LOWERINGS = 16 }; /* of what lowerings are made of, and so on */

static const gi_onnx_export *row_of(const gi_op *op) {
  for (int list = 0; gi_onnx_exports_table[list] != NULL; list++)
    for (int i = 0; gi_onnx_exports_table[list][i] != NULL; i++)
      if (gi_onnx_exports_table[list][i]->op == op) return gi_onnx_exports_table[list][i];
  return NULL;
}

static bool is_source(const gi_op *op) {
  return op == &gi_op_input || op == &gi_op_variable || op == &gi_op_constant;
}

/* ---- lowering -------------------------------------------------------------------------- */

static bool is_lowered(const gi_op *op) {
  return !is_source(op) && op->lower != NULL && row_of(op) == NULL;
}

static glia_status visit(gi_rewrite *r, uint32_t k, const gi_node *n, const glia_value *in,
                         bool *copy) {
  glia_value out[GI_MAX_OUT] = {{NULL, 0}};
  *copy = !is_lowered(n->op);
  if (*copy) return GLIA_OK;
  gi_lower c = {.g = r->to, .n_in = n->n_in, .in = in, .attr = n->attr, .out = out};
  GI_TRY(n->op->lower(&c));
  GI_TRY(glia_graph_status(r->to));
  gi_rewrite_set(r, k, out);
  return GLIA_OK;
}

static bool has_lowered(const glia_graph *g) {
  for (size_t i = 0; i < g->nodes.n; i++)
    if (is_lowered(g->nodes.at[i]->op)) return true;
  return false;
}

/* Takes g; *out has live nodes alone, none of which could be lowered further. */
static glia_status lowered(glia_graph *g, glia_graph **out) {
  const gi_target nowhere = {.backend = NULL};
  glia_status s = GLIA_OK;
  for (int round = 0; s == GLIA_OK && (round == 0 || has_lowered(g)); round++) {
    glia_graph *to = NULL;
    if (round == LOWERINGS) s = gi_fail(GLIA_MODEL, "export: lowering comes to no end");
    if (s == GLIA_OK) s = glia_graph_new(&to);
    if (s == GLIA_OK) s = gi_rewrite_all(g, to, &nowhere, visit);
    if (s != GLIA_OK) {
      glia_graph_free(to);
      break;
    }
    glia_graph_free(g);
    g = to;
  }
  if (s == GLIA_OK)
    *out = g;
  else
    glia_graph_free(g);
  return s;
}

/* ---- two traces of one model ----------------------------------------------------------- */

static bool same_node(const gi_node *a, const gi_node *b) {
  return a->op == b->op && a->n_in == b->n_in && a->n_out == b->n_out && a->out == b->out &&
         memcmp(a->in, b->in, (size_t)a->n_in * sizeof *a->in) == 0;
}

static bool same_graph(const glia_graph *a, const glia_graph *b) {
  if (a->nodes.n != b->nodes.n || a->values.n != b->values.n || a->roots.n != b->roots.n)
    return false;
  for (size_t i = 0; i < a->nodes.n; i++)
    if (!same_node(a->nodes.at[i], b->nodes.at[i])) return false;
  for (size_t i = 0; i < a->values.n; i++)
    if (a->values.at[i]->type.rank != b->values.at[i]->type.rank ||
        a->values.at[i]->type.dtype != b->values.at[i]->type.dtype)
      return false;
  for (size_t i = 0; i < a->roots.n; i++)
    if (a->roots.at[i].value != b->roots.at[i].value) return false;
  return true;
}

static glia_status trace_pair(gi_onnx_exporter *e, gi_onnx_tracer trace, void *user,
                              const int64_t *batch) {
  for (int i = 0; i < 2; i++) {
    glia_graph *g = NULL;
    glia_graph_free(e->g[i]);
    e->g[i] = NULL;
    e->batch[i] = batch[i];
    GI_TRY(trace(batch[i], user, &g));
    GI_TRY(lowered(g, &e->g[i]));
  }
  return GLIA_OK;
}

/* How many times the batch a dimension is; 0: it does not depend on it. -1: another function.
 */
int64_t gi_onnx_times(const gi_onnx_exporter *e, uint32_t value, int axis) {
  const int64_t a = e->g[0]->values.at[value]->type.dim[axis],
                b = e->g[1]->values.at[value]->type.dim[axis];
  const int64_t times = (b - a) / (e->batch[1] - e->batch[0]);
  return a == b                                                              ? 0
         : times > 0 && a == times * e->batch[0] && b == times * e->batch[1] ? times
                                                                             : -1;
}

static glia_status check_dims(const gi_onnx_exporter *e) {
  for (uint32_t v = 0; v < e->g[0]->values.n; v++)
    for (int i = 0; i < e->g[0]->values.at[v]->type.rank; i++)
      if (gi_onnx_times(e, v, i) < 0) {
        const gi_node *n = e->g[0]->nodes.at[e->g[0]->values.at[v]->node];
        return gi_fail(GLIA_MODEL,
                       "export: %s%s%s: axis %d of its result is no multiple of the batch",
                       n->path, n->path[0] == '\0' ? "" : ": ", n->op->name, i);
      }
  return GLIA_OK;
}

static glia_status trace_twice(gi_onnx_exporter *e, gi_onnx_tracer trace, void *user) {
  for (int i = 0; i < GI_COUNT(batches); i++) {
    GI_TRY(trace_pair(e, trace, user, batches[i]));
    if (same_graph(e->g[0], e->g[1])) return check_dims(e);
  }
  return gi_fail(GLIA_MODEL,
                 "export: the model is built otherwise for a batch of %lld than for %lld",
                 (long long)e->batch[0], (long long)e->batch[1]);
}

/* ---- nodes ----------------------------------------------------------------------------- */

static bool is_used(const gi_onnx_exporter *e, const gi_node *n) {
  for (int i = 0; i < n->n_out; i++)
    if (e->used[n->out + (uint32_t)i]) return true;
  return false;
}

/* Notes what cannot be written: a message has room for some. */
static void refuse(gi_onnx_exporter *e, const gi_node *n, const char *why) {
  if (++e->refusals > MOST_REFUSALS) return;
  gi_str_printf(&e->refused, "%s%s%s%s: %s", e->refusals == 1 ? "" : "; ", n->path,
                n->path[0] == '\0' ? "" : ": ", n->op->name, why);
}

/* The values that node n reads: its own list, or what its row has put into `other`. */
static int read_by(const glia_graph *g, const gi_node *n, uint32_t *other,
                   const uint32_t **ids) {
  const gi_onnx_export *row = row_of(n->op);
  const bool by_row = row != NULL && row->reads != NULL;
  *ids = by_row ? other : n->in;
  return by_row ? row->reads(g, n, other) : n->n_in;
}

/* Which values somebody reads: from the results back to the inputs. */
static void mark_used(gi_onnx_exporter *e) {
  const glia_graph *g = e->g[0];
  for (size_t i = 0; i < g->roots.n; i++) e->used[g->roots.at[i].value] = true;
  for (size_t k = g->nodes.n; k-- > 0;) {
    uint32_t other[GI_ONNX_READS];
    const uint32_t *ids = NULL;
    if (!is_used(e, g->nodes.at[k])) continue;
    const int n = read_by(g, g->nodes.at[k], other, &ids);
    for (int i = 0; i < n; i++)
      if (ids[i] != GI_NO_VALUE) e->used[ids[i]] = true;
  }
}

static glia_status write_by_row(gi_onnx_exporter *e, const gi_onnx_export *row, size_t k) {
  const glia_graph *g = e->g[0];
  const gi_node *n = g->nodes.at[k];
  uint32_t other[GI_ONNX_READS];
  const uint32_t *ids = NULL;
  const int n_in = read_by(g, n, other, &ids);
  const char **in = gi_arena_alloc(&e->arena, ((size_t)n_in + 1) * sizeof *in);
  gi_type *types = gi_arena_alloc(&e->arena, (size_t)(n_in + n->n_out) * sizeof *types);
  if (in == NULL || types == NULL) return gi_fail_nomem((size_t)n_in * sizeof *types);
  for (int i = 0; i < n_in; i++) {
    in[i] = ids[i] == GI_NO_VALUE ? "" : e->name[ids[i]];
    if (ids[i] != GI_NO_VALUE) types[i] = g->values.at[ids[i]]->type;
  }
  for (int i = 0; i < n->n_out; i++) types[n_in + i] = g->values.at[n->out + (uint32_t)i]->type;
  gi_onnx_writing w = {.e = e,
                       .node = n,
                       .attr = n->attr,
                       .n_in = n_in,
                       .in_id = ids,
                       .in = in,
                       .in_type = types,
                       .out_type = types + n_in};
  glia_status s = GLIA_OK;
  if (row->write != NULL)
    s = row->write(&w);
  else
    gi_onnx_give(&w, 0, gi_onnx_put_list(&w, row->name, in, n_in));
  gi_str_free(&w.attrs);
  return s;
}

static glia_status write_node(gi_onnx_exporter *e, size_t k) {
  const gi_node *n = e->g[0]->nodes.at[k];
  const gi_onnx_export *row = row_of(n->op);
  glia_status s = GLIA_OK;
  if (is_source(n->op) || !is_used(e, n)) return GLIA_OK;
  if (row == NULL)
    refuse(e, n, "ONNX has no such operator");
  else if (!row->shaped && !gi_attr_equal(n->op, n->attr, e->g[1]->nodes.at[k]->attr))
    refuse(e, n, "it is another one for another batch");
  else
    s = write_by_row(e, row, k);
  if (s == GLIA_UNSUPPORTED) {
    refuse(e, n, glia_error_message());
    s = GLIA_OK;
  }
  for (int i = 0; i < n->n_out; i++) /* so that what comes behind can be looked at */
    if (e->name[n->out + (uint32_t)i] == NULL) e->name[n->out + (uint32_t)i] = "";
  return s;
}

/* ---- sources and results --------------------------------------------------------------- */

static void put_input(gi_onnx_exporter *e, const gi_node *n) {
  const gi_input_attr *a = n->attr;
  const gi_type *t = &e->g[0]->values.at[n->out]->type;
  int64_t times[GLIA_MAX_RANK] = {0};
  const char *name = gi_onnx_name(e, a->name);
  for (int i = 0; i < t->rank; i++) times[i] = gi_onnx_times(e, n->out, i);
  for (int i = 0; i < t->rank && e->batch_input == NULL; i++)
    if (times[i] == 1) {
      e->batch_input = name;
      e->batch_axis = i;
    }
  gi_onnx_put_info(&e->parts.values, 11, name, t, times);
  e->name[n->out] = name;
}

static glia_status put_variable(gi_onnx_exporter *e, const gi_node *n) {
  const gi_input_attr *a = n->attr;
  const gi_entry *entry =
      e->g[0]->store == NULL ? NULL : gi_store_find(e->g[0]->store, a->name);
  if (entry == NULL) return gi_fail(GLIA_MODEL, "export: there is no tensor \"%s\"", a->name);
  e->name[n->out] =
      gi_onnx_weight_of(e, gi_onnx_name(e, a->name), &a->type, glia_tensor_data(entry->tensor));
  return GLIA_OK;
}

static glia_status put_constant(gi_onnx_exporter *e, size_t k) {
  const gi_node *n = e->g[0]->nodes.at[k];
  const gi_literal *l = &((const gi_constant_attr *)n->attr)->literal;
  if (!gi_attr_equal(n->op, n->attr, e->g[1]->nodes.at[k]->attr))
    refuse(e, n, "its elements depend on the batch's size");
  e->name[n->out] = gi_onnx_constant_of(e, &l->type, l->data);
  return GLIA_OK;
}

/* Inputs first, so that they keep their names; then weights. */
static glia_status put_sources(gi_onnx_exporter *e) {
  const glia_graph *g = e->g[0];
  for (size_t k = 0; k < g->nodes.n; k++)
    if (g->nodes.at[k]->op == &gi_op_input) put_input(e, g->nodes.at[k]);
  for (size_t i = 0; i < g->roots.n; i++) {
    if (g->roots.at[i].variable != GI_NO_VALUE)
      return gi_fail(GLIA_UNSUPPORTED, "export: the model changes its variables as it runs");
    e->result[i] = gi_onnx_name(e, g->roots.at[i].name);
  }
  for (size_t k = 0; k < g->nodes.n; k++)
    if (g->nodes.at[k]->op == &gi_op_variable && is_used(e, g->nodes.at[k]))
      GI_TRY(put_variable(e, g->nodes.at[k]));
  for (size_t k = 0; k < g->nodes.n; k++)
    if (g->nodes.at[k]->op == &gi_op_constant && is_used(e, g->nodes.at[k]))
      GI_TRY(put_constant(e, k));
  return GLIA_OK;
}

static void put_results(gi_onnx_exporter *e) {
  const glia_graph *g = e->g[0];
  for (size_t i = 0; i < g->roots.n; i++) {
    const uint32_t v = g->roots.at[i].value;
    const gi_type *t = &g->values.at[v]->type;
    int64_t times[GLIA_MAX_RANK] = {0};
    for (int k = 0; k < t->rank; k++) times[k] = gi_onnx_times(e, v, k);
    gi_onnx_put_node(e, "", "Identity", &e->name[v], 1, &e->result[i], 1, NULL);
    gi_onnx_put_info(&e->parts.values, 12, e->result[i], t, times);
  }
}

/* ---- the whole ------------------------------------------------------------------------- */

static glia_status write_graph(gi_onnx_exporter *e) {
  const glia_graph *g = e->g[0];
  e->name = gi_arena_alloc(&e->arena, (g->values.n + 1) * sizeof *e->name);
  e->result = gi_arena_alloc(&e->arena, (g->roots.n + 1) * sizeof *e->result);
  e->used = gi_arena_alloc(&e->arena, g->values.n + 1);
  if (e->name == NULL || e->result == NULL || e->used == NULL)
    return gi_fail_nomem(g->values.n * sizeof *e->name);
  mark_used(e);
  GI_TRY(put_sources(e));
  for (size_t k = 0; k < g->nodes.n; k++) GI_TRY(write_node(e, k));
  put_results(e);
  if (e->failed || e->parts.nodes.failed || e->parts.values.failed || e->refused.failed)
    return gi_fail_nomem(e->parts.nodes.n);
  if (e->refusals > MOST_REFUSALS)
    gi_str_printf(&e->refused, "; and %d more", e->refusals - MOST_REFUSALS);
  if (e->refusals == 0) return GLIA_OK;
  return gi_fail(GLIA_UNSUPPORTED, "export: ONNX (opset %d) cannot hold %s", (int)GI_ONNX_OPSET,
                 e->refused.s != NULL ? e->refused.s : "it");
}

glia_status gi_onnx_export_model(gi_onnx_tracer trace, void *user, const char *name,
                                 const glia_metadata *metadata, int n_metadata,
                                 const char *path) {
  gi_onnx_exporter e = {.parts = {.name = name}};
  glia_status s = trace_twice(&e, trace, user);
  if (s == GLIA_OK) s = write_graph(&e);
  if (s == GLIA_OK) s = gi_onnx_write(&e.parts, metadata, n_metadata, path);
  for (int i = 0; i < 2; i++) glia_graph_free(e.g[i]);
  gi_onnx_exporter_clear(&e);
  return s;
}
