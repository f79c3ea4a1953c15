/* ops/op.h - what an op is: one descriptor, in one file, that everything else reads.
 *
 * A file src/ops/<family>.c holds one op, or a family of like ops, and ends with the list of
 * its rows, by which the build finds them: const gi_op *const gi_ops_<family>[] = {&conv2d,
 * &conv2d_input_grad, NULL};
 *
 * An op has a gradient rule (vjp), or a lowering into other ops that is differentiated instead,
 * or a stated reason for having neither (no_grad). Fused ops have a lowering, which is at once
 * their meaning, fallback and test.
 */
#ifndef GI_OP_H
#define GI_OP_H

#include "glia/graph.h"
#include "tensor/tensor.h"

/* ---- attributes ----------------------------------------------------------------------------
 * An op's attributes are a plain struct. The schema names its fields; it drives printing,
 * hashing (common subexpressions), copying, text parsing and `glia ops`. */

typedef struct gi_dims {
  int n;
  int64_t at[GLIA_MAX_RANK];
} gi_dims;
typedef struct gi_literal {
  gi_type type;
  const void *data;
} gi_literal; /* copied to the arena */
typedef struct gi_blob {
  size_t bytes;
  const void *data;
} gi_blob; /* copied to the arena; holds
              no pointers but to rows */

typedef enum gi_attr_kind {
  GI_ATTR_F64,     /* double */
  GI_ATTR_I64,     /* int64_t */
  GI_ATTR_BOOL,    /* bool */
  GI_ATTR_DIMS,    /* gi_dims */
  GI_ATTR_DTYPE,   /* glia_dtype */
  GI_ATTR_U64,     /* uint64_t: random streams */
  GI_ATTR_NAME,    /* const char *, copied to the arena */
  GI_ATTR_TYPE,    /* gi_type */
  GI_ATTR_LITERAL, /* gi_literal */
  GI_ATTR_BLOB     /* gi_blob */
} gi_attr_kind;

typedef struct gi_attr {
  const char *name; /* NULL ends the list */
  gi_attr_kind kind;
  size_t offset;
  const char *doc;
} gi_attr;

/* ---- what the functions of an op get ----------------------------------------------------- */

enum { GI_MAX_OUT = 8, GI_SAMPLE_IN = 12, GI_MATCH_IN = 6 };

typedef struct gi_infer { /* given: input types and attributes; wanted: n_out, output types */
  int n_in;
  const gi_type *in;
  const void *attr;
  int n_out; /* op->n_out on entry; at most GI_MAX_OUT */
  gi_type *out;
} gi_infer;

/* The gradient rule builds nodes: din[i] = cotangent of input i, for the i that are needed
 * (others may stay null). dout[k] is null where output k has no influence on the loss. */
typedef struct gi_vjp {
  glia_graph *g;
  int n_in;
  const glia_value *in, *out, *dout;
  const bool *need;
  const void *attr;
  glia_value *din;
} gi_vjp;

typedef struct gi_lower { /* the same op in plainer ops: set out[] */
  glia_graph *g;
  int n_in;
  const glia_value *in;
  const void *attr;
  glia_value *out;
} gi_lower;

/* How a fused op finds its pattern: `match` is asked for the live node that would be its last,
 * and fills in what the fused node takes. Values inside the pattern must have no other use. */
struct gi_node;
typedef struct gi_match {
  const glia_graph *g;
  const struct gi_node *last;
  const int *uses;  /* by value id */
  const char *path; /* of the layer that it is done in: that of `last`, unless it is changed */
  int n_in;
  uint32_t in[GI_MATCH_IN]; /* value ids of g */
  union {
    char bytes[512];
    double align;
  } attr; /* the fused op's attributes */
} gi_match;

typedef struct gi_buf {
  gi_type t;
  void *p;
} gi_buf; /* row-major */
typedef struct gi_clock {
  uint64_t seed, step;
} gi_clock;             /* what random ops depend on */
typedef struct gi_ref { /* the reference kernel: plain loops in double, any dtype */
  int n_in, n_out;
  const gi_buf *in;
  gi_buf *out; /* not zeroed */
  const void *attr;
  const gi_clock *clock;
} gi_ref;

typedef struct gi_cost {
  double flops, bytes;
} gi_cost;

/* Inputs that the generic tests (tests/ops/test_ops.c) run an op on. Float inputs are drawn
 * uniformly from [low, high]; integer ones from low .. high - 1; bool ones are 0 or 1. */
typedef struct gi_sample {
  const void *attr;
  int n_in;
  struct {
    int rank;
    int64_t dim[GLIA_MAX_RANK];
    double low, high;
    glia_dtype dtype; /* GLIA_F32 stands for "the float type under test" */
  } in[GI_SAMPLE_IN];
  glia_status want; /* GLIA_OK, or the failure that must come, its message naming the op */
} gi_sample;

enum {
  GI_ELEMENTWISE = 1, /* out element = scalar(in elements), shapes broadcast: can be fused */
  GI_COMMUTES = 2,    /* in[0] and in[1] may change places */
  GI_VIEW = 4,        /* out shares the memory of in[0]: no work at run time */
  GI_IN_PLACE = 8,    /* out may overwrite an input of the same bytes: kernels read an element's
                         inputs before they write it */
  GI_SOURCE = 16,     /* memory comes from outside the plan: input, variable, constant */
  GI_RANDOM = 32      /* depends on the clock: never computed ahead */
};

/* What becomes of f32 values that an op reads where a graph is mixed (compile/precision.c):
 * activations lie in memory as 16-bit floats, and everything is computed in f32. */
typedef enum gi_precision {
  GI_KEEPS_F32,   /* statistics, losses, sums: it reads f32 and gives f32 */
  GI_TAKES_ANY,   /* it loses nothing: its results are as narrow as its first input */
  GI_WANTS_NARROW /* products: inputs are narrowed, sums over them stay f32 inside the kernel */
} gi_precision;

typedef struct gi_op {
  const char *name, *doc;
  const char *paper;  /* arXiv number, DOI or standard; NULL: common knowledge */
  const char *torch;  /* expression over x0, x1..., attribute names: what PyTorch computes */
  int min_in, max_in; /* inputs; max_in -1: any number */
  int n_out;          /* outputs after the first are saved statistics */
  unsigned flags;
  gi_precision precision;
  unsigned over_in; /* bit i: out[0] may lie over input i, as GI_IN_PLACE allows for each */
  unsigned f32_in;  /* bit i: input i stays f32 beside narrow ones: biases, statistics */
  /* Where the op may be done in pieces of the first axis: the inputs that are cut (bit i), and
   * the outputs that are put together again; other outputs are the sum over the pieces. 0: it
   * may not. */
  unsigned cut_in, cut_out;
  size_t attr_size;
  const gi_attr *attrs;

  glia_status (*infer)(gi_infer *c);
  glia_status (*vjp)(gi_vjp *c);
  glia_status (*lower)(gi_lower *c);
  const char *no_grad; /* why there is neither; cotangents are dropped here */
  /* The op on 8-bit whole numbers, given the scale of its first input (ops/int8.c); null where
   * it has no such form. NULL: it has none at all. */
  glia_value (*int8)(const void *attr, const glia_value *in, int n_in, glia_value scale);
  bool (*match)(gi_match *m); /* fused ops that compile/fuse_ops.c puts in */

  glia_status (*ref)(gi_ref *c);
  /* Elementwise ops: one element. Behind the inputs of a random one stands the element's
   * gi_rng_uniform of attr's stream. */
  double (*scalar)(const double *x, const void *attr);
  gi_cost (*cost)(const gi_infer *c); /* NULL: gi_default_cost */

  const gi_sample *samples;
  int n_samples;
} gi_op;

/* May out[0] overwrite input i, if the two are of a kind? */
static inline bool gi_may_overwrite(const gi_op *op, int i) {
  return (op->flags & GI_IN_PLACE) != 0 || (i < 32 && (op->over_in >> i & 1) != 0);
}

extern const gi_op *const *const gi_ops_table[]; /* generated: lists of rows, NULL-terminated */
const gi_op *gi_op_find(const char *name);       /* NULL if there is none */
/* Calls fn for every op in table order until it returns false. */
void gi_op_each(bool (*fn)(const gi_op *op, void *user), void *user);
/* flops: one an output element; bytes: every input and output once. */
gi_cost gi_default_cost(const gi_infer *c);

/* ---- services for builders, rules and lowerings ------------------------------------------ */

/* Copies the caller's options (first member: size_t size) into dst and zero-fills what an older
 * caller did not have. src may be NULL. */
void gi_opts(void *dst, size_t dst_size, const void *src);

/* Appends a node, or finds the equal one that exists, and returns its first output; out, if not
 * NULL, receives all of them. Latches and returns the null value on failure; a null input is a
 * failure that was latched before. attr is copied, deep where the schema says so. g may be NULL
 * if an input has a graph. */
glia_value gi_emit(glia_graph *g, const gi_op *op, const void *attr, const glia_value *in,
                   int n_in, glia_value *out);
glia_value gi_emit1(const gi_op *op, const void *attr, glia_value a);
glia_value gi_emit2(const gi_op *op, const void *attr, glia_value a, glia_value b);
/* Latches a failure that a builder found, the scope path in front; returns the null value. */
glia_value gi_latch(glia_graph *g, glia_status s, const char *fmt, ...) GLIA_PRINTF(3, 4);
/* Puts "<fmt>: " before the message that is latched; nothing if there is none. */
void gi_latched_where(glia_graph *g, const char *fmt, ...) GLIA_PRINTF(2, 3);
gi_type gi_value_type(glia_value v); /* of a value that is not null */
static inline bool gi_null(glia_value v) { return v.graph == NULL; }

#endif /* GI_OP_H */
