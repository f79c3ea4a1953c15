/* ref.c - the reference backend: any op, any dtype, from the op's own plain loops (op->ref).
 *
 * It is what every faster kernel is tested against, and what remains where none fits. It keeps
 * everything in the plain layout and makes no use of threads.
 */
#include "backend/backend.h"

typedef struct state {
  const gi_op *op;
  gi_ref call;   /* all but the pointers, which run fills in */
  gi_buf bufs[]; /* inputs, then outputs */
} state;

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  if (p->op->ref == NULL)
    return gi_fail(GLIA_UNSUPPORTED, "%s: the reference backend has no loops for it",
                   p->op->name);
  const size_t n = (size_t)p->n_in + (size_t)p->n_out;
  state *s = gi_alloc(sizeof *s + n * sizeof s->bufs[0]);
  if (s == NULL) return gi_fail_nomem(sizeof *s + n * sizeof s->bufs[0]);
  s->op = p->op;
  s->call = (gi_ref){.n_in = p->n_in,
                     .n_out = p->n_out,
                     .in = s->bufs,
                     .out = s->bufs + p->n_in,
                     .attr = p->attr};
  for (int i = 0; i < p->n_in; i++) s->bufs[i].t = p->in[i];
  for (int i = 0; i < p->n_out; i++) s->bufs[p->n_in + i].t = p->out[i];
  out->state = s;
  out->scratch = 0;
  return GLIA_OK;
}

/* A gi_buf serves inputs and outputs alike, so its pointer is not const; reference loops write
 * only to outputs. */
static void *not_const(const void *p) {
  union {
    const void *from;
    void *to;
  } u = {p};
  return u.to;
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  for (int i = 0; i < s->call.n_in; i++) s->bufs[i].p = not_const(x->in[i]);
  for (int i = 0; i < s->call.n_out; i++) s->bufs[s->call.n_in + i].p = x->out[i];
  s->call.clock = x->clock;
  return s->op->ref(&s->call);
}

/* Some nanoseconds an operation or element, whatever the machine's vectors can do. */
static double cost(const gi_problem *p, const gi_limits *limits) {
  const gi_cost c = gi_problem_cost(p);
  (void)limits;
  return 1e-6 + 4e-9 * (c.flops + c.bytes / 4);
}

static const gi_kernel any = {
    .name = "reference",
    .cost = cost,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};
static const gi_kernel *const kernels[] = {&any, NULL};
static const gi_kernel *const *const lists[] = {kernels, NULL};

static gi_limits limits(int threads) {
  (void)threads; /* it uses one */
  return (gi_limits){.flops = 5e8, .bytes = 2e9};
}

static void setup(gi_str *out) { gi_str_puts(out, "ref"); }

const gi_backend gi_backend_ref = {
    .name = "ref", .kernels = lists, .limits = limits, .setup = setup};
