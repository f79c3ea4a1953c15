/* plan.c - makes a plan: order, memory, kernels prepared, pointers resolved. */
#include "compile/plan.h"

#include "compile/offers.h"

/* ---- pointers ---------------------------------------------------------------------------- */

/* Where a value lies; NULL for inputs, whose memory comes with every run. */
static void *address(const glia_plan *p, uint32_t v) {
  const gi_place *place = &p->memory.place[v];
  const gi_val *source = p->graph->values.at[place->source];
  const gi_node *n = p->graph->nodes.at[source->node];
  switch (place->kind) {
    case GI_IN_ARENA: return p->arena + place->offset;
    case GI_IN_FIXED: return (char *)p->fixed + place->offset;
    case GI_IN_STORE: {
      const gi_entry *e =
          gi_store_find(p->graph->store, ((const gi_input_attr *)n->attr)->name);
      return glia_tensor_data(e->tensor);
    }
    case GI_IN_CONSTANT: {
      void *data;
      memcpy(&data, &((const gi_constant_attr *)n->attr)->literal.data, sizeof data);
      return data; /* kernels read their inputs only */
    }
    case GI_IN_INPUT: break;
  }
  return NULL;
}

static int input_number(const glia_plan *p, uint32_t v) {
  for (int i = 0; i < p->n_inputs; i++)
    if (p->inputs[i].value == v) return i;
  return -1;
}

static void add_slot(glia_plan *p, const void **at, uint32_t v) {
  const gi_place *place = &p->memory.place[v];
  if (place->kind != GI_IN_INPUT) return;
  p->slots[p->n_slots++] = (gi_slot){at, (uint32_t)input_number(p, place->source), 0};
}

/* ---- steps ------------------------------------------------------------------------------- */

/* The elements of a value that are the same in every run; NULL of others. */
static const void *known_elements(const glia_plan *p, uint32_t v) {
  const gi_place_kind kind = p->memory.place[v].kind;
  const bool known = kind == GI_IN_CONSTANT || kind == GI_IN_FIXED ||
                     (kind == GI_IN_STORE && p->target.fixed &&
                      !gi_is_assigned(p->graph, p->memory.place[v].source));
  return known ? address(p, v) : NULL;
}

static glia_status prepare_step(glia_plan *p, uint32_t k) {
  glia_graph *g = p->graph;
  gi_node *n = g->nodes.at[k];
  if (n->kernel == NULL) GI_TRY(gi_settle_kernel(g, n, &p->target));
  const size_t args = (size_t)n->n_in + (size_t)n->n_out;
  gi_type *types = gi_alloc(args * sizeof *types);
  gi_layout *layouts = gi_alloc(args * sizeof *layouts);
  const void **known = gi_alloc(args * sizeof *known);
  const void **in = gi_arena_alloc(&g->arena, ((size_t)n->n_in + 1) * sizeof *in);
  void **out = gi_arena_alloc(&g->arena, ((size_t)n->n_out + 1) * sizeof *out);
  gi_prepared made = {0};
  glia_status s = GLIA_OK;
  if (types == NULL || layouts == NULL || known == NULL || in == NULL || out == NULL)
    s = gi_fail_nomem(args * sizeof *types);
  for (bool again = s == GLIA_OK; again;) {
    gi_problem problem =
        gi_node_problem(g, n, gi_kernel_threads(n->kernel, &p->target), types, layouts);
    for (int i = 0; i < n->n_in; i++) known[i] = known_elements(p, n->in[i]);
    problem.known = known;
    gi_kernel_layouts(n->kernel, &problem, n->choice, layouts, layouts + n->n_in);
    s = n->kernel->prepare(&problem, &made);
    again = s == GLIA_UNSUPPORTED && gi_settle_kernel(g, n, &p->target) == GLIA_OK;
    gi_where(s, "%s%s%s", n->path, n->path[0] != '\0' ? ": " : "", n->kernel->name);
  }
  if (s == GLIA_OK) {
    p->steps[p->n_steps++] = (gi_step){.kernel = n->kernel,
                                       .exec = {made.state, in, out, NULL, &p->clock},
                                       .node = k,
                                       .unread = made.unread,
                                       .threads = made.threads,
                                       .apart = made.apart};
    p->scratch = GI_MAX(p->scratch, made.scratch);
    p->kept += made.kept;
  }
  gi_free(types);
  gi_free(layouts);
  gi_free(known);
  return s;
}

static glia_status prepare_steps(glia_plan *p, int first, int last) {
  for (int i = first; i < last; i++)
    if (!(p->graph->nodes.at[p->order[i]]->op->flags & GI_VIEW))
      GI_TRY(prepare_step(p, p->order[i]));
  return GLIA_OK;
}

/* Threads stand by from the first step that shares its loops out to the last before one that
 * starts threads of its own. */
static void find_stretches(glia_plan *p) {
  for (int i = 0; i < p->n_steps && p->target.backend->together != NULL; i++) {
    gi_step *first = &p->steps[i];
    if (first->threads <= 1) continue;
    for (int k = i; k < p->n_steps && !p->steps[k].apart; k++)
      if (p->steps[k].threads > 1) first->until = k + 1;
    i = first->until - 1;
  }
}

static void resolve_step(glia_plan *p, gi_step *step, void *scratch) {
  const gi_node *n = p->graph->nodes.at[step->node];
  const void **in;
  void **out;
  memcpy(&in, &step->exec.in, sizeof in); /* the arrays are the plan's own */
  memcpy(&out, &step->exec.out, sizeof out);
  for (int k = 0; k < n->n_in; k++) {
    in[k] = address(p, n->in[k]);
    add_slot(p, &in[k], n->in[k]);
  }
  for (int k = 0; k < n->n_out; k++) out[k] = address(p, n->out + (uint32_t)k);
  step->exec.scratch = scratch;
}

static void resolve_steps(glia_plan *p) {
  for (int i = 0; i < p->n_steps; i++)
    resolve_step(p, &p->steps[i], p->arena + p->memory.arena);
}

static void release_steps(glia_plan *p) {
  for (int i = 0; i < p->n_steps; i++)
    if (p->steps[i].kernel->release != NULL)
      p->steps[i].kernel->release(p->steps[i].exec.state);
  p->n_steps = 0;
  p->scratch = p->kept = 0;
}

/* ---- fixed steps ---------------------------------------------------------------------------
 *
 * Each is run right before the first step is prepared that wants what comes of it: by then the
 * weights of the steps before are packed and given back, and no two forms of all weights are
 * ever there together. What others read of them lies in p->fixed, the rest in memory for the
 * moment. */

static glia_status run_fixed_step(glia_plan *p, uint32_t node) {
  const size_t scratch = p->scratch, kept = p->kept; /* of the steps that stay */
  p->scratch = 0;
  glia_status s = prepare_step(p, node);
  if (s == GLIA_OK) {
    gi_step *step = &p->steps[--p->n_steps];
    void *work = gi_alloc_aligned(p->scratch + 64);
    if (work != NULL) {
      resolve_step(p, step, work);
      s = step->kernel->run(&step->exec);
    } else {
      s = gi_fail_nomem(p->scratch);
    }
    gi_free_aligned(work);
    if (step->kernel->release != NULL) step->kernel->release(step->exec.state);
  }
  p->scratch = scratch;
  p->kept = kept;
  return s;
}

/* Runs those from *next up to `last`, in their order. */
static glia_status run_fixed(glia_plan *p, int *next, int last) {
  for (; *next < last; (*next)++) {
    const uint32_t node = p->order[*next];
    if (!(p->graph->nodes.at[node]->op->flags & GI_VIEW)) GI_TRY(run_fixed_step(p, node));
  }
  return GLIA_OK;
}

/* How many fixed steps make what the step of this node wants. */
static int fixed_before(const glia_plan *p, const int *position, uint32_t node) {
  const gi_node *n = p->graph->nodes.at[node];
  int last = 0;
  for (int k = 0; k < n->n_in; k++) {
    const gi_place *place = &p->memory.place[n->in[k]];
    if (place->kind == GI_IN_FIXED)
      last = GI_MAX(last, position[p->graph->values.at[place->source]->node] + 1);
  }
  return last;
}

/* How many times the steps that are run, and the results, ask for what lies at each source. */
static void count_uses(const glia_plan *p, uint32_t *uses) {
  const gi_place *place = p->memory.place;
  for (int i = p->n_fixed; i < p->n_order; i++) {
    const gi_node *n = p->graph->nodes.at[p->order[i]];
    for (int k = 0; k < n->n_in && !(n->op->flags & GI_VIEW); k++)
      uses[place[n->in[k]].source]++;
  }
  for (size_t i = 0; i < p->graph->roots.n; i++)
    uses[place[p->graph->roots.at[i].value].source]++;
  if (p->watched != GI_NO_VALUE) uses[place[p->watched].source]++;
}

/* Packed weights and what they were made of need not both be there in full: once the last
 * kernel that wants it has its own form of a fixed value, its memory goes back. */
static void forget_packed(glia_plan *p, uint32_t *uses) {
  const gi_step *s = &p->steps[p->n_steps - 1];
  const gi_node *n = p->graph->nodes.at[s->node];
  for (int k = 0; k < n->n_in && k < 64; k++) {
    const gi_place *place = &p->memory.place[n->in[k]];
    if (place->kind != GI_IN_FIXED || (s->unread >> k & 1) == 0) continue;
    if (--uses[place->source] == 0)
      gi_forget((char *)p->fixed + place->offset,
                gi_type_bytes(&p->graph->values.at[place->source]->type));
  }
}

/* Prepares what is run every time, and runs what is fixed on the way. */
static glia_status prepare_in_order(glia_plan *p, const int *position, uint32_t *uses) {
  int fixed = 0;
  for (int i = p->n_fixed; i < p->n_order; i++) {
    const int before = p->n_steps;
    GI_TRY(run_fixed(p, &fixed, fixed_before(p, position, p->order[i])));
    GI_TRY(prepare_steps(p, i, i + 1));
    if (p->n_steps > before) forget_packed(p, uses);
  }
  return run_fixed(p, &fixed, p->n_fixed); /* results */
}

static glia_status prepare_runs(glia_plan *p) {
  uint32_t *uses = gi_alloc((p->graph->values.n + 1) * sizeof *uses);
  int *position = gi_alloc((p->graph->nodes.n + 1) * sizeof *position);
  glia_status s =
      uses == NULL || position == NULL ? gi_fail_nomem(p->graph->values.n) : GLIA_OK;
  if (s == GLIA_OK && p->n_fixed > 0) {
    p->fixed = gi_alloc_aligned(p->memory.fixed + 64);
    p->arena = gi_alloc_aligned(p->memory.arena + 64); /* for the moment */
    if (p->fixed == NULL || p->arena == NULL)
      s = gi_fail_nomem(p->memory.fixed + p->memory.arena);
  }
  if (s == GLIA_OK) {
    count_uses(p, uses);
    for (int i = 0; i < p->n_order; i++) position[p->order[i]] = i;
    s = prepare_in_order(p, position, uses);
  }
  gi_free_aligned(p->arena);
  p->arena = NULL;
  p->n_slots = 0;
  gi_free(uses);
  gi_free(position);
  return s;
}

/* Which of them are read in runs: kernels may hold the elements in another form. */
static void mark_read(const glia_plan *p, bool *read) {
  for (int i = 0; i < p->n_steps; i++) {
    const gi_step *s = &p->steps[i];
    const gi_node *n = p->graph->nodes.at[s->node];
    for (int k = 0; k < n->n_in; k++)
      if (k >= 64 || (s->unread >> k & 1) == 0) read[n->in[k]] = true;
  }
  for (size_t i = 0; i < p->graph->roots.n; i++) read[p->graph->roots.at[i].value] = true;
  if (p->watched != GI_NO_VALUE) read[p->watched] = true;
}

/* Gives back the pages of fixed values that no step reads, and counts the bytes that stay. */
static glia_status shrink_fixed(glia_plan *p) {
  if (p->fixed == NULL) return GLIA_OK;
  const size_t n = p->graph->values.n;
  bool *read = gi_alloc((n + 1) * sizeof *read), *stays = gi_alloc((n + 1) * sizeof *stays);
  glia_status s = GLIA_OK;
  if (read != NULL && stays != NULL) {
    mark_read(p, read);
    for (size_t v = 0; v < n; v++) /* by what they are views of */
      if (read[v]) stays[p->memory.place[v].source] = true;
    for (size_t v = 0; v < n; v++) {
      const gi_place *place = &p->memory.place[v];
      const gi_type *type = &p->graph->values.at[v]->type;
      if (place->kind != GI_IN_FIXED || place->source != v) continue;
      if (stays[v])
        p->fixed_kept += gi_placed_bytes(type);
      else
        gi_forget((char *)p->fixed + place->offset, gi_type_bytes(type));
    }
  } else {
    s = gi_fail_nomem(n);
  }
  gi_free(read);
  gi_free(stays);
  return s;
}

/* Steps that depend on variables alone come first, where those keep their values. */
static glia_status put_fixed_first(glia_plan *p) {
  if (!p->target.fixed) return GLIA_OK;
  return gi_fixed_first(p->graph, p->order, p->n_order, &p->n_fixed);
}

/* ---- ends -------------------------------------------------------------------------------- */

static glia_status make_output(glia_plan *p, size_t root, void *data) {
  glia_tensor_free(p->outputs[root]);
  p->outputs[root] = NULL;
  const gi_type *t = &p->graph->values.at[p->graph->roots.at[root].value]->type;
  return glia_tensor_wrap(t->dtype, t->rank, t->dim, data, &p->outputs[root]);
}

static void add_copy(glia_plan *p, void *to, size_t kept, uint32_t value) {
  gi_copy *c = &p->copies[p->n_copies++];
  c->bytes = gi_type_bytes(&p->graph->values.at[value]->type);
  c->to = to;
  c->from = kept != SIZE_MAX ? p->arena + kept : address(p, value);
  if (kept == SIZE_MAX) add_slot(p, &c->from, value); /* an input is found at run time */
}

/* Copies at the end of a step: first out of what changes, then into the variables. */
static void add_copies(glia_plan *p) {
  const gi_memory *m = &p->memory;
  p->n_copies = 0;
  for (size_t i = 0; i < p->graph->roots.n; i++)
    if (m->copied[i] && m->copy_to[i] != SIZE_MAX)
      add_copy(p, p->arena + m->copy_to[i], SIZE_MAX, p->graph->roots.at[i].value);
  for (size_t i = 0; i < p->graph->roots.n; i++) {
    const gi_root *r = &p->graph->roots.at[i];
    if (m->copied[i] && r->variable != GI_NO_VALUE)
      add_copy(p, address(p, r->variable), m->copy_to[i], r->value);
  }
}

static glia_status make_ends(glia_plan *p) {
  add_copies(p);
  for (size_t i = 0; i < p->graph->roots.n; i++) {
    const gi_root *r = &p->graph->roots.at[i];
    if (r->variable != GI_NO_VALUE) continue;
    GI_TRY(make_output(
        p, i, p->memory.copied[i] ? p->arena + p->memory.copy_to[i] : address(p, r->value)));
  }
  return GLIA_OK;
}

static glia_status make_inputs(glia_plan *p) {
  p->inputs = gi_alloc((p->graph->nodes.n + 1) * sizeof *p->inputs);
  if (p->inputs == NULL) return gi_fail_nomem(p->graph->nodes.n * sizeof *p->inputs);
  for (size_t k = 0; k < p->graph->nodes.n; k++) {
    const gi_node *n = p->graph->nodes.at[k];
    if (n->op == &gi_op_input)
      p->inputs[p->n_inputs++] =
          (gi_bound){.value = n->out, .name = ((const gi_input_attr *)n->attr)->name};
  }
  return GLIA_OK;
}

static glia_status find_watch(const glia_graph *g, const char *name, uint32_t *out) {
  *out = GI_NO_VALUE;
  if (name == NULL) return GLIA_OK;
  for (size_t i = 0; i < g->roots.n; i++) {
    const gi_root *r = &g->roots.at[i];
    if (r->name == NULL || strcmp(r->name, name) != 0) continue;
    const gi_val *v = g->values.at[r->value];
    if (gi_type_count(&v->type) != 1 || !glia_dtype_is_float(v->type.dtype))
      return gi_fail(GLIA_SHAPE, "watch: output \"%s\" is no scalar float", name);
    *out = r->value;
    return GLIA_OK;
  }
  return gi_fail(GLIA_INVALID, "watch: the graph has no output \"%s\"", name);
}

/* The step that makes the watched value, or what it is a view of. */
static void set_watch(glia_plan *p) {
  p->watch_step = -1;
  if (p->watched == GI_NO_VALUE) return;
  const gi_val *v = p->graph->values.at[p->watched];
  p->watch = address(p, p->watched);
  p->watch_dtype = v->type.dtype;
  while (p->graph->nodes.at[v->node]->op->flags & GI_VIEW)
    v = p->graph->values.at[p->graph->nodes.at[v->node]->in[0]];
  for (int i = 0; i < p->n_steps; i++)
    if (p->steps[i].node == v->node) p->watch_step = i;
}

static glia_status make_lists(glia_plan *p) {
  size_t args = 1, roots = p->graph->roots.n + 1;
  for (int i = 0; i < p->n_order; i++) args += (size_t)p->graph->nodes.at[p->order[i]]->n_in;
  p->steps = gi_alloc((size_t)(p->n_order + 1) * sizeof *p->steps);
  p->slots = gi_alloc((args + roots) * sizeof *p->slots);
  p->copies = gi_alloc(2 * roots * sizeof *p->copies);
  p->outputs = gi_alloc(roots * sizeof *p->outputs);
  if (p->steps == NULL || p->slots == NULL || p->copies == NULL || p->outputs == NULL)
    return gi_fail_nomem((args + roots) * sizeof *p->slots);
  return GLIA_OK;
}

static glia_status build(glia_plan *p, const char *watch) {
  GI_TRY(find_watch(p->graph, watch, &p->watched));
  GI_TRY(make_inputs(p));
  GI_TRY(gi_schedule(p->graph, p->watched, &p->order, &p->n_order));
  GI_TRY(put_fixed_first(p));
  GI_TRY(gi_plan_memory(p->graph, p->order, p->n_order, p->n_fixed, p->watched, &p->memory));
  GI_TRY(make_lists(p));
  GI_TRY(prepare_runs(p));
  find_stretches(p);
  return shrink_fixed(p);
}

glia_status gi_plan_attach(glia_plan *p, void *arena) {
  p->arena = arena;
  p->n_slots = 0;
  resolve_steps(p);
  GI_TRY(make_ends(p));
  set_watch(p);
  return GLIA_OK;
}

glia_status gi_plan_new(glia_graph *graph, const gi_target *target, const char *watch,
                        glia_plan **out) {
  glia_plan *p = gi_alloc(sizeof *p);
  if (p == NULL) {
    glia_graph_free(graph);
    return gi_fail_nomem(sizeof *p);
  }
  p->graph = graph;
  p->target = *target;
  const glia_status s = build(p, watch);
  if (s != GLIA_OK) {
    glia_plan_free(p);
    return s;
  }
  *out = p;
  return GLIA_OK;
}

void glia_plan_free(glia_plan *p) {
  if (p == NULL) return;
  release_steps(p);
  for (size_t i = 0; p->outputs != NULL && i < p->graph->roots.n; i++)
    glia_tensor_free(p->outputs[i]);
  for (int i = 0; i < p->n_inputs; i++) glia_tensor_free(p->inputs[i].hold);
  gi_free(p->steps);
  gi_free(p->slots);
  gi_free(p->copies);
  gi_free(p->inputs);
  gi_free(p->outputs);
  gi_free(p->order);
  gi_free(p->dump);
  gi_free(p->seconds);
  gi_memory_free(&p->memory);
  gi_free_aligned(p->own_arena);
  gi_free_aligned(p->fixed);
  gi_times_free(&p->times);
  glia_graph_free(p->graph);
  gi_free(p);
}
