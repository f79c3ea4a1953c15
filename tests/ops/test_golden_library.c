/* test_golden_library.c - windows, order, places by index, sound and boxes against PyTorch and
 * torchvision: results and gradients of every file in tests/golden/library
 * (tools/golden_library.py), in f64 by the reference and in f32 by the best backend. A file
 * whose op has no row below fails the test.
 */
#include "golden_graph.h"

#include "tensor/tensor.h"

enum { MAX_IN = 4, MAX_OUT = 4 };

typedef struct function { /* one file as a graph */
  const golden *file;
  glia_graph *g;
  glia_dtype dtype;
  int n;
  glia_value in[MAX_IN], out[MAX_OUT];
  glia_value count; /* where results are as large as they may become: how much of them holds */
} function;

static const gi_json *attribute(const function *f, const char *key) {
  return gi_json_get(f->file->attributes, key);
}
static double number(const function *f, const char *key, double dflt) {
  return gi_json_num(attribute(f, key), dflt);
}
static int whole(const function *f, const char *key, int dflt) {
  return (int)number(f, key, dflt);
}
static bool flag(const function *f, const char *key, bool dflt) {
  return gi_json_bool(attribute(f, key), dflt);
}
/* A list, or one number for all. */
static void wholes(const function *f, const char *key, int n, int64_t *out) {
  const gi_json *j = attribute(f, key);
  const bool listed = j != NULL && gi_json_type(j) == GI_JSON_ARRAY;
  for (int i = 0; j != NULL && i < n; i++)
    out[i] = gi_json_int(listed ? gi_json_at(j, (size_t)i) : j, out[i]);
}
static glia_value input_or_none(const function *f, int i) {
  return i < f->n ? f->in[i] : GLIA_NONE;
}

/* ---- windows ------------------------------------------------------------------------- */

static glia_conv_opts conv_opts(const function *f) {
  static const char *const borders[] = {"zeros", "reflect", "replicate", "circular"};
  glia_conv_opts o = {.size = sizeof o, .groups = whole(f, "groups", 0)};
  wholes(f, "stride", 3, o.stride);
  wholes(f, "dilation", 3, o.dilation);
  wholes(f, "output_padding", 3, o.output_padding);
  o.same = strcmp(gi_json_str(attribute(f, "padding"), ""), "same") == 0;
  if (!o.same) wholes(f, "padding", 3, o.padding);
  for (int i = 0; i < GI_COUNT(borders); i++)
    if (strcmp(gi_json_str(attribute(f, "padding_mode"), "zeros"), borders[i]) == 0)
      o.border = (glia_border)i;
  return o;
}
static void conv(function *f) {
  const glia_conv_opts o = conv_opts(f);
  f->out[0] = glia_conv_with_opt(f->in[0], f->in[1], input_or_none(f, 2), &o);
}
static void conv_transpose(function *f) {
  const glia_conv_opts o = conv_opts(f);
  f->out[0] = glia_conv_transpose_with_opt(f->in[0], f->in[1], input_or_none(f, 2), &o);
}

static glia_pool_opts pool_opts(const function *f) {
  glia_pool_opts o = {.size = sizeof o, .axes = whole(f, "axes", 0)};
  const int n = glia_value_rank(f->in[0]) - 2;
  wholes(f, "kernel_size", n, o.kernel);
  wholes(f, "stride", n, o.stride);
  wholes(f, "padding", n, o.padding);
  wholes(f, "dilation", n, o.dilation);
  o.ceil_mode = flag(f, "ceil_mode", false);
  o.count_padding = flag(f, "count_include_pad", true);
  o.divisor = number(f, "divisor_override", 0);
  o.power = number(f, "norm_type", 0);
  return o;
}
static void max_pool(function *f) {
  const glia_pool_opts o = pool_opts(f);
  f->out[0] = glia_max_pool_opt(f->in[0], &f->out[1], &o);
}
static void avg_pool(function *f) {
  const glia_pool_opts o = pool_opts(f);
  f->out[0] = glia_avg_pool_opt(f->in[0], &o);
}
static void lp_pool(function *f) {
  const glia_pool_opts o = pool_opts(f);
  f->out[0] = glia_lp_pool_opt(f->in[0], &o);
}
static void adaptive_max(function *f) {
  int64_t size[3] = {0};
  wholes(f, "output_size", whole(f, "axes", 0), size);
  f->out[0] = glia_adaptive_max_pool(f->in[0], whole(f, "axes", 0), size, &f->out[1]);
}
static void adaptive_avg(function *f) {
  int64_t size[3] = {0};
  wholes(f, "output_size", whole(f, "axes", 0), size);
  f->out[0] = glia_adaptive_avg_pool(f->in[0], whole(f, "axes", 0), size);
}
static void max_unpool(function *f) {
  int64_t size[3] = {0};
  wholes(f, "output_size", whole(f, "axes", 0), size);
  f->out[0] = glia_max_unpool(f->in[0], f->in[1], whole(f, "axes", 0), size);
}

static glia_unfold_opts unfold_opts(const function *f) {
  glia_unfold_opts o = {.size = sizeof o};
  wholes(f, "kernel_size", 2, o.kernel);
  wholes(f, "stride", 2, o.stride);
  wholes(f, "padding", 2, o.padding);
  wholes(f, "dilation", 2, o.dilation);
  return o;
}
static void unfold(function *f) {
  const glia_unfold_opts o = unfold_opts(f);
  f->out[0] = glia_unfold_opt(f->in[0], &o);
}
static void fold(function *f) {
  const glia_unfold_opts o = unfold_opts(f);
  int64_t size[2] = {0};
  wholes(f, "output_size", 2, size);
  f->out[0] = glia_fold_opt(f->in[0], size[0], size[1], &o);
}

/* ---- order and places ---------------------------------------------------------------- */

static void sort(function *f) {
  f->out[0] = glia_sort(f->in[0], whole(f, "dim", 0), flag(f, "descending", false), &f->out[1]);
}
static void top_k(function *f) {
  f->out[0] = glia_top_k(f->in[0], whole(f, "k", 0), whole(f, "dim", 0),
                         !flag(f, "largest", true), &f->out[1]);
}
static void cummax(function *f) {
  f->out[0] = glia_cummax(f->in[0], whole(f, "dim", 0), &f->out[1]);
}
static void cummin(function *f) {
  f->out[0] = glia_cummin(f->in[0], whole(f, "dim", 0), &f->out[1]);
}
static void unique(function *f) {
  f->out[0] = glia_unique(f->in[0], &f->out[1], &f->out[2], &f->count);
}
static void nonzero(function *f) { f->out[0] = glia_nonzero(f->in[0], &f->count); }

static glia_scatter_mode mode_of(const function *f) {
  static const char *const modes[] = {"set", "sum", "prod", "amax", "amin", "mean"};
  const char *name = gi_json_str(attribute(f, "reduce"), "");
  for (int i = 0; i < GI_COUNT(modes); i++)
    if (strcmp(modes[i], name) == 0) return (glia_scatter_mode)i;
  fail_msg("%s: there is no mode %s", f->file->op, name);
  return GLIA_SCATTER_SET;
}
static void scatter(function *f) {
  const int dim = whole(f, "dim", 0);
  f->out[0] = flag(f, "include_self", true)
                  ? glia_scatter(f->in[0], f->in[1], f->in[2], dim, mode_of(f))
                  : glia_scatter_over(f->in[0], f->in[1], f->in[2], dim, mode_of(f));
}
static void index_put(function *f) {
  f->out[0] = glia_index_put(f->in[0], f->in[1], f->in[2], whole(f, "dim", 0), mode_of(f));
}
static void gather_nd(function *f) { f->out[0] = glia_gather_nd(f->in[0], f->in[1]); }
static void scatter_nd(function *f) {
  f->out[0] = glia_scatter_nd(f->in[0], f->in[1], f->in[2], mode_of(f));
}

/* Masks lie in the files as whole numbers. */
static glia_value truth(glia_value v) { return glia_cast(v, GLIA_BOOL); }
static void masked_select(function *f) {
  f->out[0] = glia_masked_select(f->in[0], truth(f->in[1]), &f->count);
}
static void masked_fill(function *f) {
  f->out[0] = glia_masked_fill(f->in[0], truth(f->in[1]), number(f, "value", 0));
}
static void masked_scatter(function *f) {
  f->out[0] = glia_masked_scatter(f->in[0], truth(f->in[1]), f->in[2]);
}

static void channel_shuffle(function *f) {
  f->out[0] = glia_channel_shuffle(f->in[0], whole(f, "groups", 0));
}
static void cosine(function *f) {
  f->out[0] = glia_cosine_similarity(f->in[0], f->in[1], whole(f, "dim", 1), 1e-8);
}

/* ---- sound and boxes ----------------------------------------------------------------- */

static glia_stft_opts stft_opts(const function *f) {
  return (glia_stft_opts){
      .size = sizeof(glia_stft_opts),
      .n_fft = whole(f, "n_fft", 0),
      .hop = whole(f, "hop_length", 0),
      .no_center = !flag(f, "center", true),
      .zeros = strcmp(gi_json_str(attribute(f, "pad_mode"), ""), "constant") == 0,
      .normalized = flag(f, "normalized", false),
      .two_sided = !flag(f, "onesided", true),
      .length = whole(f, "length", 0)};
}
static void stft(function *f) {
  const glia_stft_opts o = stft_opts(f);
  f->out[0] = glia_stft_opt(f->in[0], f->in[1], &o);
}
static void istft(function *f) {
  const glia_stft_opts o = stft_opts(f);
  f->out[0] = glia_istft_opt(f->in[0], f->in[1], &o);
}

static glia_mel_opts mel_opts(const function *f) {
  return (glia_mel_opts){.size = sizeof(glia_mel_opts),
                         .mels = whole(f, "mels", 0),
                         .sample_rate = number(f, "sample_rate", 0),
                         .low = number(f, "low", 0),
                         .high = number(f, "high", 0),
                         .slaney = flag(f, "slaney", false),
                         .area = flag(f, "area", false)};
}
static void mel_filters(function *f) {
  const glia_mel_opts o = mel_opts(f);
  f->out[0] = glia_mel_filters_opt(f->g, whole(f, "bins", 0), f->dtype, &o);
}
static void mel_spectrogram(function *f) {
  const glia_stft_opts o = stft_opts(f);
  const glia_mel_opts m = mel_opts(f);
  f->out[0] = glia_mel_spectrogram(f->in[0], f->in[1], number(f, "power", 0), &o, &m);
}

static void box_iou(function *f) { f->out[0] = glia_box_iou(f->in[0], f->in[1]); }
static void box_giou(function *f) { f->out[0] = glia_box_giou(f->in[0], f->in[1]); }
static void nms(function *f) {
  f->out[0] =
      glia_nms(f->in[0], f->in[1], input_or_none(f, 2), &f->count, .iou = number(f, "iou", 0));
}
static void insides(function *f, bool pool) {
  const gi_json *list = attribute(f, "boxes");
  const int64_t n = (int64_t)gi_json_count(list), shape[] = {n, 4};
  double box[4 * 8];
  int64_t image[8], size[2] = {0};
  assert_in_range(n, 1, 8);
  wholes(f, "image", (int)n, image);
  wholes(f, "output_size", 2, size);
  for (int64_t i = 0; i < 4 * n; i++)
    box[i] = gi_json_num(gi_json_at(gi_json_at(list, (size_t)(i / 4)), (size_t)(i % 4)), NAN);
  const glia_value boxes = glia_cast(glia_constant(f->g, GLIA_F64, 2, shape, box), f->dtype);
  const glia_roi_opts o = {.size = sizeof o,
                           .height = size[0],
                           .width = size[1],
                           .scale = number(f, "spatial_scale", 0),
                           .sampling = whole(f, "sampling_ratio", 0),
                           .aligned = flag(f, "aligned", false)};
  const glia_value of = glia_constant(f->g, GLIA_I64, 1, &n, image);
  f->out[0] = pool ? glia_roi_pool_opt(f->in[0], boxes, of, &o)
                   : glia_roi_align_opt(f->in[0], boxes, of, &o);
}
static void roi_align(function *f) { insides(f, false); }
static void roi_pool(function *f) { insides(f, true); }

static const struct {
  const char *op;
  void (*build)(function *f);
} rows[] = {
    {"conv", conv},
    {"conv_transpose", conv_transpose},
    {"max_pool", max_pool},
    {"avg_pool", avg_pool},
    {"lp_pool", lp_pool},
    {"adaptive_max_pool", adaptive_max},
    {"adaptive_avg_pool", adaptive_avg},
    {"max_unpool", max_unpool},
    {"unfold", unfold},
    {"fold", fold},
    {"sort", sort},
    {"topk", top_k},
    {"cummax", cummax},
    {"cummin", cummin},
    {"unique", unique},
    {"nonzero", nonzero},
    {"scatter", scatter},
    {"index_put", index_put},
    {"gather_nd", gather_nd},
    {"scatter_nd", scatter_nd},
    {"masked_select", masked_select},
    {"masked_fill", masked_fill},
    {"masked_scatter", masked_scatter},
    {"channel_shuffle", channel_shuffle},
    {"cosine_similarity", cosine},
    {"stft", stft},
    {"istft", istft},
    {"mel_filters", mel_filters},
    {"mel_spectrogram", mel_spectrogram},
    {"box_iou", box_iou},
    {"box_giou", box_giou},
    {"nms", nms},
    {"roi_align", roi_align},
    {"roi_pool", roi_pool},
};

/* ---- one file ------------------------------------------------------------------------ */

static void build(const char *name, function *f) {
  for (int i = 0; i < GI_COUNT(rows); i++)
    if (strcmp(rows[i].op, f->file->op) == 0) {
      rows[i].build(f);
      OK(glia_graph_status(f->g));
      return;
    }
  fail_msg("%s: there is no row for %s", name, f->file->op);
}

/* Outputs as long as PyTorch's, which are as long as the data make them. */
static void make_outputs(function *f) {
  char name[32];
  for (int i = 0; i < MAX_OUT; i++) {
    snprintf(name, sizeof name, "output.%d", i);
    if (!golden_has(f->file, name)) continue;
    glia_tensor *want = golden_tensor(f->file, name);
    if (f->count.graph != NULL && glia_tensor_rank(want) > 0)
      f->out[i] = glia_slice(f->out[i], 0, 0, glia_tensor_shape(want)[0], 1);
    glia_output(name, f->out[i]);
    if (f->count.graph != NULL && i == 0)
      assert_true(glia_tensor_shape(want)[0] > 0); /* else slicing shows nothing */
    glia_tensor_free(want);
  }
  if (f->count.graph != NULL) glia_output("count", f->count);
}

static void check_count(const golden_graph *m) {
  glia_tensor *want = golden_tensor(&m->file, "output.0");
  NEAR(glia_tensor_get(glia_plan_output(m->plan, "count"), 0),
       (double)glia_tensor_shape(want)[0], 0);
  glia_tensor_free(want);
}

static int check_file(const golden_case *c) {
  golden_graph m = golden_graph_open(c);
  function f = {.file = &m.file, .g = m.g, .dtype = c->dtype};
  f.n = golden_inputs(&m, MAX_IN, f.in);
  build(c->name, &f);
  make_outputs(&f);
  if (golden_has(&m.file, "grad_output"))
    golden_gradients(&m, golden_total(&m, f.out[0], "grad_output"), NULL);
  golden_run(&m);
  golden_compare(&m, c->tolerance);
  if (f.count.graph != NULL) check_count(&m);
  golden_graph_close(&m);
  return 1;
}

static golden_suite suite = {"library", 160, 1e-11, 2e-5, check_file};

GOLDEN_MAIN(suite)
