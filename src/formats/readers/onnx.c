/* readers/onnx.c - the weights of an ONNX model: its initializers, under their names. A file
 * whose model cannot be built is refused, though its weights could be read: who converts it
 * would find that out much later. */
#include "formats/onnx/survey.h"
#include "formats/reader.h"

static const char *element_name(int type) {
  static const struct {
    int type;
    const char *name;
  } names[] = {{GI_ONNX_FLOAT, "F32"},    {GI_ONNX_UINT8, "U8"},   {GI_ONNX_INT8, "I8"},
               {GI_ONNX_UINT16, "U16"},   {GI_ONNX_INT16, "I16"},  {GI_ONNX_INT32, "I32"},
               {GI_ONNX_INT64, "I64"},    {GI_ONNX_BOOL, "BOOL"},  {GI_ONNX_FLOAT16, "F16"},
               {GI_ONNX_DOUBLE, "F64"},   {GI_ONNX_UINT32, "U32"}, {GI_ONNX_UINT64, "U64"},
               {GI_ONNX_BFLOAT16, "BF16"}};
  for (int i = 0; i < GI_COUNT(names); i++)
    if (names[i].type == type) return names[i].name;
  return NULL;
}

static glia_status add(glia_file *f, const gi_onnx_tensor *t) {
  const char *name = element_name(t->type);
  const gi_element *element = name != NULL ? gi_element_named(name) : NULL;
  if (element == NULL)
    return gi_fail(GLIA_DTYPE,
                   "%s: tensor \"%.80s\": elements are of type %s, which is not held", f->what,
                   t->name, gi_onnx_type_name(t->type));
  return gi_file_add_plain(f, t->name, element, t->rank, t->dim, t->data, NULL);
}

static glia_status open_onnx(glia_file *f) {
  gi_onnx_model *m = NULL;
  if (f->path != NULL)
    GI_TRY(gi_onnx_open(f->path, &m));
  else
    GI_TRY(gi_onnx_from_memory(f->p, f->n, f->what, &m));
  f->own = m; /* the entries point into it */
  GI_TRY(gi_onnx_judge(m));
  f->held += m->arena.total; /* what the file's typed fields were unpacked to */
  for (int i = 0; i < m->graph.n_init; i++) GI_TRY(add(f, &m->graph.init[i]));
  for (int i = 0; i < m->n_metadata; i++)
    GI_TRY(gi_file_note(f, m->metadata[2 * i], m->metadata[2 * i + 1]));
  return GLIA_OK;
}

static void close_onnx(glia_file *f) {
  gi_onnx_close(f->own);
  f->own = NULL;
}

/* A message has no mark of its own; a model's begins with its IR version, a small number. */
static bool is_onnx(const unsigned char *p, size_t n) {
  return n >= 4 && p[0] == 0x08 && p[1] >= 1 && p[1] < 64 && (p[2] == 0x12 || p[2] == 0x3a);
}

static const char *const suffixes[] = {".onnx", NULL};

static const gi_reader onnx = {
    .name = "onnx",
    .title = "a network with its weights",
    .suffixes = suffixes,
    .is = is_onnx,
    .open = open_onnx,
    .close = close_onnx,
};

const gi_reader *const gi_readers_onnx[] = {&onnx, NULL};
