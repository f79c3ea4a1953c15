/* formats/darknet.c - the text of a Darknet network walked to know its weights; see darknet.h.
 *
 * The text is sections, [kind], of key=value lines; the first, [net], gives the input's size.
 * The file of weights has no names and no shapes: i32 major, minor, revision, then how many
 * pictures were seen (u64 from version 0.2 on, u32 before), then the numbers of each layer in
 * turn:
 *
 *   convolutional  bias [n], or with batch_normalize  bias, scale, mean, variance [n] each;
 *                  then weight [n, c / groups, size, size]
 *   connected      bias [n], weight [n, inputs], with batch_normalize scale, mean, variance
 *
 * so the shape of every layer's output has to be known. Layers are counted from 0, without
 * [net]: layer.3.conv.weight, layer.3.bn.running_mean.
 */
#include "formats/darknet.h"

#include <inttypes.h>

enum { LAYERS = 4096, OPTIONS = 64, SIZE_MAX_DIM = 1 << 20, PARTS = 64 };

typedef struct option {
  const char *key, *value; /* in the copied text */
} option;

typedef struct section {
  const char *kind;
  int line;
  option option[OPTIONS];
  int options;
} section;

typedef struct shape {
  int64_t c, h, w;
} shape;

typedef struct walk {
  glia_file *f;
  char *at; /* text not yet read */
  int line;
  shape out[LAYERS];
  int layers;
  const unsigned char *p; /* numbers not yet given out */
  size_t left;
  bool turned; /* weights of connected layers are [inputs, n] */
} walk;

/* ---- the text --------------------------------------------------------------------------- */

static char *trim(char *s) {
  while (*s == ' ' || *s == '\t') s++;
  char *end = s + strlen(s);
  while (end > s && strchr(" \t\r", end[-1]) != NULL) end--;
  *end = '\0';
  return s;
}

/* The next line that says something; NULL at the end. */
static char *next_line(walk *k) {
  while (k->at != NULL) {
    char *line = k->at, *end = strchr(line, '\n');
    if (end != NULL) *end = '\0';
    k->at = end != NULL ? end + 1 : NULL;
    k->line++;
    line = trim(line);
    if (line[0] != '\0' && line[0] != '#' && line[0] != ';') return line;
  }
  return NULL;
}

static glia_status add_option(section *s, char *line, int number) {
  char *equals = strchr(line, '=');
  if (equals == NULL || equals == line)
    return gi_fail(GLIA_FORMAT, "line %d: wanted key=value, found \"%.40s\"", number, line);
  if (s->options == OPTIONS)
    return gi_fail(GLIA_FORMAT, "line %d: [%.40s] has more than %d options", number, s->kind,
                   OPTIONS);
  *equals = '\0';
  s->option[s->options++] = (option){trim(line), trim(equals + 1)};
  return GLIA_OK;
}

/* The section that begins at *head, which becomes the head of the next; NULL: there is none. */
static glia_status read_section(walk *k, char **head, section *out) {
  char *name = *head, *close = strchr(name, ']');
  if (name[0] != '[' || close == NULL || close[1] != '\0')
    return gi_fail(GLIA_FORMAT, "line %d: wanted a [section], found \"%.40s\"", k->line, name);
  *close = '\0';
  *out = (section){.kind = name + 1, .line = k->line};
  while ((*head = next_line(k)) != NULL && (*head)[0] != '[')
    GI_TRY(add_option(out, *head, k->line));
  return GLIA_OK;
}

static const char *find(const section *s, const char *key) {
  for (int i = 0; i < s->options; i++)
    if (strcmp(s->option[i].key, key) == 0) return s->option[i].value;
  return NULL;
}

static glia_status number(const section *s, const char *key, int64_t fallback, int64_t least,
                          int64_t *out) {
  const char *text = find(s, key);
  *out = fallback;
  if (text == NULL && fallback >= least) return GLIA_OK;
  if (text != NULL && gi_parse_i64(text, out) && *out >= least && *out <= SIZE_MAX_DIM)
    return GLIA_OK;
  return gi_fail(GLIA_FORMAT, "line %d: [%.40s]: %s is %s%.40s, wanted a number from %lld on",
                 s->line, s->kind, key, text == NULL ? "missing" : "", text == NULL ? "" : text,
                 (long long)least);
}

/* Layers by number, from the first or, below 0, back from this one. */
static glia_status layer_number(const walk *k, const section *s, const char *text, int *out) {
  int64_t v = 0;
  if (!gi_parse_i64(text, &v) || v >= k->layers || v < -k->layers)
    return gi_fail(GLIA_FORMAT, "line %d: [%.40s]: \"%.40s\" is no layer before it", s->line,
                   s->kind, text);
  *out = (int)(v < 0 ? v + k->layers : v);
  return GLIA_OK;
}

/* ---- numbers of the other file ----------------------------------------------------------- */

static glia_status give(walk *k, const char *name, int rank, const int64_t *dims,
                        const int64_t *strides) {
  char whole[64];
  snprintf(whole, sizeof whole, "layer.%d.%s", k->layers, name);
  const gi_entry e = {.name = whole,
                      .array = {.element = gi_element_of(GLIA_F32),
                                .rank = rank,
                                .shape = dims,
                                .strides = strides,
                                .data = k->p}};
  size_t bytes = 0;
  GI_TRY(gi_array_bytes(&e.array, &bytes));
  if (bytes > k->left)
    return gi_fail(GLIA_FORMAT, "%s wants %zu bytes, the file of weights has %zu left", whole,
                   bytes, k->left);
  GI_TRY(gi_file_add(k->f, &e));
  k->p += bytes;
  k->left -= bytes;
  return GLIA_OK;
}

static glia_status give_vectors(walk *k, const char *const *names, int count, int64_t n) {
  for (int i = 0; i < count; i++) GI_TRY(give(k, names[i], 1, &n, NULL));
  return GLIA_OK;
}

/* ---- layers ----------------------------------------------------------------------------- */

static glia_status too_small(const section *s) {
  return gi_fail(GLIA_FORMAT, "line %d: [%.40s]: is larger than what it is given", s->line,
                 s->kind);
}

static glia_status convolutional(walk *k, const section *s, const shape *in, shape *out) {
  static const char *const bare[] = {"conv.bias"};
  static const char *const normal[] = {"bn.bias", "bn.weight", "bn.running_mean",
                                       "bn.running_var"};
  int64_t n, size, stride, pad, padding, groups, normalise;
  GI_TRY(number(s, "filters", 1, 1, &n));
  GI_TRY(number(s, "size", 1, 1, &size));
  GI_TRY(number(s, "stride", 1, 1, &stride));
  GI_TRY(number(s, "pad", 0, 0, &pad));
  GI_TRY(number(s, "padding", 0, 0, &padding));
  GI_TRY(number(s, "groups", 1, 1, &groups));
  GI_TRY(number(s, "batch_normalize", 0, 0, &normalise));
  if (find(s, "share_index") != NULL || find(s, "stride_x") != NULL ||
      find(s, "stride_y") != NULL)
    return gi_fail(GLIA_UNSUPPORTED,
                   "line %d: [convolutional]: shared weights and strides of two "
                   "sizes are not read",
                   s->line);
  if (pad != 0) padding = size / 2;
  if (in->c % groups != 0 || n % groups != 0)
    return gi_fail(GLIA_FORMAT,
                   "line %d: [convolutional]: %" PRId64 " groups do not divide %" PRId64
                   " channels and %" PRId64 " filters",
                   s->line, groups, in->c, n);
  if (in->h + 2 * padding < size || in->w + 2 * padding < size) return too_small(s);
  *out = (shape){n, (in->h + 2 * padding - size) / stride + 1,
                 (in->w + 2 * padding - size) / stride + 1};
  GI_TRY(normalise != 0 ? give_vectors(k, normal, 4, n) : give_vectors(k, bare, 1, n));
  return give(k, "conv.weight", 4, (const int64_t[]){n, in->c / groups, size, size}, NULL);
}

static glia_status connected(walk *k, const section *s, const shape *in, shape *out) {
  static const char *const bias[] = {"linear.bias"};
  static const char *const normal[] = {"bn.weight", "bn.running_mean", "bn.running_var"};
  int64_t n, normalise, inputs = 0;
  GI_TRY(number(s, "output", 1, 1, &n));
  GI_TRY(number(s, "batch_normalize", 0, 0, &normalise));
  if (__builtin_mul_overflow(in->c, in->h, &inputs) ||
      __builtin_mul_overflow(inputs, in->w, &inputs))
    return gi_fail(GLIA_FORMAT, "line %d: [connected]: its inputs overflow", s->line);
  const int64_t turned[] = {1, n};
  *out = (shape){n, 1, 1};
  GI_TRY(give_vectors(k, bias, 1, n));
  GI_TRY(give(k, "linear.weight", 2, (const int64_t[]){n, inputs}, k->turned ? turned : NULL));
  return normalise != 0 ? give_vectors(k, normal, 3, n) : GLIA_OK;
}

static glia_status max_pool(walk *k, const section *s, const shape *in, shape *out) {
  int64_t stride, size, padding;
  (void)k;
  GI_TRY(number(s, "stride", 1, 1, &stride));
  GI_TRY(number(s, "size", stride, 1, &size));
  GI_TRY(number(s, "padding", size - 1, 0, &padding));
  if (in->h + padding < size || in->w + padding < size) return too_small(s);
  *out = (shape){in->c, (in->h + padding - size) / stride + 1,
                 (in->w + padding - size) / stride + 1};
  return GLIA_OK;
}

static glia_status mean_pool(walk *k, const section *s, const shape *in, shape *out) {
  (void)k, (void)s;
  *out = (shape){in->c, 1, 1};
  return GLIA_OK;
}

static glia_status up(walk *k, const section *s, const shape *in, shape *out) {
  int64_t stride;
  (void)k;
  GI_TRY(number(s, "stride", 2, 1, &stride));
  *out = (shape){in->c, in->h * stride, in->w * stride};
  return out->h <= SIZE_MAX_DIM && out->w <= SIZE_MAX_DIM
             ? GLIA_OK
             : gi_fail(GLIA_FORMAT, "line %d: [upsample]: becomes too large", s->line);
}

static glia_status reorganise(walk *k, const section *s, const shape *in, shape *out) {
  int64_t stride;
  (void)k;
  GI_TRY(number(s, "stride", 1, 1, &stride));
  if (in->h < stride || in->w < stride) return too_small(s);
  *out = (shape){0, in->h / stride, in->w / stride};
  if (__builtin_mul_overflow(in->c, stride * stride, &out->c) || out->c > SIZE_MAX_DIM)
    return gi_fail(GLIA_FORMAT, "line %d: [reorg]: has too many channels", s->line);
  return GLIA_OK;
}

/* The outputs of other layers, one behind the other; of each group, if groups are asked for. */
static glia_status route(walk *k, const section *s, const shape *in, shape *out) {
  const char *list = find(s, "layers");
  int64_t groups;
  char part[PARTS];
  (void)in;
  GI_TRY(number(s, "groups", 1, 1, &groups));
  if (list == NULL) return gi_fail(GLIA_FORMAT, "line %d: [route]: layers is missing", s->line);
  *out = (shape){0, 0, 0};
  while (*list != '\0') {
    const size_t n = strcspn(list, ",");
    int from = 0;
    snprintf(part, sizeof part, "%.*s", (int)GI_MIN(n, PARTS - 1), list);
    GI_TRY(layer_number(k, s, trim(part), &from));
    const shape *add = &k->out[from];
    if (out->c > 0 && (add->h != out->h || add->w != out->w))
      return gi_fail(GLIA_FORMAT, "line %d: [route]: layer %d is of another size", s->line,
                     from);
    *out = (shape){out->c + add->c / groups, add->h, add->w};
    list += n + (list[n] == ',');
  }
  return out->c > 0 && out->c <= SIZE_MAX_DIM
             ? GLIA_OK
             : gi_fail(GLIA_FORMAT, "line %d: [route]: has no channels, or too many", s->line);
}

static glia_status like_another(walk *k, const section *s, const shape *in, shape *out) {
  const char *text = find(s, "from");
  int from = 0;
  (void)in;
  if (text == NULL)
    return gi_fail(GLIA_FORMAT, "line %d: [%s]: from is missing", s->line, s->kind);
  GI_TRY(layer_number(k, s, text, &from));
  *out = k->out[from];
  return GLIA_OK;
}

static glia_status same(walk *k, const section *s, const shape *in, shape *out) {
  (void)k, (void)s;
  *out = *in;
  return GLIA_OK;
}

static const struct {
  const char *name;
  glia_status (*layer)(walk *k, const section *s, const shape *in, shape *out);
} kinds[] = {
    {"convolutional", convolutional},
    {"conv", convolutional},
    {"connected", connected},
    {"conn", connected},
    {"maxpool", max_pool},
    {"max", max_pool},
    {"avgpool", mean_pool},
    {"avg", mean_pool},
    {"upsample", up},
    {"reorg", reorganise},
    {"reorg3d", reorganise},
    {"route", route},
    {"scale_channels", like_another},
    {"shortcut", same},
    {"sam", same},
    {"dropout", same},
    {"softmax", same},
    {"soft", same},
    {"activation", same},
    {"logistic", same},
    {"l2norm", same},
    {"yolo", same},
    {"Gaussian_yolo", same},
    {"region", same},
    {"detection", same},
    {"cost", same},
    {"normalization", same},
};

static glia_status add_layer(walk *k, const section *s, const shape *in, shape *out) {
  for (int i = 0; i < GI_COUNT(kinds); i++)
    if (strcmp(kinds[i].name, s->kind) == 0) return kinds[i].layer(k, s, in, out);
  return gi_fail(GLIA_UNSUPPORTED, "line %d: layers of kind [%.40s] are not read", s->line,
                 s->kind);
}

/* ---- the whole -------------------------------------------------------------------------- */

/* The version, and how many pictures were seen. */
static glia_status read_head(walk *k) {
  int32_t v[3];
  if (k->left < sizeof v) return gi_fail(GLIA_FORMAT, "the file of weights ends in its header");
  memcpy(v, k->p, sizeof v);
  const bool wide =
      v[0] >= 0 && v[1] >= 0 && v[0] < 1000 && v[1] < 1000 && v[0] * 10 + v[1] >= 2;
  k->turned = v[0] > 1000 || v[1] > 1000;
  const size_t head = sizeof v + (wide ? 8 : 4);
  if (k->left < head) return gi_fail(GLIA_FORMAT, "the file of weights ends in its header");
  k->p += head;
  k->left -= head;
  return GLIA_OK;
}

static glia_status read_layers(walk *k) {
  section s;
  char *head = next_line(k);
  if (head == NULL) return gi_fail(GLIA_FORMAT, "the network is empty");
  GI_TRY(read_section(k, &head, &s));
  if (strcmp(s.kind, "net") != 0 && strcmp(s.kind, "network") != 0)
    return gi_fail(GLIA_FORMAT, "line %d: begins with [%.40s], wanted [net]", s.line, s.kind);
  shape in;
  GI_TRY(number(&s, "channels", 0, 1, &in.c));
  GI_TRY(number(&s, "height", 0, 1, &in.h));
  GI_TRY(number(&s, "width", 0, 1, &in.w));
  while (head != NULL) {
    GI_TRY(read_section(k, &head, &s));
    if (k->layers == LAYERS) return gi_fail(GLIA_FORMAT, "has more than %d layers", LAYERS);
    GI_TRY(add_layer(k, &s, &in, &k->out[k->layers]));
    in = k->out[k->layers++];
  }
  if (k->left > 0)
    return gi_fail(GLIA_FORMAT, "%zu bytes of the file of weights belong to no layer", k->left);
  return GLIA_OK;
}

glia_status gi_darknet_add(glia_file *f, const char *text, size_t n,
                           const unsigned char *weights, size_t m) {
  walk *k = gi_alloc(sizeof *k);
  char *copy = gi_alloc(n + 1);
  glia_status s = k == NULL || copy == NULL ? gi_fail_nomem(n + sizeof *k) : GLIA_OK;
  if (s == GLIA_OK) {
    memcpy(copy, text, n);
    *k = (walk){.f = f, .at = copy, .p = weights, .left = m};
    s = memchr(copy, '\0', n) != NULL ? gi_fail(GLIA_FORMAT, "the network is no text")
                                      : read_head(k);
    if (s == GLIA_OK) s = read_layers(k);
  }
  gi_free(copy);
  gi_free(k);
  return gi_where(s, "%s: darknet", f->what);
}
