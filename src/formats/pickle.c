/* formats/pickle.c - the stack machine for pickles that are data; see pickle.h.
 *
 * A pickle has been looked through before it comes here (gi_pickle_scan): every instruction is
 * whole, and one that builds data. What is left to go wrong is the stack. Nothing here calls
 * itself, so values may nest as deep as they like; who walks them counts.
 */
#include "formats/pickle_names.h"

enum { VALUES = 1 << 24 };

typedef struct machine {
  gi_arena *arena;
  GI_VEC(gi_value *) stack;
  GI_VEC(size_t) marks; /* heights of the stack */
  GI_VEC(gi_value *) memo;
  size_t limit;  /* bytes of the pickle: nothing has more items */
  size_t values; /* made so far: one byte can make one, which takes a hundred */
  gi_pickle *out;
} machine;

/* ---- values ----------------------------------------------------------------------------- */

static gi_value *make(machine *m, gi_pickle_kind kind) {
  gi_value *v = gi_arena_alloc(m->arena, sizeof *v);
  if (v != NULL) v->kind = kind;
  m->values++;
  return v;
}

static glia_status push(machine *m, gi_value *v) {
  return v != NULL && gi_vec_push(&m->stack, v) ? GLIA_OK : gi_fail_nomem(sizeof *v);
}

/* How many values lie above the last mark. */
static size_t height(const machine *m) {
  return m->stack.n - (m->marks.n > 0 ? m->marks.at[m->marks.n - 1] : 0);
}

static glia_status underflow(void) {
  return gi_fail(GLIA_FORMAT, "pickle: takes a value from an empty stack");
}

static glia_status pop(machine *m, gi_value **out) {
  if (height(m) == 0) return underflow();
  *out = m->stack.at[--m->stack.n];
  return GLIA_OK;
}

static glia_status top(const machine *m, gi_pickle_kind kind, gi_value **out) {
  if (height(m) == 0) return underflow();
  *out = m->stack.at[m->stack.n - 1];
  return (*out)->kind == kind ? GLIA_OK
                              : gi_fail(GLIA_FORMAT, "pickle: adds to what is no container");
}

static glia_status add_item(machine *m, gi_value *to, gi_value *item) {
  if (to->n == to->room) {
    const size_t room = GI_MAX(to->room * 2, 4);
    gi_value **more = gi_arena_alloc(m->arena, room * sizeof *more);
    if (more == NULL) return gi_fail_nomem(room * sizeof *more);
    if (to->n > 0) memcpy(more, to->item, to->n * sizeof *more);
    to->item = more;
    to->room = room;
  }
  to->item[to->n++] = item;
  return GLIA_OK;
}

/* The values above the last mark, which goes: items[0..*n), where they lie on the stack. */
static glia_status pop_mark(machine *m, gi_value ***items, size_t *n) {
  if (m->marks.n == 0) return gi_fail(GLIA_FORMAT, "pickle: wants a mark, there is none");
  const size_t from = m->marks.at[--m->marks.n];
  *n = m->stack.n - from;
  *items = m->stack.at + from;
  m->stack.n = from;
  return GLIA_OK;
}

static glia_status push_tuple(machine *m, gi_value *const *items, size_t n) {
  gi_value *v = make(m, GI_PICKLE_TUPLE);
  if (v == NULL) return gi_fail_nomem(sizeof *v);
  v->n = v->room = n;
  v->item = gi_arena_copy(m->arena, items, n * sizeof *items);
  return v->item == NULL ? gi_fail_nomem(n * sizeof *items) : push(m, v);
}

static glia_status push_short_tuple(machine *m, size_t n) {
  if (height(m) < n) return underflow();
  m->stack.n -= n;
  return push_tuple(m, m->stack.at + m->stack.n, n);
}

static glia_status push_int(machine *m, gi_pickle_kind kind, int64_t i) {
  gi_value *v = make(m, kind);
  if (v != NULL) v->i = i;
  return push(m, v);
}

static glia_status push_text(machine *m, gi_pickle_kind kind, const unsigned char *p,
                             size_t n) {
  gi_value *v = make(m, kind);
  char *text = gi_arena_alloc(m->arena, n + 1);
  if (v == NULL || text == NULL) return gi_fail_nomem(n + 1);
  if (n > 0) memcpy(text, p, n);
  v->text = text;
  v->n = n;
  return push(m, v);
}

/* Little-endian, in two's complement. */
static glia_status push_long(machine *m, const unsigned char *p, size_t n) {
  if (n > 8) return push_text(m, GI_PICKLE_BIG, p, n);
  uint64_t v = n > 0 && (p[n - 1] & 0x80) != 0 ? ~(uint64_t)0 : 0;
  for (size_t i = n; i-- > 0;) v = v << 8 | p[i];
  return push_int(m, GI_PICKLE_INT, (int64_t)v);
}

static glia_status push_float(machine *m, const unsigned char *p) {
  uint64_t bits = 0;
  gi_value *v = make(m, GI_PICKLE_FLOAT);
  for (int i = 0; i < 8; i++) bits = bits << 8 | p[i]; /* big-endian, alone among them */
  if (v != NULL) memcpy(&v->f, &bits, sizeof bits);
  return push(m, v);
}

/* ---- memo ------------------------------------------------------------------------------- */

static uint64_t little(const gi_step *s) {
  uint64_t v = 0;
  for (size_t i = s->n; i-- > 0;) v = v << 8 | s->p[i];
  return v;
}

static glia_status remember(machine *m, uint64_t at) {
  if (height(m) == 0) return underflow();
  if (at > m->limit)
    return gi_fail(GLIA_FORMAT, "pickle: remembers a value at %llu, the whole has %zu bytes",
                   (unsigned long long)at, m->limit);
  while (m->memo.n <= at)
    if (!gi_vec_push(&m->memo, NULL)) return gi_fail_nomem(m->memo.n * sizeof(gi_value *));
  m->memo.at[at] = m->stack.at[m->stack.n - 1];
  return GLIA_OK;
}

static glia_status recall(machine *m, uint64_t at) {
  if (at >= m->memo.n || m->memo.at[at] == NULL)
    return gi_fail(GLIA_FORMAT, "pickle: recalls value %llu, which it has not remembered",
                   (unsigned long long)at);
  return push(m, m->memo.at[at]);
}

/* ---- names and what they make ------------------------------------------------------------ */

/* "torch.float32" */
static glia_status push_dtype(machine *m, const char *name, size_t n) {
  char text[64];
  snprintf(text, sizeof text, "%.*s", (int)n, name);
  text[strcspn(text, "\n")] = '.';
  return push_text(m, GI_PICKLE_OTHER, (const unsigned char *)text, strlen(text));
}

static glia_status push_global(machine *m, const char *name, size_t n) {
  const gi_global global = gi_global_find(name, n);
  if (global == GI_GLOBAL_FOREIGN) { /* STACK_GLOBAL's: the look-through saw two texts */
    const int module = (int)strcspn(name, "\n");
    return gi_fail(GLIA_FORMAT,
                   "pickle: holds more than tensors and plain data, and is not run: "
                   "%.*s.%.80s; hint: save model.state_dict() alone",
                   GI_MIN(module, 80), name, name + module + 1);
  }
  if (global == GI_GLOBAL_DTYPE) return push_dtype(m, name, n);
  GI_TRY(push_text(m, GI_PICKLE_GLOBAL, (const unsigned char *)name, n));
  m->stack.at[m->stack.n - 1]->i = global;
  return GLIA_OK;
}

static glia_status push_stack_global(machine *m) {
  gi_value *name = NULL, *module = NULL;
  GI_TRY(pop(m, &name));
  GI_TRY(pop(m, &module));
  if (name->kind != GI_PICKLE_TEXT || module->kind != GI_PICKLE_TEXT ||
      strpbrk(name->text, "\n") != NULL || strpbrk(module->text, "\n") != NULL)
    return gi_fail(GLIA_FORMAT, "pickle: a global's name is no line of text");
  const char *both = gi_arena_printf(m->arena, "%s\n%s", module->text, name->text);
  return both == NULL ? gi_fail_nomem(name->n) : push_global(m, both, strlen(both));
}

static bool is_storage_type(const gi_value *v) {
  return v->kind == GI_PICKLE_GLOBAL && v->i == GI_GLOBAL_STORAGE;
}

/* ('storage', type, key, location, elements[, part of another]) */
static glia_status push_storage(machine *m) {
  gi_value *id = NULL, *v = make(m, GI_PICKLE_STORAGE);
  gi_storage *s = gi_arena_alloc(m->arena, sizeof *s);
  GI_TRY(pop(m, &id));
  if (v == NULL || s == NULL) return gi_fail_nomem(sizeof *s);
  gi_value *const *item = id->item;
  if (id->kind != GI_PICKLE_TUPLE || id->n < 5 || item[0]->kind != GI_PICKLE_TEXT ||
      strcmp(item[0]->text, "storage") != 0 || !is_storage_type(item[1]) ||
      item[2]->kind != GI_PICKLE_TEXT || item[4]->kind != GI_PICKLE_INT)
    return gi_fail(GLIA_FORMAT, "pickle: a persistent id is not that of a storage");
  if (item[4]->i < 0)
    return gi_fail(GLIA_FORMAT, "pickle: storage \"%.40s\" has %lld elements", item[2]->text,
                   (long long)item[4]->i);
  *s = (gi_storage){.key = item[2]->text,
                    .element = gi_storage_element(item[1]->text, item[1]->n),
                    .count = item[4]->i,
                    .view = id->n > 5 && item[5]->kind != GI_PICKLE_NONE,
                    .next = m->out->storages};
  m->out->storages = s;
  m->out->n_storages++;
  v->storage = s;
  return push(m, v);
}

static glia_status read_ints(machine *m, const gi_value *from, const char *what,
                             const int64_t **out) {
  if (from->kind != GI_PICKLE_TUPLE && from->kind != GI_PICKLE_LIST)
    return gi_fail(GLIA_FORMAT, "pickle: the %s of a tensor is no tuple", what);
  int64_t *v = gi_arena_alloc(m->arena, from->n * sizeof *v);
  if (v == NULL) return gi_fail_nomem(from->n * sizeof *v);
  for (size_t i = 0; i < from->n; i++) {
    v[i] = from->item[i]->i;
    if (from->item[i]->kind != GI_PICKLE_INT || v[i] < 0)
      return gi_fail(GLIA_FORMAT, "pickle: the %s of a tensor is no whole number from 0 on",
                     what);
  }
  *out = v;
  return GLIA_OK;
}

/* Every index lies in the storage: offset + the sum of (size - 1) * stride does. */
static glia_status check_bounds(const gi_value *t) {
  int64_t last = t->offset;
  bool empty = false, overflow = false;
  for (int i = 0; i < t->rank; i++) {
    int64_t reach = 0;
    empty |= t->shape[i] == 0;
    overflow |= __builtin_mul_overflow(t->shape[i] - (t->shape[i] > 0), t->strides[i], &reach);
    overflow |= __builtin_add_overflow(last, reach, &last);
  }
  if (empty || (!overflow && last < t->storage->count)) return GLIA_OK;
  return gi_fail(GLIA_FORMAT,
                 "pickle: a tensor leaves its storage \"%.40s\" of %lld elements, from element "
                 "%lld on",
                 t->storage->key, (long long)t->storage->count, (long long)t->offset);
}

/* (storage, offset, size, strides, ...) */
static glia_status push_tensor(machine *m, const gi_value *args) {
  gi_value *v = make(m, GI_PICKLE_TENSOR);
  if (v == NULL) return gi_fail_nomem(sizeof *v);
  if (args->n < 4 || args->item[0]->kind != GI_PICKLE_STORAGE ||
      args->item[1]->kind != GI_PICKLE_INT || args->item[1]->i < 0)
    return gi_fail(GLIA_FORMAT, "pickle: a tensor wants storage, offset, size and strides");
  v->storage = args->item[0]->storage;
  v->offset = args->item[1]->i;
  GI_TRY(read_ints(m, args->item[2], "size", &v->shape));
  GI_TRY(read_ints(m, args->item[3], "strides", &v->strides));
  if (args->item[2]->n != args->item[3]->n || args->item[2]->n > GI_ARRAY_RANK)
    return gi_fail(GLIA_FORMAT, "pickle: a tensor has %zu axes and %zu strides; at most %d",
                   args->item[2]->n, args->item[3]->n, GI_ARRAY_RANK);
  v->rank = (int)args->item[2]->n;
  GI_TRY(check_bounds(v));
  return push(m, v);
}

/* OrderedDict(), or of a list of pairs. */
static glia_status push_dict(machine *m, const gi_value *args) {
  gi_value *v = make(m, GI_PICKLE_DICT);
  if (v == NULL) return gi_fail_nomem(sizeof *v);
  const gi_value *list = args->n > 0 ? args->item[0] : NULL;
  if (list != NULL && list->kind != GI_PICKLE_LIST && list->kind != GI_PICKLE_TUPLE)
    return gi_fail(GLIA_FORMAT, "pickle: a dictionary is made of what is no list");
  for (size_t i = 0; list != NULL && i < list->n; i++) {
    const gi_value *pair = list->item[i];
    if ((pair->kind != GI_PICKLE_TUPLE && pair->kind != GI_PICKLE_LIST) || pair->n != 2)
      return gi_fail(GLIA_FORMAT, "pickle: a dictionary is made of what are no pairs");
    GI_TRY(add_item(m, v, pair->item[0]));
    GI_TRY(add_item(m, v, pair->item[1]));
  }
  return push(m, v);
}

static glia_status push_device(machine *m, const gi_value *args) {
  const char *text =
      args->n > 0 && args->item[0]->kind == GI_PICKLE_TEXT ? args->item[0]->text : "device";
  return push_text(m, GI_PICKLE_OTHER, (const unsigned char *)text, strlen(text));
}

/* What REDUCE may stand for, and no more. */
static glia_status reduce(machine *m) {
  gi_value *args = NULL, *global = NULL;
  GI_TRY(pop(m, &args));
  GI_TRY(pop(m, &global));
  if (global->kind != GI_PICKLE_GLOBAL || args->kind != GI_PICKLE_TUPLE)
    return gi_fail(GLIA_FORMAT, "pickle: REDUCE on what is neither a known name nor a tuple");
  switch ((gi_global)global->i) {
    case GI_GLOBAL_DICT: return push_dict(m, args);
    case GI_GLOBAL_TENSOR: return push_tensor(m, args);
    case GI_GLOBAL_DEVICE: return push_device(m, args);
    case GI_GLOBAL_PARAMETER:
    case GI_GLOBAL_SIZE:
      if (args->n == 0) return gi_fail(GLIA_FORMAT, "pickle: a parameter without a tensor");
      return push(m, args->item[0]);
    case GI_GLOBAL_DTYPE:
    case GI_GLOBAL_STORAGE:
    case GI_GLOBAL_FOREIGN: break;
  }
  return gi_fail(GLIA_FORMAT, "pickle: REDUCE on a name that makes nothing");
}

/* Attributes of a dictionary are dropped: torch keeps versions of modules there. */
static glia_status build(machine *m) {
  gi_value *state = NULL, *object = NULL;
  GI_TRY(pop(m, &state));
  return top(m, GI_PICKLE_DICT, &object);
}

/* ---- containers ------------------------------------------------------------------------- */

static glia_status append_marked(machine *m, gi_pickle_kind kind) {
  gi_value **items = NULL, *to = NULL;
  size_t n = 0;
  GI_TRY(pop_mark(m, &items, &n));
  GI_TRY(top(m, kind, &to));
  if (kind == GI_PICKLE_DICT && n % 2 != 0)
    return gi_fail(GLIA_FORMAT, "pickle: a key without a value");
  for (size_t i = 0; i < n; i++) GI_TRY(add_item(m, to, items[i]));
  return GLIA_OK;
}

static glia_status append_last(machine *m, gi_pickle_kind kind) {
  const size_t n = kind == GI_PICKLE_DICT ? 2 : 1;
  gi_value *to = NULL;
  if (height(m) < n) return underflow();
  m->stack.n -= n;
  gi_value *const *items = m->stack.at + m->stack.n;
  GI_TRY(top(m, kind, &to));
  for (size_t i = 0; i < n; i++) GI_TRY(add_item(m, to, items[i]));
  return GLIA_OK;
}

static glia_status push_marked(machine *m, gi_pickle_kind kind) {
  gi_value **items = NULL;
  size_t n = 0;
  GI_TRY(pop_mark(m, &items, &n));
  if (kind == GI_PICKLE_DICT && n % 2 != 0)
    return gi_fail(GLIA_FORMAT, "pickle: a key without a value");
  GI_TRY(push_tuple(m, items, n));
  m->stack.at[m->stack.n - 1]->kind = kind;
  return GLIA_OK;
}

static glia_status drop(machine *m) {
  gi_value *v = NULL;
  if (height(m) > 0 || m->marks.n == 0) return pop(m, &v);
  m->marks.n--;
  return GLIA_OK;
}

static glia_status duplicate(machine *m) {
  return height(m) == 0 ? underflow() : push(m, m->stack.at[m->stack.n - 1]);
}

static glia_status drop_marked(machine *m) {
  gi_value **items = NULL;
  size_t n = 0;
  return pop_mark(m, &items, &n);
}

static glia_status mark(machine *m) {
  return gi_vec_push(&m->marks, m->stack.n) ? GLIA_OK : gi_fail_nomem(m->marks.n);
}

static glia_status protocol(const gi_step *s) {
  return s->p[0] <= 5
             ? GLIA_OK
             : gi_fail(GLIA_FORMAT, "pickle: protocol %d, at most 5 is known", s->p[0]);
}

/* ---- running ---------------------------------------------------------------------------- */

static glia_status run_step(machine *m, const gi_step *s) {
  switch (s->instruction->code) {
    case 0x80: return protocol(s);
    case 0x95: return GLIA_OK; /* FRAME: how to read ahead */
    case '(': return mark(m);
    case '0': return drop(m);
    case '1': return drop_marked(m);
    case '2': return duplicate(m);
    case 'N': return push_int(m, GI_PICKLE_NONE, 0);
    case 0x88: return push_int(m, GI_PICKLE_BOOL, 1);
    case 0x89: return push_int(m, GI_PICKLE_BOOL, 0);
    case 'J': return push_int(m, GI_PICKLE_INT, (int32_t)little(s));
    case 'K':
    case 'M': return push_int(m, GI_PICKLE_INT, (int64_t)little(s));
    case 'G': return push_float(m, s->p);
    case 0x8a:
    case 0x8b: return push_long(m, s->p, s->n);
    case 'T':
    case 'U':
    case 'X':
    case 'B':
    case 'C':
    case 0x8c:
    case 0x8d:
    case 0x8e: return push_text(m, GI_PICKLE_TEXT, s->p, s->n);
    case ')': return push_tuple(m, m->stack.at, 0);
    case 0x85: return push_short_tuple(m, 1);
    case 0x86: return push_short_tuple(m, 2);
    case 0x87: return push_short_tuple(m, 3);
    case 't': return push_marked(m, GI_PICKLE_TUPLE);
    case 'l': return push_marked(m, GI_PICKLE_LIST);
    case 'd': return push_marked(m, GI_PICKLE_DICT);
    case ']': return push(m, make(m, GI_PICKLE_LIST));
    case '}': return push(m, make(m, GI_PICKLE_DICT));
    case 'a': return append_last(m, GI_PICKLE_LIST);
    case 'e': return append_marked(m, GI_PICKLE_LIST);
    case 's': return append_last(m, GI_PICKLE_DICT);
    case 'u': return append_marked(m, GI_PICKLE_DICT);
    case 'q':
    case 'r': return remember(m, little(s));
    case 0x94: return remember(m, m->memo.n);
    case 'h':
    case 'j': return recall(m, little(s));
    case 'c': return push_global(m, (const char *)s->p, s->n);
    case 0x93: return push_stack_global(m);
    case 'Q': return push_storage(m);
    case 'R': return reduce(m);
    case 'b': return build(m);
    default: break;
  }
  return gi_fail(GLIA_FORMAT, "pickle: %s is not run", s->instruction->name);
}

static glia_status run(machine *m, const unsigned char *p, size_t n) {
  gi_step s = {0};
  for (size_t at = 0;; at += s.bytes) {
    GI_TRY(gi_step_read(p + at, n - at, &s));
    if (s.instruction->code == '.') break;
    GI_TRY(run_step(m, &s));
    if (m->values > VALUES)
      return gi_fail(GLIA_FORMAT, "pickle: holds more than %d values", VALUES);
  }
  if (height(m) == 0 || m->marks.n > 0)
    return gi_fail(GLIA_FORMAT, "pickle: stops without a value");
  m->out->root = m->stack.at[m->stack.n - 1];
  return GLIA_OK;
}

glia_status gi_pickle_read(const unsigned char *p, size_t n, const char *what, gi_arena *arena,
                           gi_pickle *out) {
  *out = (gi_pickle){0};
  GI_TRY(gi_pickle_scan(p, n, what, &out->bytes));
  machine m = {.arena = arena, .limit = out->bytes, .out = out};
  /* never NULL: a tuple of no values is taken from it too */
  const glia_status s = gi_vec_reserve(&m.stack, 64) ? run(&m, p, out->bytes)
                                                     : gi_fail_nomem(64 * sizeof(void *));
  gi_vec_free(&m.stack);
  gi_vec_free(&m.marks);
  gi_vec_free(&m.memo);
  return gi_where(s, "%s", what);
}
