/* support.c - the support table: which dtypes an op takes, and what computes it for them.
 *
 * An op says what it takes in its `infer`, a kernel what it computes in its `fits`. Both are
 * asked about the op's samples, the same that the generic tests run on every kernel: the float
 * inputs of a sample, which stand for any dtype, are of each dtype in turn.
 */
#include "cli/support.h"

#include "backend/backend.h"
#include "cli/table.h"

#define GLIA_X(name, bytes, text) +1
enum { DTYPES = 0 GLIA_DTYPE_MAP(GLIA_X), REASONS = 24 };
#undef GLIA_X

typedef struct support {
  /* By dtype: the samples that the op takes with such elements, and how many of these a kernel
   * computes that is not the reference. */
  int taken[DTYPES], fast[DTYPES];
  struct {
    const char *reason;
    unsigned dtypes; /* a bit for each */
  } why[REASONS];    /* what the kernels say of the others */
  int n_why, n_kernels;
} support;

/* ---- asking ------------------------------------------------------------------------------ */

/* The types of a sample's inputs with elements of dtype t. False if none could be of it. */
static bool with_dtype(const gi_sample *s, glia_dtype t, gi_type *in) {
  bool free = s->n_in == 0;
  for (int i = 0; i < s->n_in; i++) {
    in[i] = (gi_type){.dtype = s->in[i].dtype, .rank = s->in[i].rank};
    memcpy(in[i].dim, s->in[i].dim, (size_t)in[i].rank * sizeof in[i].dim[0]);
    if (in[i].dtype != GLIA_F32) continue;
    in[i].dtype = t;
    free = true;
  }
  return free || s->in[0].dtype == t;
}

static void add_reason(support *s, const char *reason, glia_dtype t) {
  int at = 0;
  while (at < s->n_why && strcmp(s->why[at].reason, reason) != 0) at++;
  if (at == REASONS) return;
  s->why[at].reason = reason;
  s->why[at].dtypes |= 1u << t;
  s->n_why = GI_MAX(s->n_why, at + 1);
}

typedef struct question {
  const gi_problem *p;
  const char *reasons[REASONS];
  int n, kernels;
  bool fits;
} question;

/* An empty reason says that the kernel is for other ops. */
static bool ask(const gi_kernel *k, void *user) {
  question *q = user;
  if (k == gi_backend_ref.kernels[0][0]) return true;
  const char *reason = k->fits != NULL ? k->fits(q->p) : NULL;
  if (reason != NULL && reason[0] == '\0') return true;
  q->kernels++;
  if (reason == NULL)
    q->fits = true;
  else if (q->n < REASONS)
    q->reasons[q->n++] = reason;
  return true;
}

static void ask_sample(support *s, const gi_backend *b, const gi_op *op,
                       const gi_sample *sample, glia_dtype t) {
  gi_type in[GI_COUNT(sample->in)], out[GI_MAX_OUT] = {{0}};
  if (!with_dtype(sample, t, in)) return;
  gi_infer infer = {sample->n_in, in, sample->attr, op->n_out, out};
  if (op->infer(&infer) != GLIA_OK || (sample->n_in == 0 && out[0].dtype != t)) return;
  const gi_problem p = {.op = op,
                        .attr = sample->attr,
                        .n_in = sample->n_in,
                        .n_out = infer.n_out,
                        .in = in,
                        .out = out,
                        .threads = 1};
  question q = {.p = &p};
  gi_kernel_each(b, op, ask, &q);
  s->taken[t]++;
  s->fast[t] += q.fits ? 1 : 0;
  s->n_kernels = GI_MAX(s->n_kernels, q.kernels);
  for (int i = 0; i < q.n && !q.fits; i++) add_reason(s, q.reasons[i], t);
}

/* ---- showing ----------------------------------------------------------------------------- */

static void cell_text(char *out, size_t room, const gi_backend *b, const gi_op *op,
                      const support *s, int t) {
  const int taken = s->taken[t], fast = s->fast[t];
  out[0] = '\0';
  if (taken == 0) return;
  if (op->flags & GI_VIEW)
    snprintf(out, room, "view");
  else if (fast == 0)
    snprintf(out, room, "ref");
  else if (fast == taken)
    snprintf(out, room, "%s", b->name);
  else
    snprintf(out, room, "%s %d/%d", b->name, fast, taken);
}

/* "f64, bf16: takes f32 only; f32: ..." */
static void why_text(gi_str *out, const gi_op *op, const support *s) {
  if (op->flags & GI_VIEW) return;
  if (s->n_kernels == 0) gi_str_puts(out, "has no kernel");
  for (int i = 0; i < s->n_why; i++) {
    const char *before = i > 0 ? "; " : "";
    for (int t = 0; t < DTYPES; t++) {
      if ((s->why[i].dtypes >> t & 1) == 0) continue;
      gi_str_printf(out, "%s%s", before, glia_dtype_name((glia_dtype)t));
      before = ", ";
    }
    gi_str_printf(out, ": %s", s->why[i].reason);
  }
}

typedef struct list {
  const gi_backend *backend;
  const gi_op *only; /* NULL: all */
  gi_json *json;     /* one of these three */
  gi_str *markdown;
  gi_table *table;
} list;

static gi_json *row_json(const gi_op *op, const support *s, const char *why) {
  gi_json *j = gi_json_object(), *dtypes = gi_json_object();
  for (int t = 0; t < DTYPES; t++) {
    gi_json *one = gi_json_object();
    gi_json_set_int(one, "samples", s->taken[t]);
    gi_json_set_int(one, "by_kernels", s->fast[t]);
    gi_json_set(dtypes, glia_dtype_name((glia_dtype)t), one);
  }
  gi_json_set_str(j, "name", op->name);
  gi_json_set_bool(j, "view", (op->flags & GI_VIEW) != 0);
  gi_json_set(j, "dtypes", dtypes);
  gi_json_set_str(j, "why_not", why);
  return j;
}

static void add_cells(const list *l, const gi_op *op, const support *s, const char *why) {
  if (l->table != NULL) gi_table_cell(l->table, "%s", op->name);
  if (l->markdown != NULL) gi_str_printf(l->markdown, "| `%s` |", op->name);
  for (int t = 0; t < DTYPES; t++) {
    char cell[64];
    cell_text(cell, sizeof cell, l->backend, op, s, t);
    if (l->table != NULL) gi_table_cell(l->table, "%s", cell);
    if (l->markdown != NULL) gi_str_printf(l->markdown, " %s |", cell);
  }
  if (l->table != NULL) gi_table_cell(l->table, "%s", why);
  if (l->markdown == NULL) return;
  gi_str_puts(l->markdown, " ");
  gi_markdown(l->markdown, why);
  gi_str_puts(l->markdown, " |\n");
}

/* Ops without samples are not computed as such: memory from outside, and the groups that the
 * compiler makes of others. */
static bool add_row(const gi_op *op, void *user) {
  const list *l = user;
  support s = {.n_why = 0};
  gi_str why = {0};
  if (op->n_samples == 0 || (l->only != NULL && l->only != op)) return true;
  for (int i = 0; i < op->n_samples; i++)
    for (int t = 0; t < DTYPES && op->samples[i].want == GLIA_OK; t++)
      ask_sample(&s, l->backend, op, &op->samples[i], (glia_dtype)t);
  why_text(&why, op, &s);
  const char *text = why.s != NULL ? why.s : "";
  if (l->json != NULL)
    gi_json_add(l->json, row_json(op, &s, text));
  else
    add_cells(l, op, &s, text);
  gi_str_free(&why);
  return true;
}

glia_status gi_support_print(gi_cli *c, const gi_op *only) {
  gi_str text = {0};
  gi_table table;
  list l = {.only = only};
  GI_TRY(gi_backend_find(NULL, &l.backend));
  if (c->json) {
    l.json = gi_json_array();
    gi_op_each(add_row, &l);
    return gi_cli_print_json(l.json);
  }
  if (gi_cli_flag(c, "markdown")) {
    gi_str_puts(
        &text,
        "| op | f32 | f64 | bf16 | f16 | i32 | i64 | u8 | bool | i8 | why the reference |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|\n");
    l.markdown = &text;
    gi_op_each(add_row, &l);
    return gi_cli_print_text(&text);
  }
  gi_table_begin(&table, "<op|<f32|<f64|<bf16|<f16|<i32|<i64|<u8|<bool|<i8|<why the reference");
  l.table = &table;
  gi_op_each(add_row, &l);
  gi_table_print(&table, &text);
  gi_table_free(&table);
  return gi_cli_print_text(&text);
}
