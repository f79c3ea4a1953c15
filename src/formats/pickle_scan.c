/* formats/pickle_scan.c - looking through a pickle before it is run; see pickle.h. */
#include "formats/pickle_names.h"

#define NAMES(X)                         \
  X('0', POP, NONE, true)                \
  X('1', POP_MARK, NONE, true)           \
  X('2', DUP, NONE, true)                \
  X('(', MARK, NONE, true)               \
  X('.', STOP, NONE, true)               \
  X('N', NONE, NONE, true)               \
  X('I', INT, LINE, false)               \
  X('J', BININT, 4, true)                \
  X('K', BININT1, 1, true)               \
  X('L', LONG, LINE, false)              \
  X('M', BININT2, 2, true)               \
  X('F', FLOAT, LINE, false)             \
  X('G', BINFLOAT, 8, true)              \
  X('P', PERSID, LINE, false)            \
  X('Q', BINPERSID, NONE, true)          \
  X('R', REDUCE, NONE, true)             \
  X('S', STRING, LINE, false)            \
  X('T', BINSTRING, TEXT4, true)         \
  X('U', SHORT_BINSTRING, TEXT1, true)   \
  X('V', UNICODE, LINE, false)           \
  X('X', BINUNICODE, TEXT4, true)        \
  X('a', APPEND, NONE, true)             \
  X('b', BUILD, NONE, true)              \
  X('c', GLOBAL, LINES, true)            \
  X('d', DICT, NONE, true)               \
  X('}', EMPTY_DICT, NONE, true)         \
  X('e', APPENDS, NONE, true)            \
  X('g', GET, LINE, false)               \
  X('h', BINGET, 1, true)                \
  X('i', INST, LINES, false)             \
  X('j', LONG_BINGET, 4, true)           \
  X('l', LIST, NONE, true)               \
  X(']', EMPTY_LIST, NONE, true)         \
  X('o', OBJ, NONE, false)               \
  X('p', PUT, LINE, false)               \
  X('q', BINPUT, 1, true)                \
  X('r', LONG_BINPUT, 4, true)           \
  X('s', SETITEM, NONE, true)            \
  X('t', TUPLE, NONE, true)              \
  X(')', EMPTY_TUPLE, NONE, true)        \
  X('u', SETITEMS, NONE, true)           \
  X('B', BINBYTES, TEXT4, true)          \
  X('C', SHORT_BINBYTES, TEXT1, true)    \
  X(0x80, PROTO, 1, true)                \
  X(0x81, NEWOBJ, NONE, false)           \
  X(0x82, EXT1, 1, false)                \
  X(0x83, EXT2, 2, false)                \
  X(0x84, EXT4, 4, false)                \
  X(0x85, TUPLE1, NONE, true)            \
  X(0x86, TUPLE2, NONE, true)            \
  X(0x87, TUPLE3, NONE, true)            \
  X(0x88, NEWTRUE, NONE, true)           \
  X(0x89, NEWFALSE, NONE, true)          \
  X(0x8a, LONG1, TEXT1, true)            \
  X(0x8b, LONG4, TEXT4, true)            \
  X(0x8c, SHORT_BINUNICODE, TEXT1, true) \
  X(0x8d, BINUNICODE8, TEXT8, true)      \
  X(0x8e, BINBYTES8, TEXT8, true)        \
  X(0x8f, EMPTY_SET, NONE, false)        \
  X(0x90, ADDITEMS, NONE, false)         \
  X(0x91, FROZENSET, NONE, false)        \
  X(0x92, NEWOBJ_EX, NONE, false)        \
  X(0x93, STACK_GLOBAL, NONE, true)      \
  X(0x94, MEMOIZE, NONE, true)           \
  X(0x95, FRAME, 8, true)                \
  X(0x96, BYTEARRAY8, TEXT8, false)      \
  X(0x97, NEXT_BUFFER, NONE, false)      \
  X(0x98, READONLY_BUFFER, NONE, false)

static const gi_instruction instructions[] = {
#define X(code_, name_, operand_, data_) {code_, #name_, GI_OPERAND_##operand_, data_},
    NAMES(X)
#undef X
};

const gi_instruction *gi_instruction_find(unsigned char code) {
  for (int i = 0; i < GI_COUNT(instructions); i++)
    if (instructions[i].code == code) return &instructions[i];
  return NULL;
}

/* ---- one instruction -------------------------------------------------------------------- */

static glia_status cut(const gi_instruction *i) {
  return gi_fail(GLIA_FORMAT, "pickle: ends within %s; truncated?", i->name);
}

static glia_status read_fixed(const unsigned char *p, size_t n, size_t bytes, gi_step *out) {
  if (n - 1 < bytes) return cut(out->instruction);
  out->p = p + 1;
  out->n = bytes;
  out->bytes = 1 + bytes;
  return GLIA_OK;
}

static glia_status read_text(const unsigned char *p, size_t n, size_t width, gi_step *out) {
  uint64_t length = 0;
  if (n - 1 < width) return cut(out->instruction);
  for (size_t i = width; i-- > 0;) length = length << 8 | p[1 + i];
  if (length > n - 1 - width) return cut(out->instruction);
  out->p = p + 1 + width;
  out->n = (size_t)length;
  out->bytes = 1 + width + out->n;
  return GLIA_OK;
}

static glia_status read_lines(const unsigned char *p, size_t n, int lines, gi_step *out) {
  const unsigned char *end = p;
  for (int i = 0; i < lines; i++) {
    const size_t left = n - (size_t)(end + 1 - p);
    end = left > 0 ? memchr(end + 1, '\n', left) : NULL;
    if (end == NULL) return cut(out->instruction);
  }
  out->p = p + 1;
  out->n = (size_t)(end - p) - 1;
  out->bytes = out->n + 2;
  return GLIA_OK;
}

glia_status gi_step_read(const unsigned char *p, size_t n, gi_step *out) {
  if (n == 0) return gi_fail(GLIA_FORMAT, "pickle: ends before its STOP; truncated?");
  *out = (gi_step){.instruction = gi_instruction_find(p[0])};
  if (out->instruction == NULL)
    return gi_fail(GLIA_FORMAT, "pickle: 0x%02x is no instruction; is it a pickle?", p[0]);
  switch (out->instruction->operand) {
    case GI_OPERAND_NONE: return read_fixed(p, n, 0, out);
    case GI_OPERAND_1: return read_fixed(p, n, 1, out);
    case GI_OPERAND_2: return read_fixed(p, n, 2, out);
    case GI_OPERAND_4: return read_fixed(p, n, 4, out);
    case GI_OPERAND_8: return read_fixed(p, n, 8, out);
    case GI_OPERAND_TEXT1: return read_text(p, n, 1, out);
    case GI_OPERAND_TEXT4: return read_text(p, n, 4, out);
    case GI_OPERAND_TEXT8: return read_text(p, n, 8, out);
    case GI_OPERAND_LINE: return read_lines(p, n, 1, out);
    case GI_OPERAND_LINES: return read_lines(p, n, 2, out);
  }
  return cut(out->instruction);
}

/* ---- names ------------------------------------------------------------------------------ */

static const struct {
  const char *name;
  gi_global global;
} globals[] = {
    {"collections\nOrderedDict", GI_GLOBAL_DICT},
    {"torch._utils\n_rebuild_tensor_v2", GI_GLOBAL_TENSOR},
    {"torch._utils\n_rebuild_tensor", GI_GLOBAL_TENSOR},
    {"torch._utils\n_rebuild_parameter", GI_GLOBAL_PARAMETER},
    {"torch\nSize", GI_GLOBAL_SIZE},
    {"torch\ndevice", GI_GLOBAL_DEVICE},
    {"torch\nfloat32", GI_GLOBAL_DTYPE},
    {"torch\nfloat64", GI_GLOBAL_DTYPE},
    {"torch\nfloat16", GI_GLOBAL_DTYPE},
    {"torch\nbfloat16", GI_GLOBAL_DTYPE},
    {"torch\nint64", GI_GLOBAL_DTYPE},
    {"torch\nint32", GI_GLOBAL_DTYPE},
    {"torch\nint16", GI_GLOBAL_DTYPE},
    {"torch\nint8", GI_GLOBAL_DTYPE},
    {"torch\nuint8", GI_GLOBAL_DTYPE},
    {"torch\nbool", GI_GLOBAL_DTYPE},
    {"torch\ncomplex64", GI_GLOBAL_DTYPE},
    {"torch\ncomplex128", GI_GLOBAL_DTYPE},
};

static const struct {
  const char *name, *element;
} storages[] = {
    {"torch\nFloatStorage", "F32"},        {"torch\nDoubleStorage", "F64"},
    {"torch\nHalfStorage", "F16"},         {"torch\nBFloat16Storage", "BF16"},
    {"torch\nLongStorage", "I64"},         {"torch\nIntStorage", "I32"},
    {"torch\nShortStorage", "I16"},        {"torch\nCharStorage", "I8"},
    {"torch\nByteStorage", "U8"},          {"torch\nBoolStorage", "BOOL"},
    {"torch\nComplexFloatStorage", "C64"}, {"torch\nComplexDoubleStorage", "C128"},
};

static bool is_name(const char *name, const char *text, size_t n) {
  return strlen(name) == n && memcmp(name, text, n) == 0;
}

const gi_element *gi_storage_element(const char *name, size_t n) {
  for (int i = 0; i < GI_COUNT(storages); i++)
    if (is_name(storages[i].name, name, n)) return gi_element_named(storages[i].element);
  return NULL;
}

gi_global gi_global_find(const char *name, size_t n) {
  for (int i = 0; i < GI_COUNT(globals); i++)
    if (is_name(globals[i].name, name, n)) return globals[i].global;
  return gi_storage_element(name, n) != NULL ? GI_GLOBAL_STORAGE : GI_GLOBAL_FOREIGN;
}

/* ---- looking through -------------------------------------------------------------------- */

enum { FOREIGN_SHOWN = 12, FOREIGN_TEXT = 100 };

/* What is foreign, each thing once; longer lists end in dots. */
typedef struct foreign {
  char text[FOREIGN_SHOWN][FOREIGN_TEXT];
  int n;
} foreign;

static void add_foreign(foreign *f, const char *kind, const char *text, size_t n) {
  char one[FOREIGN_TEXT];
  snprintf(one, sizeof one, "%s%.*s", kind, (int)GI_MIN(n, 80), text);
  for (char *c = one; *c != '\0'; c++)
    if (*c == '\n') *c = '.'; /* module and name */
  for (char *c = one; *c != '\0'; c++)
    if ((unsigned char)*c < ' ') *c = '?';
  for (int i = 0; i < GI_MIN(f->n, FOREIGN_SHOWN); i++)
    if (strcmp(f->text[i], one) == 0) return;
  if (f->n < FOREIGN_SHOWN) memcpy(f->text[f->n], one, sizeof one);
  f->n++;
}

static void look_at(const gi_step *s, foreign *f) {
  const char *text = (const char *)s->p;
  const gi_instruction *i = s->instruction;
  if (i->operand == GI_OPERAND_LINES && gi_global_find(text, s->n) == GI_GLOBAL_FOREIGN)
    add_foreign(f, "", text, s->n);
  if (!i->data) add_foreign(f, "instruction ", i->name, strlen(i->name));
}

static glia_status refuse(const foreign *f, const char *what) {
  gi_str list = {0};
  for (int i = 0; i < GI_MIN(f->n, FOREIGN_SHOWN); i++)
    gi_str_printf(&list, "%s%s", i > 0 ? ", " : "", f->text[i]);
  if (f->n > FOREIGN_SHOWN) gi_str_puts(&list, "...");
  const glia_status s =
      list.failed
          ? gi_fail_nomem(list.n)
          : gi_fail(GLIA_FORMAT,
                    "%s: pickle: holds more than tensors and plain data, and is not run: %s; "
                    "hint: save model.state_dict() alone",
                    what, list.s);
  gi_str_free(&list);
  return s;
}

glia_status gi_pickle_scan(const unsigned char *p, size_t n, const char *what, size_t *used) {
  foreign f = {.n = 0};
  gi_step s = {0};
  size_t at = 0;
  do {
    const glia_status status = gi_step_read(p + at, n - at, &s);
    if (status != GLIA_OK) return f.n > 0 ? refuse(&f, what) : gi_where(status, "%s", what);
    look_at(&s, &f);
    at += s.bytes;
  } while (s.instruction->code != '.');
  *used = at;
  return f.n > 0 ? refuse(&f, what) : GLIA_OK;
}
