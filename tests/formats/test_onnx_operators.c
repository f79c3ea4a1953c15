/* What ONNX's operators mean, version by version, where the outside cases are silent: forms of
 * old opsets, whole numbers with all their bits, edges of shapes, and what is refused.
 *
 * A row is an operator, its opset, attributes, inputs and outputs as words:
 *   attributes  "axis i 1; mode s edge; pads is 1 0; alpha f 0.5; weights fs 1 2"
 *   tensors     "float 2 3 = 1 2 3 4 5 6; - ; int64 = 7"    (type, shape = elements; - is left
 * out) Outputs are "! words of the message" where the node must be refused. */
#include <inttypes.h>

#include "formats/onnx/operators/common.h"
#include "glia/onnx.h"
#include "onnx_words.h"

/* ---- from words to models ---------------------------------------------------------------- */

enum { WORDS = 64, PARTS = 16 };

/* Cuts text at each of the characters in `at`; blanks around go. Returns how many parts. */
static int cut(char *text, const char *at, char **out, int room) {
  int n = 0;
  for (char *p = strtok(text, at); p != NULL && n < room; p = strtok(NULL, at)) {
    while (*p == ' ') p++;
    out[n++] = p;
  }
  return n;
}

typedef struct elements {
  int type, rank;
  int64_t dim[GLIA_MAX_RANK], n;
  const char *word[WORDS];
} elements;

static elements elements_of(char *text) {
  elements e = {0};
  char *equals = strchr(text, '='), *words[WORDS];
  assert_non_null(equals);
  *equals = '\0';
  char *values = equals + 1;
  const int head = cut(text, " ", words, WORDS);
  for (int t = 1; t <= GI_ONNX_BFLOAT16; t++)
    if (strcmp(gi_onnx_type_name(t), words[0]) == 0) e.type = t;
  if (e.type == 0) fail_msg("there is no type '%s'", words[0]);
  for (int d = 1; d < head; d++) e.dim[e.rank++] = strtoll(words[d], NULL, 10);
  e.n = cut(values, " ", words, WORDS);
  for (int64_t i = 0; i < e.n; i++) e.word[i] = words[i];
  return e;
}

/* One element as the bytes that a file has of it. */
static void put_element(gi_str *raw, int type, const char *word) {
  glia_dtype dtype = GLIA_F32;
  unsigned char bytes[8] = {0};
  assert_true(gi_onnx_carrier(type, &dtype));
  if (glia_dtype_is_float(dtype)) {
    gi_store(dtype, bytes, 0, strtod(word, NULL));
  } else {
    const uint64_t v =
        word[0] == '-' ? (uint64_t)strtoll(word, NULL, 10) : strtoull(word, NULL, 10);
    memcpy(bytes, &v, sizeof v);
  }
  gi_str_add(raw, (const char *)bytes, gi_onnx_type_size(type));
}

static void put_input(gi_str *graph, const char *name, char *text) {
  const elements e = elements_of(text);
  gi_str t = tensor(name, e.type, e.dim, (size_t)e.rank), raw = {0};
  for (int64_t i = 0; i < e.n; i++) put_element(&raw, e.type, e.word[i]);
  gi_wire_put_bytes(&t, RAW, raw.s != NULL ? raw.s : "", raw.n);
  gi_str_free(&raw);
  gi_wire_put_message(graph, 5, &t);
}

static void put_attribute(gi_str *node, char *text) {
  char *w[WORDS];
  const int n = cut(text, " ", w, WORDS);
  gi_str a = {0};
  int64_t ints[WORDS];
  float floats[WORDS];
  gi_wire_put_text(&a, 1, w[0]);
  for (int i = 2; i < n; i++) ints[i - 2] = strtoll(w[i], NULL, 10);
  for (int i = 2; i < n; i++) floats[i - 2] = strtof(w[i], NULL);
  if (strcmp(w[1], "i") == 0) gi_wire_put_varint(&a, 3, (uint64_t)ints[0]);
  if (strcmp(w[1], "f") == 0) gi_wire_put_float(&a, 2, floats[0]);
  if (strcmp(w[1], "s") == 0) gi_wire_put_text(&a, 4, w[2]);
  if (strcmp(w[1], "is") == 0) gi_wire_put_varints(&a, 8, ints, (size_t)n - 2);
  if (strcmp(w[1], "fs") == 0) gi_wire_put_floats(&a, 7, floats, (size_t)n - 2);
  gi_wire_put_varint(&a, 20,
                     strcmp(w[1], "i") == 0    ? GI_ONNX_ATTR_INT
                     : strcmp(w[1], "f") == 0  ? GI_ONNX_ATTR_FLOAT
                     : strcmp(w[1], "s") == 0  ? GI_ONNX_ATTR_STRING
                     : strcmp(w[1], "is") == 0 ? GI_ONNX_ATTR_INTS
                                               : GI_ONNX_ATTR_FLOATS);
  gi_wire_put_message(node, 5, &a);
}

typedef struct row {
  const char *op;
  int opset;
  const char *attributes, *in, *out;
} row;

/* The model of a row, its inputs as initializers, in a file. */
static void write_model(const row *r, const char *path, int n_out) {
  char in[2048], attributes[2048], *part[PARTS], name[16];
  gi_str graph = {0}, n = {0}, model = {0};
  snprintf(in, sizeof in, "%s", r->in);
  snprintf(attributes, sizeof attributes, "%s", r->attributes);
  const int n_in = cut(in, ";", part, PARTS);
  for (int i = 0; i < n_in; i++) {
    snprintf(name, sizeof name, "x%d", i);
    gi_wire_put_text(&n, 1, part[i][0] == '-' ? "" : name);
  }
  for (int i = 0; i < n_out; i++) {
    snprintf(name, sizeof name, "y%d", i);
    gi_wire_put_text(&n, 2, name);
  }
  gi_wire_put_text(&n, 4, r->op);
  for (int i = 0; i < n_in; i++) {
    snprintf(name, sizeof name, "x%d", i);
    if (part[i][0] != '-') put_input(&graph, name, part[i]);
  }
  const int n_attributes = cut(attributes, ";", part, PARTS);
  for (int i = 0; i < n_attributes; i++) put_attribute(&n, part[i]);
  gi_wire_put_message(&graph, 1, &n);
  for (int i = 0; i < n_out; i++) {
    gi_str value = {0};
    snprintf(name, sizeof name, "y%d", i);
    gi_wire_put_text(&value, 1, name);
    gi_wire_put_message(&graph, OUT, &value);
  }
  gi_wire_put_varint(&model, 1, 8);
  gi_wire_put_text(&graph, 2, "the graph");
  gi_wire_put_message(&model, 7, &graph);
  put_opset(&model, 8, "", r->opset);
  OK(gi_write_file(path, model.s, model.n));
  gi_str_free(&model);
}

/* ---- what comes out ---------------------------------------------------------------------- */

static void same_elements(const row *r, int k, const glia_tensor *got, const char *type,
                          char *text) {
  const elements e = elements_of(text);
  const gi_type t = gi_tensor_type(got);
  char shape[160];
  bool fits = strcmp(type, gi_onnx_type_name(e.type)) == 0 && t.rank == e.rank;
  for (int d = 0; fits && d < e.rank; d++) fits = t.dim[d] == e.dim[d];
  if (!fits)
    fail_msg("%s %d (%s): output %d is %s %s", r->op, r->opset, r->in, k, type,
             gi_shape_text(&t, shape, sizeof shape));
  for (int64_t i = 0; i < gi_type_count(&t); i++) {
    const bool whole = t.dtype == GLIA_I64;
    const int64_t bits = whole ? ((const int64_t *)glia_tensor_data(got))[i] : 0;
    const uint64_t want = e.word[i][0] == '-' ? (uint64_t)strtoll(e.word[i], NULL, 10)
                                              : strtoull(e.word[i], NULL, 10);
    const double x = glia_tensor_get(got, i), y = strtod(e.word[i], NULL);
    if (whole ? (uint64_t)bits == want
              : x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= 1e-5 + 1e-5 * fabs(y))
      continue;
    fail_msg("%s %d (%s): output %d, element %" PRId64 " is %.17g, wanted %s", r->op, r->opset,
             r->in, k, i, x, e.word[i]);
  }
}

static void check(const row *r, const char *backend) {
  char path[700], out[2048], *want[PARTS];
  snprintf(path, sizeof path, "%s/model.onnx", test_dir("onnx_operators"));
  snprintf(out, sizeof out, "%s", r->out);
  const bool bad = r->out[0] == '!';
  const int n_out = bad ? 1 : cut(out, ";", want, PARTS);
  glia_onnx *m = NULL;
  const glia_tensor *got[PARTS];
  write_model(r, path, n_out);
  glia_status s = glia_onnx_open(path, &m, .backend = backend);
  if (s == GLIA_OK) s = glia_onnx_run(m, NULL, 0, got);
  if (bad && (s == GLIA_OK || strstr(glia_error_message(), r->out + 2) == NULL))
    fail_msg("%s %d (%s): \"%s\" does not hold \"%s\"", r->op, r->opset, r->in,
             s == GLIA_OK ? "" : glia_error_message(), r->out + 2);
  if (!bad && s != GLIA_OK) fail_msg("%s %d: %s", r->op, r->opset, glia_error_message());
  for (int k = 0; k < n_out && !bad; k++)
    same_elements(r, k, got[k], glia_onnx_output_type(m, k), want[k]);
  glia_onnx_close(m);
}

static void check_all(const row *rows, int n) {
  for (int i = 0; i < n; i++)
    for (int b = 0; b < 2; b++) check(&rows[i], b == 0 ? "ref" : NULL);
}

/* ---- rows -------------------------------------------------------------------------------- */

/* clang-format off */
static const row whole_numbers[] = {
  {"Add", 14, "", "uint8 3 = 255 1 128; uint8 3 = 1 1 128", "uint8 3 = 0 2 0"},
  {"Sub", 14, "", "int8 2 = -128 5; int8 2 = 1 7", "int8 2 = 127 -2"},
  {"Mul", 14, "", "uint32 2 = 4294967295 65537; uint32 2 = 4294967295 65537", "uint32 2 = 1 131073"},
  {"Mul", 14, "", "int16 2 = 300 -32768; int16 2 = 300 -1", "int16 2 = 24464 -32768"},
  {"Add", 14, "", "int64 1 = 9007199254740993; int64 1 = 2", "int64 1 = 9007199254740995"},
  {"Mul", 14, "", "uint64 1 = 18446744073709551615; uint64 1 = 3", "uint64 1 = 18446744073709551613"},
  {"Div", 14, "", "int32 4 = 7 -7 7 -7; int32 4 = 2 2 -2 -2", "int32 4 = 3 -3 -3 3"},
  {"Div", 14, "", "uint64 2 = 18446744073709551615 9; uint64 = 2", "uint64 2 = 9223372036854775807 4"},
  {"Div", 14, "", "int64 2 = 5 -9223372036854775808; int64 2 = 0 -1", "int64 2 = 0 -9223372036854775808"},
  {"Mod", 13, "", "int32 4 = 7 -7 7 -7; int32 4 = 3 3 -3 -3", "int32 4 = 1 2 -2 -1"},
  {"Mod", 13, "fmod i 1", "int32 4 = 7 -7 7 -7; int32 4 = 3 3 -3 -3", "int32 4 = 1 -1 1 -1"},
  {"Mod", 13, "fmod i 1", "float 3 = 5.5 -5.5 1; float 3 = 2 2 inf", "float 3 = 1.5 -1.5 1"},
  {"Mod", 13, "", "float 1 = 1; float 1 = 1", "! floats want 1"},
  {"Abs", 13, "", "int32 2 = -2147483648 -3", "int32 2 = -2147483648 3"},
  {"Abs", 13, "", "uint64 1 = 18446744073709551615", "uint64 1 = 18446744073709551615"},
  {"Sign", 13, "", "uint64 2 = 18446744073709551615 0", "uint64 2 = 1 0"},
  {"Less", 13, "", "int64 1 = 9007199254740992; int64 1 = 9007199254740993", "bool 1 = 1"},
  {"Less", 13, "", "uint64 1 = 1; uint64 1 = 18446744073709551615", "bool 1 = 1"},
  {"GreaterOrEqual", 16, "", "uint64 2 = 1 5; uint64 2 = 18446744073709551615 5", "bool 2 = 0 1"},
  {"Equal", 13, "", "int64 1 = 9007199254740992; int64 1 = 9007199254740993", "bool 1 = 0"},
  {"Max", 13, "", "uint64 1 = 18446744073709551615; uint64 1 = 2", "uint64 1 = 18446744073709551615"},
  {"Min", 13, "", "int64 1 = -9223372036854775808; int64 1 = 2", "int64 1 = -9223372036854775808"},
  {"Clip", 13, "", "int64 3 = 1 9007199254740993 -5; int64 = 0; -", "int64 3 = 1 9007199254740993 0"},
  {"BitwiseNot", 18, "", "uint16 2 = 0 65535", "uint16 2 = 65535 0"},
  {"BitwiseXor", 18, "", "int64 1 = -1; int64 1 = 9007199254740993", "int64 1 = -9007199254740994"},
  {"BitShift", 11, "direction s LEFT", "uint8 2 = 255 1; uint8 2 = 1 8", "uint8 2 = 254 0"},
  {"BitShift", 11, "direction s RIGHT", "uint64 1 = 18446744073709551615; uint64 1 = 63", "uint64 1 = 1"},
  {"BitShift", 11, "direction s UP", "uint8 1 = 1; uint8 1 = 1", "! known are: LEFT, RIGHT"},
  {"Cast", 13, "to i 2", "int32 3 = 256 -1 300", "uint8 3 = 0 255 44"},
  {"Cast", 13, "to i 5", "int64 2 = 65535 32768", "int16 2 = -1 -32768"},
  {"Cast", 13, "to i 1", "uint64 1 = 18446744073709551615", "float 1 = 18446744073709551615"},
  {"Cast", 13, "to i 13", "float 2 = 1.8e19 3.9", "uint64 2 = 18000000404716257280 3"},
  {"Cast", 13, "to i 9", "float 3 = 0 -0.5 nan", "bool 3 = 0 1 1"},
  {"Cast", 13, "to i 8", "float 1 = 0", "! string"},
  {"BitCast", 26, "to i 6", "float 2 = 1 -2", "int32 2 = 1065353216 -1073741824"},
  {"BitCast", 26, "to i 5", "float16 1 = -2", "int16 1 = -16384"},
  {"BitCast", 26, "to i 1", "uint32 1 = 1065353216", "float 1 = 1"},
  {"BitCast", 26, "to i 7", "float 1 = 1", "! not of one size"},
};

static const row old_forms[] = {
  {"Add", 6, "broadcast i 1; axis i 0", "float 2 3 = 1 2 3 4 5 6; float 2 = 10 20", "float 2 3 = 11 12 13 24 25 26"},
  {"Add", 6, "broadcast i 1; axis i 2", "float 2 3 = 1 2 3 4 5 6; float 2 = 10 20", "! attribute 'axis' is 2"},
  {"Add", 6, "broadcast i 1; axis i 1", "float 1 2 = 1 2; float 1 2 = 3 4", "float 1 2 = 4 6"},
  {"Clip", 6, "min f -1; max f 1", "float 3 = -5 0.5 5", "float 3 = -1 0.5 1"},
  {"Clip", 12, "", "float 3 = -5 0.5 5; float = 1; float = -1", "float 3 = -1 -1 -1"},
  {"PRelu", 6, "", "float 1 2 2 = -1 2 -3 4; float 2 = 0.5 2", "float 1 2 2 = -0.5 2 -6 4"},
  {"Selu", 5, "", "float 2 = 1 -1", "float 2 = 1.0507 -1.111287"},
  {"Hardmax", 11, "", "float 2 1 2 = 1 3 2 0", "float 2 1 2 = 0 1 1 0"},
  {"Hardmax", 13, "", "float 2 3 = 1 3 3 2 0 1", "float 2 3 = 0 1 0 1 0 0"},
  {"Reshape", 1, "shape is 0 -1", "float 2 1 2 = 1 2 3 4", "float 2 2 = 1 2 3 4"},
  {"Squeeze", 11, "axes is -1", "float 1 2 1 = 1 2", "float 1 2 = 1 2"},
  {"Unsqueeze", 11, "axes is 0 -1", "float 2 = 1 2", "float 1 2 1 = 1 2"},
  {"Slice", 9, "starts is -2; ends is 1000; axes is 0", "float 3 = 1 2 3", "float 2 = 2 3"},
  {"Pad", 1, "paddings is 1 0", "float 2 = 1 2", "float 3 = 0 1 2"},
  {"Pad", 2, "pads is 1 1; value f 7", "float 1 = 1", "float 3 = 7 1 7"},
  {"Split", 2, "split is 1 2", "float 3 = 1 2 3", "float 1 = 1; float 2 = 2 3"},
  {"TopK", 9, "k i 2", "float 3 = 1 3 2", "float 2 = 3 2; int64 2 = 1 2"},
  {"Tile", 1, "", "float 2 = 1 2; int64 = 2; int64 = 0", "float 4 = 1 2 1 2"},
  {"ReduceSum", 11, "axes is 0; keepdims i 0", "float 2 2 = 1 2 3 4", "float 2 = 4 6"},
  {"Dropout", 7, "ratio f 0.5", "float 2 = 1 2", "float 2 = 1 2; float 2 = 1 1"},
  {"Gemm", 6, "broadcast i 1", "float 1 2 = 1 2; float 2 1 = 3 4; float 1 = 5", "float 1 1 = 16"},
  {"Scatter", 10, "", "float 2 1 = 1 2; int64 1 1 = 1; float 1 1 = 9", "float 2 1 = 1 9"},
  {"Scatter", 11, "", "float 2 1 = 1 2; int64 1 1 = 1; float 1 1 = 9", "! Scatter"},
  {"Gelu", 19, "", "float 1 = 1", "! from opset 20 on"},
  {"DepthToSpace", 10, "blocksize i 2", "float 1 4 1 1 = 1 2 3 4", "float 1 1 2 2 = 1 2 3 4"},
};

static const row reductions[] = {
  {"ReduceL1", 18, "noop_with_empty_axes i 1", "float 2 = -1 2", "float 2 = 1 2"},
  {"ReduceL2", 18, "noop_with_empty_axes i 1", "float 2 = -1 2", "float 2 = 1 2"},
  {"ReduceSumSquare", 18, "noop_with_empty_axes i 1", "float 2 = -1 2; int64 0 =", "float 2 = 1 4"},
  {"ReduceLogSum", 18, "noop_with_empty_axes i 1", "float 1 = 2.7182818", "float 1 = 1"},
  {"ReduceLogSumExp", 18, "keepdims i 0", "float 2 = 1000 1000", "float = 1000.6931"},
  {"ReduceLogSumExp", 18, "keepdims i 0", "float 2 = -inf -inf", "float = -inf"},
  {"ReduceLogSumExp", 18, "keepdims i 0", "float 2 = inf 1", "float = inf"},
  {"ReduceSum", 13, "", "float 0 2 =; int64 1 = 0", "float 1 2 = 0 0"},
  {"ReduceProd", 18, "", "float 0 2 =; int64 1 = 0", "float 1 2 = 1 1"},
  {"ReduceMax", 20, "keepdims i 0", "float 0 =", "float = -inf"},
  {"ReduceMin", 20, "keepdims i 0", "int32 0 =", "int32 = 2147483647"},
  {"ReduceMax", 20, "keepdims i 0", "bool 0 =", "bool = 0"},
  {"ReduceMin", 20, "keepdims i 0", "bool 3 = 1 1 0", "bool = 0"},
  {"ReduceMean", 18, "keepdims i 0", "int32 2 = 3 4", "int32 = 3"},
  {"ReduceMax", 18, "", "float 2 = 1 2; int64 1 = 1", "! axis 1 is out of range of 1 axes"},
  {"ReduceMax", 18, "", "float 1 2 = 1 2; int64 2 = 1 -1", "! listed twice"},
  {"ArgMax", 13, "select_last_index i 1; keepdims i 0", "float 3 = 2 2 1", "int64 = 1"},
  {"CumSum", 14, "exclusive i 1; reverse i 1", "float 3 = 1 2 3; int32 = 0", "float 3 = 5 3 0"},
  {"CumProd", 26, "exclusive i 1", "float 3 = 2 3 4; int64 = -1", "float 3 = 1 2 6"},
  {"CumSum", 14, "", "float 2 = 1 2; int64 = 3", "! axis 3 is out of range"},
};

static const row shapes[] = {
  {"Reshape", 14, "allowzero i 1", "float 0 2 =; int64 2 = 3 0", "float 3 0 ="},
  {"Reshape", 14, "", "float 2 = 1 2; int64 2 = -1 -1", "! -1 twice"},
  {"Reshape", 14, "", "float 2 = 1 2; int64 1 = 3", "! reshape"},
  {"Reshape", 14, "", "float 2 = 1 2; int64 2 = 1 0", "! entry 1 of the shape is 0"},
  {"Flatten", 13, "axis i 0", "float 2 2 = 1 2 3 4", "float 1 4 = 1 2 3 4"},
  {"Flatten", 13, "axis i 2", "float 2 2 = 1 2 3 4", "float 4 1 = 1 2 3 4"},
  {"Squeeze", 13, "", "float 2 = 1 2; int64 1 = 0", "! axis 0 has size 2"},
  {"Shape", 15, "start i -9; end i -1", "float 2 3 1 = 1 2 3 4 5 6", "int64 2 = 2 3"},
  {"Range", 11, "", "int64 = 5; int64 = 0; int64 = -2", "int64 3 = 5 3 1"},
  {"Range", 11, "", "int64 = 5; int64 = 5; int64 = 1", "int64 0 ="},
  {"Range", 11, "", "int64 = 5; int64 = 9; int64 = 0", "! from 5 to 9 by 0"},
  {"EyeLike", 22, "k i -1; dtype i 7", "float 2 2 = 5 5 5 5", "int64 2 2 = 0 0 1 0"},
  {"Expand", 13, "", "float 2 1 = 1 2; int64 1 = 2", "float 2 2 = 1 1 2 2"},
  {"Expand", 13, "", "float 2 = 1 2; int64 1 = 3", "! [2] and [3]"},
  {"ConstantOfShape", 9, "", "int64 1 = -1", "! -1"},
  {"DepthToSpace", 13, "blocksize i 2; mode s CRD", "float 1 8 1 1 = 1 2 3 4 5 6 7 8", "float 1 2 2 2 = 1 2 3 4 5 6 7 8"},
  {"SpaceToDepth", 13, "blocksize i 2", "float 1 1 2 2 = 1 2 3 4", "float 1 4 1 1 = 1 2 3 4"},
  {"SpaceToDepth", 13, "blocksize i 0", "float 1 1 2 2 = 1 2 3 4", "! divides H"},
  {"Slice", 13, "", "float 4 = 1 2 3 4; int64 1 = -1; int64 1 = -9223372036854775808; int64 1 = 0; int64 1 = -1", "float 4 = 4 3 2 1"},
  {"Slice", 13, "", "float 4 = 1 2 3 4; int64 1 = 3; int64 1 = 0; int64 1 = 0; int64 1 = -2", "float 2 = 4 2"},
  {"Slice", 13, "", "float 4 = 1 2 3 4; int64 1 = -9; int64 1 = -8; int64 1 = 0; int64 1 = -1", "float 1 = 1"},
  {"Slice", 13, "", "float 4 = 1 2 3 4; int64 1 = 1; int64 1 = 9223372036854775807; int64 1 = 0; int64 1 = 2", "float 2 = 2 4"},
  {"Slice", 13, "", "float 4 = 1 2 3 4; int64 1 = 3; int64 1 = 1", "float 0 ="},
  {"Slice", 13, "", "float 1 = 1; int64 1 = 0; int64 1 = 1; int64 1 = 0; int64 1 = 0", "! step 0 is 0"},
  {"Slice", 13, "", "float 0 =; int64 1 = 0; int64 1 = 1; int64 1 = 0; int64 1 = -1", "float 0 ="},
  {"Split", 18, "num_outputs i 3", "float 4 = 1 2 3 4", "float 2 = 1 2; float 2 = 3 4; float 0 ="},
  {"Split", 13, "", "float 3 = 1 2 3; int64 1 = 4", "! passes the axis"},
  {"Split", 13, "", "float 3 = 1 2 3", "float 3 = 1 2 3"},
  {"Pad", 18, "", "float 3 = 1 2 3; int64 2 = -1 2; float = 9", "float 4 = 2 3 9 9"},
  {"Pad", 18, "", "float 3 = 1 2 3; int64 2 = -3 2", "float 2 = 0 0"},
  {"Pad", 18, "", "float 3 = 1 2 3; int64 2 = -4 0", "! -4 before"},
  {"Pad", 18, "mode s reflect", "float 3 = 1 2 3; int64 2 = 5 0", "float 8 = 2 1 2 3 2 1 2 3"},
  {"Pad", 19, "mode s wrap", "float 3 = 1 2 3; int64 2 = 4 1", "float 8 = 3 1 2 3 1 2 3 1"},
  {"Pad", 18, "mode s edge", "float 1 2 = 1 2; int64 2 = 1 1; -; int64 1 = -1", "float 1 4 = 1 1 2 2"},
  {"Pad", 18, "mode s edge", "float 2 = 1 2; int64 2 = 1000000000 1000000000", "! at most"},
  {"Pad", 18, "mode s mirror", "float 2 = 1 2; int64 2 = 1 1", "! known are: constant, reflect, edge, wrap"},
  {"CenterCropPad", 18, "axes is -1", "float 1 5 = 1 2 3 4 5; int64 1 = 2", "float 1 2 = 2 3"},
  {"CenterCropPad", 18, "", "float 2 = 1 2; int64 1 = 5", "float 5 = 0 1 2 0 0"},
  {"Trilu", 14, "upper i 0", "int64 2 2 = 1 2 3 4; int64 = -1", "int64 2 2 = 0 0 3 0"},
  {"HannWindow", 17, "", "int64 = 1000000000", "! at most"},
};

static const row indices[] = {
  {"Gather", 13, "axis i 1", "float 1 3 = 1 2 3; int64 2 = -1 0", "float 1 2 = 3 1"},
  {"Gather", 13, "", "float 3 = 1 2 3; int64 1 = 3", "! 3"},
  {"GatherElements", 13, "axis i 1", "float 2 2 = 1 2 3 4; int64 1 2 = -1 0", "float 1 2 = 2 1"},
  {"GatherND", 13, "batch_dims i 1", "float 2 2 = 1 2 3 4; int64 2 1 = -1 0", "float 2 = 2 3"},
  {"GatherND", 13, "batch_dims i 3", "float 2 2 = 1 2 3 4; int64 2 1 = 1 0", "! does not fit"},
  {"ScatterElements", 18, "reduction s max", "float 3 = 1 5 3; int64 3 = 0 1 -3; float 3 = 4 4 9", "float 3 = 9 5 3"},
  {"ScatterND", 18, "reduction s mul", "int64 2 = 2 3; int64 2 1 = -1 1; int64 2 = 5 7", "int64 2 = 2 105"},
  {"TensorScatter", 24, "mode s circular", "float 1 3 1 = 1 2 3; float 1 2 1 = 8 9; int64 1 = 2", "float 1 3 1 = 9 2 8"},
  {"OneHot", 11, "axis i 0", "int64 2 = -1 9; int64 = 3; float 2 = 0 5", "float 3 2 = 0 0 0 0 5 0"},
  {"NonZero", 13, "", "float 2 2 = 0 1 nan 0", "int64 2 2 = 0 1 1 0"},
  {"NonZero", 13, "", "bool 2 = 0 0", "int64 1 0 ="},
  {"Compress", 11, "", "float 2 2 = 1 2 3 4; bool 3 = 0 1 1", "float 2 = 2 3"},
  {"Unique", 11, "sorted i 0", "float 4 = 2 1 2 3", "float 3 = 2 1 3; int64 3 = 0 1 3; int64 4 = 0 1 0 2; int64 3 = 2 1 1"},
  {"Unique", 11, "", "int64 3 = 9007199254740993 9007199254740992 9007199254740993", "int64 2 = 9007199254740992 9007199254740993; int64 2 = 1 0; int64 3 = 1 0 1; int64 2 = 1 2"},
  {"Unique", 11, "axis i 1", "float 2 3 = 1 0 1 2 5 2", "float 2 2 = 0 1 5 2; int64 2 = 1 0; int64 3 = 1 0 1; int64 2 = 1 2"},
  {"TopK", 11, "largest i 0; axis i 0", "float 3 = 2 1 1; int64 1 = 2", "float 2 = 1 1; int64 2 = 1 2"},
  {"TopK", 11, "", "float 3 = 2 1 1; int64 1 = 4", "! 4 of 3 elements"},
  {"ReverseSequence", 10, "time_axis i 1; batch_axis i 0", "float 2 3 = 1 2 3 4 5 6; int64 2 = 2 3", "float 2 3 = 2 1 3 6 5 4"},
  {"TfIdfVectorizer", 9, "mode s TF; min_gram_length i 1; max_gram_length i 2; max_skip_count i 1; ngram_counts is 0 2; ngram_indexes is 2 0 1; pool_int64s is 1 2 1 2", "int64 5 = 1 3 2 1 2", "float 3 = 2 2 2"},
  {"TfIdfVectorizer", 9, "mode s IDF; min_gram_length i 1; max_gram_length i 1; max_skip_count i 0; ngram_counts is 0; ngram_indexes is 0 1; pool_int64s is 1 2; weights fs 0.5 2", "int32 1 3 = 1 1 3", "float 1 2 = 0.5 0"},
  {"TfIdfVectorizer", 9, "mode s TF; ngram_counts is 0 3; ngram_indexes is 0; pool_int64s is 1 2", "int32 1 = 1", "! ngram_counts"},
};

static const row numbers[] = {
  {"Pow", 15, "", "int32 2 = 2 3; float 2 = 3 0.5", "int32 2 = 8 1"},
  {"Pow", 15, "", "float 2 = -2 2; int64 = 3", "float 2 = -8 8"},
  {"IsInf", 10, "detect_positive i 0", "float 3 = inf -inf nan", "bool 3 = 0 1 0"},
  {"IsInf", 20, "detect_positive i 0; detect_negative i 0", "float 3 = inf -inf nan", "bool 3 = 0 0 0"},
  {"Shrink", 9, "lambd f 1; bias f 0.5", "float 3 = -2 0.5 2", "float 3 = -1.5 0 1.5"},
  {"Swish", 24, "alpha f 2", "float16 2 = 0 1", "float16 2 = 0 0.88085938"},
  {"SwiGLU", 28, "", "float 2 = 0 1; float 2 = 5 2", "float 2 = 0 1.4621172"},
  {"SwiGLU", 28, "", "float 2 = 0 1; float 1 = 5", "! want one shape"},
  {"Mean", 13, "", "float 2 = 1 2; float = 4", "float 2 = 2.5 3"},
  {"MatMul", 13, "", "int32 2 = 3 4; int32 2 = 5 6", "int32 = 39"},
  {"MatMul", 13, "", "float = 3; float 1 = 5", "! wanted 1 or more"},
  {"Gemm", 13, "transA i 1; alpha f 0.5; beta f 0", "float 2 1 = 1 2; float 2 1 = 3 4; float 1 = nan", "float 1 1 = 5.5"},
  {"Einsum", 12, "equation s ij,j", "float 2 2 = 1 2 3 4; float 2 = 1 1", "float 2 = 3 7"},
  {"Det", 22, "", "float 2 2 2 = 1 2 3 4 0 1 1 0", "float 2 = -2 -1"},
  {"Dropout", 13, "", "float 2 = 1 2; float = 0.9; bool = 0", "float 2 = 1 2; bool 2 = 1 1"},
  {"Dropout", 13, "", "float 2 = 1 2; float = 1; bool = 1", "! wanted below 1"},
  {"DFT", 20, "", "float 1 2 2 = 1 1 1 -1", "float 1 2 2 = 2 0 0 2"},
  {"DFT", 20, "inverse i 1; onesided i 1", "float 1 2 2 = 3 0 1 0", "float 1 2 1 = 2 1"},
  {"DFT", 17, "onesided i 1", "float 1 2 1 = 1 3; int64 = 4", "float 1 3 2 = 4 0 1 -3 -2 0"},
  {"DFT", 20, "", "float 2 1 = 1 2; -; int64 = 1", "! wanted another axis"},
  {"STFT", 17, "onesided i 0", "float 1 3 2 = 1 0 0 1 0 0; int64 = 1; float 2 = 1 2", "float 1 2 2 2 = 1 2 1 -2 0 1 0 1"},
  {"HammingWindow", 17, "periodic i 0", "int32 = 3", "float 3 = 0.0869565 1 0.0869565"},
  {"Col2Im", 18, "", "float 1 2 2 = 1 2 3 4; int64 1 = 3; int64 1 = 2", "float 1 1 3 = 1 5 4"},
  {"Col2Im", 18, "", "float 1 2 2 = 1 2 3 4; int64 1 = 3; int64 1 = 3", "! wants columns"},
  {"AffineGrid", 20, "align_corners i 1", "float 1 2 3 = 1 0 0 0 1 0; int64 4 = 1 1 2 2", "float 1 2 2 2 = -1 -1 1 -1 -1 1 1 1"},
  {"Multinomial", 7, "sample_size i 2", "float 1 2 = 0 -1000", "int32 1 2 = 0 0"},
  {"Bernoulli", 15, "dtype i 7", "float 3 = 0 1 1", "int64 3 = 0 1 1"},
  {"Abs", 13, "colour i 1", "float 1 = 1", "! 'colour' is not known"},
  {"Where", 16, "", "-; float 1 = 1; float 1 = 2", "! input 0 is not given"},
};
/* clang-format on */

#define TEST(name)                                    \
  static void name##_are_as_specified(void **state) { \
    (void)state, check_all(name, GI_COUNT(name));     \
  }
TEST(whole_numbers)
TEST(old_forms)
TEST(reductions)
TEST(shapes)
TEST(indices)
TEST(numbers)

/* Drawn without a seed, two nodes differ; with one, they are the same again. */
static void chance_is_the_nodes_own(void **state) {
  (void)state;
  const row r = {"RandomNormal", 1, "shape is 4; seed f 3", "", "float 4 = 0 0 0 0"};
  float first[4];
  for (int turn = 0; turn < 2; turn++) {
    char path[700];
    glia_onnx *m = NULL;
    const glia_tensor *got = NULL;
    snprintf(path, sizeof path, "%s/model.onnx", test_dir("onnx_operators"));
    write_model(&r, path, 1);
    OK(glia_onnx_open(path, &m));
    OK(glia_onnx_run(m, NULL, 0, &got));
    assert_int_equal(glia_tensor_count(got), 4);
    if (turn == 0) memcpy(first, glia_tensor_data(got), sizeof first);
    assert_memory_equal(first, glia_tensor_data(got), sizeof first);
    assert_true(first[0] != first[1]);
    glia_onnx_close(m);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(whole_numbers_are_as_specified),
      cmocka_unit_test(old_forms_are_as_specified),
      cmocka_unit_test(reductions_are_as_specified),
      cmocka_unit_test(shapes_are_as_specified),
      cmocka_unit_test(indices_are_as_specified),
      cmocka_unit_test(numbers_are_as_specified),
      cmocka_unit_test(chance_is_the_nodes_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
