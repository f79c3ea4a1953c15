/* dnnl.c - oneDNN: one engine and stream for all, chains of primitives, status codes to
 * messages.
 *
 * The engine and the stream hold no state that a run changes (the stream of a CPU engine
 * executes at once, on the caller's thread and OpenMP's), so all plans on all threads share
 * them.
 */
#include "backend/cpu/dnnl.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl_debug.h>
#include <pthread.h>
#include <stdlib.h>

enum { ARGS = 6, PRIMITIVES = 6, KEPT = 2, ALIGN = 64 };

/* ---- engine, attributes, descriptors ---------------------------------------------------- */

static struct shared {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  dnnl_status_t status;
} shared;

/* GLIA_ISA limits oneDNN's own code generation too; it must be told before its first use. */
static void start(void) {
  const char *limit = getenv("GLIA_ISA");
  if (limit != NULL && strcmp(limit, "base") == 0) dnnl_set_max_cpu_isa(dnnl_cpu_isa_sse41);
  if (limit != NULL && strcmp(limit, "avx2") == 0) dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
  shared.status = dnnl_engine_create(&shared.engine, dnnl_cpu, 0);
  if (shared.status == dnnl_success)
    shared.status =
        dnnl_stream_create(&shared.stream, shared.engine, dnnl_stream_default_flags);
}

glia_status gi_dnnl_engine(dnnl_engine_t *out) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start);
  *out = shared.engine;
  return gi_dnnl_check(shared.status, "engine");
}

glia_status gi_dnnl_check(dnnl_status_t s, const char *what) {
  switch (s) {
    case dnnl_success: return GLIA_OK;
    case dnnl_out_of_memory: return gi_fail(GLIA_NOMEM, "oneDNN: %s: out of memory", what);
    case dnnl_invalid_arguments:
      return gi_fail(GLIA_INVALID, "oneDNN: %s: arguments that do not belong together", what);
    case dnnl_unimplemented:
      return gi_fail(GLIA_UNSUPPORTED, "oneDNN: %s: nothing implements it", what);
    default: return gi_fail(GLIA_DEVICE, "oneDNN: %s: status %d", what, (int)s);
  }
}

/* "cpu_isa_avx2" */
static const char *instruction_set(void) {
  dnnl_engine_t engine;
  if (gi_dnnl_engine(&engine) != GLIA_OK) return "";
  return dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa());
}

void gi_dnnl_setup(gi_str *out) {
  const dnnl_version_t *v = dnnl_version();
  const char *isa = instruction_set(), *name = strstr(isa, "isa_");
  gi_str_printf(out, "%d.%d.%d %s", v->major, v->minor, v->patch,
                name != NULL ? name + 4 : isa);
}

bool gi_dnnl_wide(void) { return strstr(instruction_set(), "avx512") != NULL; }

bool gi_dnnl_adds_anywhere(void) { return strstr(instruction_set(), "sse") == NULL; }

/* "cpu_isa_avx512_core_bf16", "cpu_isa_avx512_core_amx". Before these oneDNN emulates it, which
 * is slower than f32. */
const char *gi_dnnl_takes(glia_dtype t) {
  const char *isa = instruction_set();
  if (t == GLIA_F32) return NULL;
  if (t != GLIA_BF16) return "takes f32 and bf16 only";
  return strstr(isa, "bf16") != NULL || strstr(isa, "amx") != NULL
             ? NULL
             : "takes bf16 with AVX512-BF16 or AMX only";
}

static dnnl_status_t append_ops(dnnl_primitive_attr_t attr, bool sum, bool relu) {
  dnnl_post_ops_t ops;
  dnnl_status_t s = dnnl_post_ops_create(&ops);
  if (s != dnnl_success) return s;
  if (sum) s = dnnl_post_ops_append_sum(ops, 1.0f);
  if (s == dnnl_success && relu)
    s = dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f);
  if (s == dnnl_success) s = dnnl_primitive_attr_set_post_ops(attr, ops);
  dnnl_post_ops_destroy(ops);
  return s;
}

glia_status gi_dnnl_attr(bool sum, bool relu, dnnl_primitive_attr_t *out) {
  dnnl_status_t s = dnnl_primitive_attr_create(out);
  GI_TRY(gi_dnnl_check(s, "attributes"));
  s = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
  if (s == dnnl_success && (sum || relu)) s = append_ops(*out, sum, relu);
  if (s != dnnl_success) dnnl_primitive_attr_destroy(*out);
  return gi_dnnl_check(s, "attributes");
}

glia_status gi_dnnl_desc(glia_dtype dtype, int rank, const int64_t *dims,
                         const int64_t *strides, dnnl_memory_desc_t *out) {
  const dnnl_data_type_t type = dtype == GLIA_BF16 ? dnnl_bf16 : dnnl_f32;
  dnnl_dims_t d = {0}, s = {0};
  for (int i = 0; i < rank; i++) {
    d[i] = dims[i];
    s[i] = strides != NULL ? strides[i] : 0;
  }
  return gi_dnnl_check(
      strides != NULL ? dnnl_memory_desc_init_by_strides(out, rank, d, type, s)
                      : dnnl_memory_desc_init_by_tag(out, rank, d, type, dnnl_format_tag_any),
      "memory descriptor");
}

const dnnl_memory_desc_t *gi_dnnl_arg(dnnl_primitive_desc_t pd, int arg) {
  return dnnl_primitive_desc_query_md(pd, dnnl_query_exec_arg_md, arg);
}

/* ---- chains ----------------------------------------------------------------------------- */

typedef struct argument {
  dnnl_memory_t memory;
  gi_buffer buffer;
  void *at; /* what memory points to now */
} argument;

typedef struct link {
  dnnl_primitive_t primitive;
  bool copies; /* its first argument to its second: not done where they are one */
  int n;
  dnnl_exec_arg_t exec[ARGS];
  argument arg[ARGS];
} link;

struct gi_chain {
  int threads, n;
  size_t scratch;    /* buffers */
  size_t scratchpad; /* behind them; one primitive's at a time */
  void *kept[KEPT];  /* owned; weights in the layout that a primitive likes */
  int n_kept;
  size_t kept_bytes;
  uint64_t unread; /* see gi_prepared */
  link links[PRIMITIVES];
};

static const size_t AT_SCRATCHPAD = SIZE_MAX; /* offset until the chain is finished */

glia_status gi_chain_new(int threads, gi_chain **out) {
  gi_chain *c = gi_alloc(sizeof *c);
  if (c == NULL) return gi_fail_nomem(sizeof *c);
  c->threads = threads;
  *out = c;
  return GLIA_OK;
}

void gi_chain_free(void *chain) {
  gi_chain *c = chain;
  if (c == NULL) return;
  for (int i = 0; i < c->n; i++) {
    for (int k = 0; k < c->links[i].n; k++) dnnl_memory_destroy(c->links[i].arg[k].memory);
    dnnl_primitive_destroy(c->links[i].primitive);
  }
  for (int i = 0; i < c->n_kept; i++) gi_free_aligned(c->kept[i]);
  gi_free(c);
}

gi_buffer gi_chain_scratch(gi_chain *c, size_t bytes) {
  const gi_buffer b = {GI_BUFFER_SCRATCH, c->scratch};
  c->scratch += (bytes + ALIGN - 1) / ALIGN * ALIGN;
  return b;
}

/* Primitives are made for a number of threads and compute nonsense with fewer, so that none may
 * be made for more than OMP_THREAD_LIMIT lets run. */
int gi_dnnl_enter(int threads) {
  const int before = omp_get_max_threads();
  threads = GI_MIN(threads, omp_get_thread_limit());
  if (before != threads) omp_set_num_threads(threads);
  return before;
}
void gi_dnnl_leave(int before) {
  if (before != omp_get_max_threads()) omp_set_num_threads(before);
}

static glia_status add_argument(link *l, int arg, const dnnl_memory_desc_t *desc,
                                gi_buffer buffer) {
  dnnl_engine_t engine;
  GI_TRY(gi_dnnl_engine(&engine));
  argument *a = &l->arg[l->n];
  GI_TRY(gi_dnnl_check(dnnl_memory_create(&a->memory, desc, engine, DNNL_MEMORY_NONE),
                       "memory of an argument"));
  a->buffer = buffer;
  l->exec[l->n++] = (dnnl_exec_arg_t){arg, a->memory};
  return GLIA_OK;
}

glia_status gi_chain_add(gi_chain *c, dnnl_primitive_desc_t pd, const gi_bind *args, int n) {
  link *l = &c->links[c->n];
  const int before = gi_dnnl_enter(c->threads);
  glia_status s = gi_dnnl_check(dnnl_primitive_create(&l->primitive, pd), "primitive");
  gi_dnnl_leave(before);
  if (s == GLIA_OK) c->n++;
  for (int i = 0; i < n && s == GLIA_OK; i++)
    s = add_argument(l, args[i].arg, gi_dnnl_arg(pd, args[i].arg), args[i].buffer);
  const dnnl_memory_desc_t *pad = gi_dnnl_arg(pd, DNNL_ARG_SCRATCHPAD);
  const size_t bytes = pad != NULL ? dnnl_memory_desc_get_size(pad) : 0;
  if (s == GLIA_OK && bytes > 0) {
    s = add_argument(l, DNNL_ARG_SCRATCHPAD, pad,
                     (gi_buffer){GI_BUFFER_SCRATCH, AT_SCRATCHPAD});
    c->scratchpad = GI_MAX(c->scratchpad, bytes);
  }
  dnnl_primitive_desc_destroy(pd);
  return s;
}

glia_status gi_chain_reorder(gi_chain *c, gi_buffer from, const dnnl_memory_desc_t *have,
                             gi_buffer to, const dnnl_memory_desc_t *want) {
  dnnl_engine_t engine;
  dnnl_primitive_attr_t attr;
  dnnl_primitive_desc_t pd;
  GI_TRY(gi_dnnl_engine(&engine));
  GI_TRY(gi_dnnl_attr(false, false, &attr));
  const int before = gi_dnnl_enter(c->threads);
  const dnnl_status_t s =
      dnnl_reorder_primitive_desc_create(&pd, have, engine, want, engine, attr);
  gi_dnnl_leave(before);
  dnnl_primitive_attr_destroy(attr);
  GI_TRY(gi_dnnl_check(s, "reorder"));
  return gi_chain_add(c, pd, (gi_bind[]){{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}, 2);
}

glia_status gi_chain_copy(gi_chain *c, gi_buffer from, gi_buffer to,
                          const dnnl_memory_desc_t *desc) {
  GI_TRY(gi_chain_reorder(c, from, desc, to, desc));
  c->links[c->n - 1].copies = true;
  return GLIA_OK;
}

glia_status gi_chain_sum(gi_chain *c, gi_buffer a, gi_buffer b, gi_buffer to,
                         const dnnl_memory_desc_t *desc, bool relu) {
  dnnl_engine_t engine;
  dnnl_primitive_attr_t attr;
  dnnl_primitive_desc_t pd;
  dnnl_binary_desc_t d;
  GI_TRY(gi_dnnl_engine(&engine));
  GI_TRY(gi_dnnl_check(dnnl_binary_desc_init(&d, dnnl_binary_add, desc, desc, desc), "sum"));
  GI_TRY(gi_dnnl_attr(false, relu, &attr));
  const int before = gi_dnnl_enter(c->threads);
  const dnnl_status_t s = dnnl_primitive_desc_create(&pd, &d, attr, engine, NULL);
  gi_dnnl_leave(before);
  dnnl_primitive_attr_destroy(attr);
  GI_TRY(gi_dnnl_check(s, "sum"));
  const gi_bind args[] = {{DNNL_ARG_SRC_0, a}, {DNNL_ARG_SRC_1, b}, {DNNL_ARG_DST, to}};
  return gi_chain_add(c, pd, args, 3);
}

/* Reorders known elements here and now, by a chain of one reorder. */
static glia_status keep(gi_chain *c, const void *known, const dnnl_memory_desc_t *have,
                        const dnnl_memory_desc_t *want, gi_buffer *out) {
  const size_t bytes = dnnl_memory_desc_get_size(want);
  gi_chain *once = NULL;
  gi_prepared made = {0};
  void *to = gi_alloc_aligned(bytes);
  if (to == NULL) return gi_fail_nomem(bytes);
  *out = (gi_buffer){GI_BUFFER_KEPT, (size_t)c->n_kept};
  c->kept[c->n_kept++] = to;
  c->kept_bytes += bytes;
  GI_TRY(gi_chain_new(c->threads, &once));
  glia_status s = gi_chain_reorder(once, gi_in(0), have, gi_out(0), want);
  if (s == GLIA_OK) gi_chain_finish(once, &made);
  void *scratch = gi_alloc_aligned(made.scratch + ALIGN);
  if (s == GLIA_OK && scratch == NULL) s = gi_fail_nomem(made.scratch);
  if (s == GLIA_OK) s = gi_chain_run(&(gi_exec){once, &known, &to, scratch, NULL});
  gi_free_aligned(scratch);
  gi_chain_free(once);
  return s;
}

glia_status gi_chain_reordered(gi_chain *c, const gi_problem *p, int i,
                               const dnnl_memory_desc_t *have, const dnnl_memory_desc_t *want,
                               gi_buffer *out) {
  *out = gi_in((size_t)i);
  if (dnnl_memory_desc_equal(have, want)) return GLIA_OK;
  if (p->known != NULL && p->known[i] != NULL && c->n_kept < KEPT) {
    c->unread |= (uint64_t)1 << i;
    return keep(c, p->known[i], have, want, out);
  }
  *out = gi_chain_scratch(c, dnnl_memory_desc_get_size(want));
  return gi_chain_reorder(c, gi_in((size_t)i), have, *out, want);
}

void gi_chain_finish(gi_chain *c, gi_prepared *out) {
  for (int i = 0; i < c->n; i++)
    for (int k = 0; k < c->links[i].n; k++) {
      gi_buffer *b = &c->links[i].arg[k].buffer;
      if (b->kind == GI_BUFFER_SCRATCH && b->at == AT_SCRATCHPAD) b->at = c->scratch;
    }
  out->state = c;
  out->scratch = c->scratch + c->scratchpad;
  out->kept = c->kept_bytes;
  out->unread = c->unread;
  out->apart = c->threads > 1;
}

/* oneDNN takes all memory as writable; the inputs among it are only read. */
static void *address(const gi_chain *c, const gi_exec *x, gi_buffer b) {
  union {
    const void *from;
    void *to;
  } u = {NULL};
  switch (b.kind) {
    case GI_BUFFER_IN: u.from = x->in[b.at]; return u.to;
    case GI_BUFFER_OUT: return x->out[b.at];
    case GI_BUFFER_KEPT: return c->kept[b.at];
    default: return (char *)x->scratch + b.at;
  }
}

glia_status gi_chain_run(const gi_exec *x) {
  gi_chain *c = x->state;
  const int before = gi_dnnl_enter(c->threads);
  dnnl_status_t s = dnnl_success;
  for (int i = 0; i < c->n && s == dnnl_success; i++) {
    link *l = &c->links[i];
    if (l->copies && address(c, x, l->arg[0].buffer) == address(c, x, l->arg[1].buffer))
      continue;
    for (int k = 0; k < l->n && s == dnnl_success; k++) {
      void *at = address(c, x, l->arg[k].buffer);
      if (at == l->arg[k].at) continue;
      l->arg[k].at = at;
      s = dnnl_memory_set_data_handle(l->arg[k].memory, at);
    }
    if (s == dnnl_success)
      s = dnnl_primitive_execute(l->primitive, shared.stream, l->n, l->exec);
  }
  gi_dnnl_leave(before);
  return gi_dnnl_check(s, "execution");
}
