/* jit.c - AVX2 code for a program of elementwise ops: one loop, eight elements a turn.
 *
 *   rax  offset of the vector, in bytes     rcx  where it ends      rdx  inputs of one element,
 *   others  where dense inputs and outputs begin                         each as a full vector
 *
 * Registers of the program live in ymm0 .. ymm13 from their making to their last reading; ymm14
 * and ymm15 hold what an op needs in passing. Constants stand in front of the code and are read
 * from there. All outputs are written when all is computed, so any of them may lie on any
 * input.
 *
 * The encodings are those of Intel's manual, volume 2 (VEX prefix in its three-byte form).
 */
#include "backend/cpu/jit.h"

#if defined(__x86_64__)

#include <sys/mman.h>

enum {
  POOL = 4096,      /* bytes of constants: each eight floats */
  BYTES = 5 * 4096, /* of pool and code */
  VECTOR = 32,      /* bytes */
  FREE_YMM = 14,
  T0 = 14,
  T1 = 15,
  RAX = 0,
  RCX = 1,
  RDX = 2,
  RBX = 3,
  RBP = 5,
  RSI = 6,
  RDI = 7
};

/* Instructions: map and prefix in the upper bytes, opcode in the lowest. */
#define INSTRUCTION(map, prefix, opcode) ((map) << 16 | (prefix) << 8 | (opcode))
enum {
  LOAD = INSTRUCTION(1, 0, 0x10),
  STORE = INSTRUCTION(1, 0, 0x11),
  SQRT = INSTRUCTION(1, 0, 0x51),
  AND = INSTRUCTION(1, 0, 0x54),
  AND_NOT = INSTRUCTION(1, 0, 0x55), /* ~first & second */
  OR = INSTRUCTION(1, 0, 0x56),
  XOR = INSTRUCTION(1, 0, 0x57),
  ADD = INSTRUCTION(1, 0, 0x58),
  MUL = INSTRUCTION(1, 0, 0x59),
  SUB = INSTRUCTION(1, 0, 0x5c),
  DIV = INSTRUCTION(1, 0, 0x5e),
  COMPARE = INSTRUCTION(1, 0, 0xc2),
  ROUND = INSTRUCTION(3, 1, 0x08),
  BLEND = INSTRUCTION(3, 1, 0x4a) /* mask ? second : first */
};
enum {
  EQUAL = 0,
  UNORDERED = 3,
  NOT_EQUAL = 4,
  LESS = 0x11,
  LESS_EQUAL = 0x12,
  GREATER_EQUAL = 0x1d,
  GREATER = 0x1e
};

struct gi_jit {
  unsigned char *memory;
};

/* An operand of an instruction. */
typedef enum place_kind { YMM, POOLED, ONE, STREAM } place_kind;
typedef struct place {
  place_kind kind;
  int at; /* number of the ymm, offset in the pool, register of the program, general register */
} place;

typedef struct maker {
  const gi_program *p;
  const gi_group *g;
  unsigned char *memory;
  size_t n, pool; /* bytes of code and pool written */
  bool failed;
  place reg[GI_REGISTERS];
  bool made[GI_REGISTERS];
  int last[GI_REGISTERS]; /* op that reads it last; n_code: an output */
  int owner[FREE_YMM];    /* register of the program, -1: none */
  int base[GI_REGISTERS]; /* general register of a dense input */
  int out_base[GI_FUSED_OUT];
} maker;

/* ---- bytes ------------------------------------------------------------------------------ */

static void byte(maker *m, int v) {
  if (m->n + 1 > BYTES - POOL)
    m->failed = true;
  else
    m->memory[POOL + m->n++] = (unsigned char)v;
}

static void word(maker *m, int64_t v) {
  for (int i = 0; i < 4; i++) byte(m, (int)(v >> 8 * i & 0xff));
}

/* Offset in the pool of a vector of eight times these bits. */
static int pooled_bits(maker *m, uint32_t bits) {
  for (size_t at = 0; at < m->pool; at += VECTOR)
    if (memcmp(m->memory + at, &bits, sizeof bits) == 0) return (int)at;
  if (m->pool + VECTOR > POOL) {
    m->failed = true;
    return 0;
  }
  for (size_t i = 0; i < VECTOR; i += sizeof bits)
    memcpy(m->memory + m->pool + i, &bits, sizeof bits);
  m->pool += VECTOR;
  return (int)(m->pool - VECTOR);
}

static place pooled(maker *m, double v) {
  const float f = (float)v;
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return (place){POOLED, pooled_bits(m, bits)};
}
static place mask(maker *m, uint32_t bits) { return (place){POOLED, pooled_bits(m, bits)}; }
static place ymm(int n) { return (place){YMM, n}; }

/* dst = instruction(first, second); first < 0: there is none. immediate < 0: there is none. */
static void emit(maker *m, int instruction, int dst, int first, place second, int immediate) {
  const int base = second.kind == YMM || second.kind == STREAM ? second.at
                   : second.kind == ONE                        ? RDX
                                                               : 5;
  byte(m, 0xc4);
  byte(m, (dst < 8 ? 0x80 : 0) | 0x40 | (base < 8 ? 0x20 : 0) | instruction >> 16);
  byte(m, (~(first < 0 ? 0 : first) & 15) << 3 | 4 | (instruction >> 8 & 3));
  byte(m, instruction & 0xff);
  switch (second.kind) {
    case YMM: byte(m, 0xc0 | (dst & 7) << 3 | (base & 7)); break;
    case STREAM: /* [base + rax] with a byte of displacement, which every base may have */
      byte(m, 0x44 | (dst & 7) << 3);
      byte(m, RAX << 3 | (base & 7));
      byte(m, 0);
      break;
    case ONE: /* [rdx + displacement] */
      byte(m, 0x80 | (dst & 7) << 3 | RDX);
      word(m, (int64_t)second.at * GI_SPLAT * (int64_t)sizeof(float));
      break;
    case POOLED: /* [rip + displacement], counted from the end of the instruction */
      byte(m, (dst & 7) << 3 | 5);
      word(m, second.at - (int64_t)(POOL + m->n + 4 + (immediate >= 0 ? 1 : 0)));
      break;
  }
  if (immediate >= 0) byte(m, immediate);
}

static void move(maker *m, int dst, place from) {
  if (from.kind != YMM || from.at != dst) emit(m, LOAD, dst, -1, from, -1);
}

/* ---- registers -------------------------------------------------------------------------- */

static int take_ymm(maker *m, int r) {
  for (int i = 0; i < FREE_YMM; i++)
    if (m->owner[i] < 0) {
      m->owner[i] = r;
      return i;
    }
  m->failed = true;
  return 0;
}

/* What register r of the program is read from; dense inputs are loaded at their first use. */
static place value_of(maker *m, int r) {
  if (m->made[r]) return m->reg[r];
  m->made[r] = true;
  if (r >= m->p->n_in) {
    const gi_micro *constant = &m->p->code[r - m->p->n_in];
    const bool truth = constant->dtype == GLIA_BOOL;
    return m->reg[r] = pooled(m, truth ? constant->value != 0 : constant->value);
  }
  if (m->g->in[r].access == GI_ONE) return m->reg[r] = (place){ONE, r};
  const int y = take_ymm(m, r);
  move(m, y, (place){STREAM, m->base[r]});
  return m->reg[r] = ymm(y);
}

/* The same in a ymm: its own, or `spare`. */
static int in_ymm(maker *m, int r, int spare) {
  const place v = value_of(m, r);
  if (v.kind == YMM) return v.at;
  move(m, spare, v);
  return spare;
}

static void drop_unread(maker *m, int op) {
  for (int i = 0; i < FREE_YMM; i++)
    if (m->owner[i] >= 0 && m->last[m->owner[i]] <= op) m->owner[i] = -1;
}

/* ---- ops -------------------------------------------------------------------------------- */

typedef struct context {
  const gi_micro *op;
  int dst, x, y, z; /* registers of the program, but dst: a ymm */
} context;

/* Truth as 1 or 0. */
static void compare(maker *m, const context *c, int predicate) {
  emit(m, COMPARE, T0, in_ymm(m, c->x, T0), value_of(m, c->y), predicate);
  emit(m, AND, c->dst, T0, pooled(m, 1), -1);
}

static void arithmetic(maker *m, const context *c, int instruction) {
  emit(m, instruction, c->dst, in_ymm(m, c->x, T0), value_of(m, c->y), -1);
}

/* (a beats b) or a is no number ? a : b */
static void extreme(maker *m, const context *c, int predicate) {
  const int a = in_ymm(m, c->x, T0);
  emit(m, COMPARE, T1, a, value_of(m, c->y), predicate);
  emit(m, COMPARE, c->dst, a, ymm(a), UNORDERED);
  emit(m, OR, T1, T1, ymm(c->dst), -1);
  move(m, c->dst, value_of(m, c->y));
  emit(m, BLEND, c->dst, c->dst, ymm(a), T1 << 4);
}

/* x < low ? low : x > high ? high : x */
static void clip(maker *m, const context *c, place low, place high) {
  const int x = in_ymm(m, c->x, T0);
  emit(m, COMPARE, T1, x, high, GREATER);
  if (x != T0) move(m, T0, ymm(x));
  emit(m, BLEND, T0, T0, high, T1 << 4);
  emit(m, COMPARE, T1, x, low, LESS); /* a low x is not above high, so T0 still holds x */
  emit(m, BLEND, c->dst, T0, low, T1 << 4);
}

static void unary(maker *m, const context *c, int instruction) {
  emit(m, instruction, c->dst, -1, value_of(m, c->x), -1);
}
static void with_mask(maker *m, const context *c, int instruction, place by) {
  emit(m, instruction, c->dst, in_ymm(m, c->x, T0), by, -1);
}

static void op_add(maker *m, const context *c) { arithmetic(m, c, ADD); }
static void op_sub(maker *m, const context *c) { arithmetic(m, c, SUB); }
static void op_mul(maker *m, const context *c) { arithmetic(m, c, MUL); }
static void op_div(maker *m, const context *c) { arithmetic(m, c, DIV); }
static void op_maximum(maker *m, const context *c) { extreme(m, c, GREATER); }
static void op_minimum(maker *m, const context *c) { extreme(m, c, LESS); }
static void op_equal(maker *m, const context *c) { compare(m, c, EQUAL); }
static void op_not_equal(maker *m, const context *c) { compare(m, c, NOT_EQUAL); }
static void op_less(maker *m, const context *c) { compare(m, c, LESS); }
static void op_less_equal(maker *m, const context *c) { compare(m, c, LESS_EQUAL); }
static void op_greater(maker *m, const context *c) { compare(m, c, GREATER); }
static void op_greater_equal(maker *m, const context *c) { compare(m, c, GREATER_EQUAL); }
static void op_logical_and(maker *m, const context *c) { arithmetic(m, c, MUL); }
static void op_logical_or(maker *m, const context *c) { arithmetic(m, c, OR); } /* of 0 and 1 */
static void op_sqrt(maker *m, const context *c) { unary(m, c, SQRT); }
static void op_neg(maker *m, const context *c) { with_mask(m, c, XOR, mask(m, 0x80000000u)); }
static void op_abs(maker *m, const context *c) { with_mask(m, c, AND, mask(m, 0x7fffffffu)); }

static void op_logical_not(maker *m, const context *c) {
  move(m, T0, pooled(m, 1));
  emit(m, SUB, c->dst, T0, value_of(m, c->x), -1);
}
static void op_dropout(maker *m, const context *c) {
  const double p = c->op->attr.a;
  emit(m, MUL, T0, in_ymm(m, c->x, T0), pooled(m, p < 1 ? 1 / (1 - p) : 0), -1);
  emit(m, AND, c->dst, T0, value_of(m, c->y), -1);
}
static void op_is_nan(maker *m, const context *c) {
  const int x = in_ymm(m, c->x, T0);
  emit(m, COMPARE, T0, x, ymm(x), UNORDERED);
  emit(m, AND, c->dst, T0, pooled(m, 1), -1);
}
static void op_where(maker *m, const context *c) {
  emit(m, COMPARE, T1, in_ymm(m, c->x, T0), pooled(m, 0), NOT_EQUAL);
  emit(m, BLEND, c->dst, in_ymm(m, c->z, T0), value_of(m, c->y), T1 << 4);
}
static void op_square(maker *m, const context *c) {
  const int x = in_ymm(m, c->x, T0);
  emit(m, MUL, c->dst, x, ymm(x), -1);
}
static void op_reciprocal(maker *m, const context *c) {
  move(m, T0, pooled(m, 1));
  emit(m, DIV, c->dst, T0, value_of(m, c->x), -1);
}
static void op_rsqrt(maker *m, const context *c) {
  emit(m, SQRT, T1, -1, value_of(m, c->x), -1);
  move(m, T0, pooled(m, 1));
  emit(m, DIV, c->dst, T0, ymm(T1), -1);
}
static void op_relu(maker *m, const context *c) {
  const int x = in_ymm(m, c->x, T0);
  emit(m, COMPARE, T1, x, pooled(m, 0), LESS);
  emit(m, AND_NOT, c->dst, T1, ymm(x), -1);
}
static void op_leaky_relu(maker *m, const context *c) {
  const int x = in_ymm(m, c->x, T0);
  emit(m, COMPARE, T1, x, pooled(m, 0), GREATER);
  if (x == T0) { /* a constant */
    m->failed = true;
    return;
  }
  emit(m, MUL, T0, x, pooled(m, c->op->attr.a), -1);
  emit(m, BLEND, c->dst, T0, ymm(x), T1 << 4);
}
static void op_relu6(maker *m, const context *c) { clip(m, c, pooled(m, 0), pooled(m, 6)); }
static void op_clip(maker *m, const context *c) {
  if (!(c->op->attr.a <= c->op->attr.b)) m->failed = true; /* the order would matter */
  clip(m, c, pooled(m, c->op->attr.a), pooled(m, c->op->attr.b));
}
static void op_floor(maker *m, const context *c) {
  emit(m, ROUND, c->dst, -1, value_of(m, c->x), 9);
}
static void op_ceil(maker *m, const context *c) {
  emit(m, ROUND, c->dst, -1, value_of(m, c->x), 10);
}
static void op_round(maker *m, const context *c) {
  emit(m, ROUND, c->dst, -1, value_of(m, c->x), 8);
}

static void op_cast(maker *m, const context *c) {
  const int r = c->x;
  if (c->op->dtype == GLIA_BF16) m->failed = true; /* rounds: left to the loops */
  const glia_dtype from = r < m->p->n_in ? m->g->in[r].dtype : m->p->code[r - m->p->n_in].dtype;
  if (c->op->dtype != GLIA_BOOL || from == GLIA_BOOL) {
    move(m, c->dst, value_of(m, r));
    return;
  }
  emit(m, COMPARE, T0, in_ymm(m, r, T0), pooled(m, 0), NOT_EQUAL);
  emit(m, AND, c->dst, T0, pooled(m, 1), -1);
}

static const struct {
  const char *name;
  void (*emit)(maker *m, const context *c);
} ops[] = {
    {"add", op_add},
    {"sub", op_sub},
    {"mul", op_mul},
    {"div", op_div},
    {"maximum", op_maximum},
    {"minimum", op_minimum},
    {"equal", op_equal},
    {"not_equal", op_not_equal},
    {"less", op_less},
    {"less_equal", op_less_equal},
    {"greater", op_greater},
    {"greater_equal", op_greater_equal},
    {"logical_and", op_logical_and},
    {"logical_or", op_logical_or},
    {"logical_not", op_logical_not},
    {"dropout", op_dropout},
    {"is_nan", op_is_nan},
    {"where", op_where},
    {"neg", op_neg},
    {"abs", op_abs},
    {"square", op_square},
    {"reciprocal", op_reciprocal},
    {"sqrt", op_sqrt},
    {"rsqrt", op_rsqrt},
    {"relu", op_relu},
    {"relu6", op_relu6},
    {"leaky_relu", op_leaky_relu},
    {"clip", op_clip},
    {"floor", op_floor},
    {"ceil", op_ceil},
    {"round", op_round},
    {"cast", op_cast},
};

static void emit_op(maker *m, int k) {
  const gi_micro *op = &m->p->code[k];
  for (int i = 0; i < GI_COUNT(ops); i++) {
    if (strcmp(ops[i].name, op->op->name) != 0) continue;
    const int r = m->p->n_in + k;
    /* Operands first, so that each is where it will be read from when the result gets its
     * place. */
    for (int s = 0; s < gi_micro_sources(op); s++) value_of(m, op->src[s]);
    const int dst = take_ymm(m, r);
    m->reg[r] = ymm(dst);
    m->made[r] = true;
    ops[i].emit(m, &(context){op, dst, op->src[0], op->src[1], op->src[2]});
    drop_unread(m, k);
    return;
  }
  m->failed = true;
}

/* ---- the function ----------------------------------------------------------------------- */

/* Is output k computed by the code? Inputs and constants that are given out are not, nor is
 * what another output gives as well. */
static bool computes(const maker *m, int k) {
  const int op = m->p->out[k].reg - m->p->n_in;
  return op >= 0 && m->p->code[op].op != NULL && m->g->out[k].same == k;
}

static void push(maker *m, int r) {
  if (r >= 8) byte(m, 0x41);
  byte(m, 0x50 | (r & 7));
}
static void pop(maker *m, int r) {
  if (r >= 8) byte(m, 0x41);
  byte(m, 0x58 | (r & 7));
}
/* dst = the pointer number `index` of an array */
static void load_pointer(maker *m, int dst, int array, int index) {
  byte(m, 0x48 | (dst >= 8 ? 4 : 0));
  byte(m, 0x8b);
  byte(m, 0x80 | (dst & 7) << 3 | array);
  word(m, (int64_t)index * (int64_t)sizeof(void *));
}

static const int saved[] = {RBX, RBP, 12, 13, 14, 15};

/* Which general register each stream begins in; rdi and rsi hold the arrays of pointers. */
static void load_streams(maker *m) {
  static const int order[] = {8, 9, 10, 11, RBX, RBP, 12, 13, 14, 15};
  int used = 0;
  for (int i = 0; i < m->p->n_in; i++) {
    if (m->g->in[i].access == GI_ONE || m->last[i] < 0) continue;
    if (used == GI_COUNT(order))
      m->failed = true;
    else
      load_pointer(m, m->base[i] = order[used++], RDI, i);
  }
  for (int k = 0; k < m->p->n_out; k++) {
    if (!computes(m, k)) continue;
    if (used == GI_COUNT(order))
      m->failed = true;
    else
      load_pointer(m, m->out_base[k] = order[used++], RSI, k);
  }
}

static void write_function(maker *m) {
  for (int i = 0; i < GI_COUNT(saved); i++) push(m, saved[i]);
  load_streams(m);
  byte(m, 0x31), byte(m, 0xc0); /* xor eax, eax */
  const size_t loop = m->n;
  for (int k = 0; k < m->p->n_code && !m->failed; k++)
    if (m->p->code[k].op != NULL) emit_op(m, k);
  for (int k = 0; k < m->p->n_out && !m->failed; k++)
    if (computes(m, k))
      emit(m, STORE, m->reg[m->p->out[k].reg].at, -1, (place){STREAM, m->out_base[k]}, -1);
  byte(m, 0x48), byte(m, 0x83), byte(m, 0xc0), byte(m, VECTOR); /* add rax, 32 */
  byte(m, 0x48), byte(m, 0x39), byte(m, 0xc8);                  /* cmp rax, rcx */
  byte(m, 0x0f), byte(m, 0x82);                                 /* jb loop */
  word(m, (int64_t)loop - (int64_t)(m->n + 4));
  byte(m, 0xc5), byte(m, 0xf8), byte(m, 0x77); /* vzeroupper */
  for (int i = GI_COUNT(saved) - 1; i >= 0; i--) pop(m, saved[i]);
  byte(m, 0xc3); /* ret */
}

static void find_lives(maker *m) {
  const gi_program *p = m->p;
  for (int r = 0; r < GI_REGISTERS; r++) m->last[r] = -1;
  for (int k = 0; k < p->n_code; k++)
    for (int i = 0; i < gi_micro_sources(&p->code[k]); i++) m->last[p->code[k].src[i]] = k;
  for (int k = 0; k < p->n_out; k++)
    if (computes(m, k)) m->last[p->out[k].reg] = p->n_code;
  for (int i = 0; i < FREE_YMM; i++) m->owner[i] = -1;
}

gi_jit *gi_jit_new(const gi_program *p, const gi_group *g) {
  maker m = {.p = p, .g = g};
  gi_jit *j = gi_alloc(sizeof *j);
  if (j == NULL) return NULL;
  j->memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (j->memory == MAP_FAILED) {
    gi_free(j);
    return NULL;
  }
  m.memory = j->memory;
  find_lives(&m);
  write_function(&m);
  if (m.failed || mprotect(j->memory, BYTES, PROT_READ | PROT_EXEC) != 0) {
    gi_jit_free(j);
    return NULL;
  }
  return j;
}

void gi_jit_free(gi_jit *j) {
  if (j == NULL) return;
  munmap(j->memory, BYTES);
  gi_free(j);
}

gi_group_code *gi_jit_code(const gi_jit *j) {
  union {
    void *bytes;
    gi_group_code *code;
  } u = {j->memory + POOL};
  return u.code;
}

#else

gi_jit *gi_jit_new(const gi_program *p, const gi_group *g) {
  (void)p, (void)g;
  return NULL;
}
void gi_jit_free(gi_jit *j) { (void)j; }
gi_group_code *gi_jit_code(const gi_jit *j) {
  (void)j;
  return NULL;
}

#endif
