/* glia bench MODEL: how fast an ONNX model runs here. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/onnx_input.h"
#include "cli/table.h"

enum { INPUTS = 64, MOST_RUNS = 1000000, WARM_UP = 3 };

typedef struct job {
  const gi_cli *c;
  glia_onnx *model;
  glia_tensor *in[INPUTS];
  const glia_tensor *out[INPUTS];
  int n_in;
  GI_VEC(double) seconds; /* of each run, sorted in the end */
  double loading, first;  /* seconds: to open it, to trace, pack and run it once */
} job;

/* Numbers that no kernel can tell from real ones: floats in 0 .. 1; whole numbers 0 and 1,
 * which are valid indices and masks nearly everywhere. Open axes: the first is the batch. */
static glia_status draw(const job *j, int i, glia_tensor **out) {
  const glia_onnx_port *p = glia_onnx_input(j->model, i);
  const gi_rng rng = {.seed = 1, .stream = (uint64_t)i};
  int64_t dim[GLIA_MAX_RANK] = {0};
  for (int k = 0; k < p->rank; k++)
    dim[k] = p->shape[k] >= 0 ? p->shape[k] : gi_cli_i64(j->c, k == 0 ? "batch" : "length");
  GI_TRY(glia_tensor_new(p->dtype, GI_MAX(p->rank, 0), dim, out));
  const bool real = glia_dtype_is_float(p->dtype);
  for (int64_t k = 0; k < glia_tensor_count(*out); k++) {
    const double x = gi_rng_uniform(&rng, (uint64_t)k);
    glia_tensor_set(*out, k, real ? x : x < 0.5 ? 0 : 1);
  }
  return GLIA_OK;
}

/* From --data, where it is there; else made up. */
static glia_status take(const job *j, int i, glia_tensor **out) {
  const char *folder = gi_cli_text(j->c, "data");
  if (folder != NULL) GI_TRY(gi_cli_onnx_find(j->model, i, folder, out));
  return *out != NULL ? GLIA_OK : draw(j, i, out);
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y ? 1 : 0;
}

static glia_status run_once(job *j, double *seconds) {
  const glia_tensor *in[INPUTS];
  for (int i = 0; i < j->n_in; i++) in[i] = j->in[i];
  const double begin = gi_now();
  GI_TRY(glia_onnx_run(j->model, in, j->n_in, j->out));
  *seconds = gi_now() - begin;
  return GLIA_OK;
}

static glia_status measure(job *j) {
  const double until = gi_cli_f64(j->c, "seconds");
  double one = 0, sum = 0;
  GI_TRY(run_once(j, &j->first));
  for (int i = 0; i < WARM_UP; i++) GI_TRY(run_once(j, &one));
  while (j->seconds.n < 5 || (sum < until && j->seconds.n < MOST_RUNS)) {
    if (gi_interrupted()) return gi_fail(GLIA_CANCELLED, "interrupted");
    GI_TRY(run_once(j, &one));
    if (!gi_vec_push(&j->seconds, one)) return gi_fail_nomem(sizeof one);
    sum += one;
  }
  qsort(j->seconds.at, j->seconds.n, sizeof one, by_size);
  return GLIA_OK;
}

/* The share p of all runs took so long or less, in milliseconds. */
static double percentile(const job *j, double p) {
  const double at = p * (double)(j->seconds.n - 1);
  return 1e3 * j->seconds.at[(size_t)(at + 0.5)];
}

static glia_status print(const job *j, const char *nodes) {
  const double ms = percentile(j, 0.5);
  const double gflops = glia_plan_flops(glia_onnx_plan(j->model)) / ms / 1e6;
  if (j->c->json) {
    gi_json *o = gi_json_object();
    gi_json_set_str(o, "model", gi_cli_argument(j->c, "MODEL"));
    gi_json_set_int(o, "runs", (int64_t)j->seconds.n);
    gi_json_set_num(o, "median_ms", ms);
    gi_json_set_num(o, "least_ms", percentile(j, 0));
    gi_json_set_num(o, "p90_ms", percentile(j, 0.9));
    gi_json_set_num(o, "p99_ms", percentile(j, 0.99));
    gi_json_set_num(o, "load_ms", 1e3 * j->loading);
    gi_json_set_num(o, "first_ms", 1e3 * j->first);
    gi_json_set_num(o, "gflops", gflops);
    gi_json_set_num(o, "peak_mb", (double)gi_peak_rss() / 1e6);
    if (nodes != NULL) gi_json_set_str(o, "nodes", nodes);
    return gi_cli_print_json(o);
  }
  gi_str text = {0};
  if (nodes != NULL) gi_str_printf(&text, "%s\n", nodes);
  gi_str_printf(&text, "median   %.3f ms of %zu runs (%.1f GFLOP/s)\n", ms, j->seconds.n,
                gflops);
  gi_str_printf(&text, "least    %.3f ms, 90 %% in %.3f ms, 99 %% in %.3f ms\n",
                percentile(j, 0), percentile(j, 0.9), percentile(j, 0.99));
  gi_str_printf(&text, "load     %.1f ms; trace, pack and first run %.1f ms\n",
                1e3 * j->loading, 1e3 * j->first);
  gi_str_printf(&text, "memory   %s at the peak\n", gi_table_bytes((double)gi_peak_rss()));
  return gi_cli_print_text(&text);
}

static glia_status bench_job(job *j) {
  j->n_in = glia_onnx_inputs(j->model);
  if (j->n_in > INPUTS || glia_onnx_outputs(j->model) > INPUTS)
    return gi_fail(GLIA_UNSUPPORTED, "the model has %d inputs, at most %d are taken", j->n_in,
                   INPUTS);
  for (int i = 0; i < j->n_in; i++) GI_TRY(take(j, i, &j->in[i]));
  GI_TRY(measure(j));
  char *nodes = NULL;
  if (gi_cli_flag(j->c, "nodes")) {
    GI_TRY(glia_plan_time(glia_onnx_plan(j->model), gi_cli_f64(j->c, "seconds")));
    nodes = glia_plan_text(glia_onnx_plan(j->model));
    if (nodes == NULL) return gi_fail_nomem(1);
  }
  const glia_status s = print(j, nodes);
  free(nodes);
  return s;
}

static glia_status run_command(gi_cli *c) {
  job *j = gi_alloc(sizeof *j);
  if (j == NULL) return gi_fail_nomem(sizeof *j);
  j->c = c;
  gi_interrupts_watch();
  const double begin = gi_now();
  const glia_onnx_opts opts = {.tune = gi_cli_f64(c, "tune")};
  glia_status s = gi_cli_onnx_open(c, &opts, &j->model);
  j->loading = gi_now() - begin;
  if (s == GLIA_OK) s = bench_job(j);
  for (int i = 0; i < INPUTS; i++) glia_tensor_free(j->in[i]);
  glia_onnx_close(j->model);
  gi_vec_free(&j->seconds);
  gi_free(j);
  return s;
}

static const gi_argument arguments[] = {
    {.name = "MODEL", .kind = GI_OPTION_PATH, .help = "an ONNX file"},
    {0},
};

static const gi_option options[] = {
    {.name = "data",
     .kind = GI_OPTION_PATH,
     .value = "DIR",
     .help = "folder with inputs, input_0.pb or input_0.npy and so on (default: made-up ones)"},
    {.name = "batch",
     .kind = GI_OPTION_I64,
     .min = 1,
     .max = 65536,
     .fallback = "1",
     .help = "size of an open first axis"},
    {.name = "length",
     .kind = GI_OPTION_I64,
     .min = 1,
     .max = 1048576,
     .fallback = "128",
     .help = "size of other open axes"},
    {.name = "seconds",
     .kind = GI_OPTION_F64,
     .max = 3600,
     .above = true,
     .fallback = "2",
     .help = "how long to measure"},
    {.name = "nodes", .help = "list the kernels with their times and shares of the limit"},
    GI_OPTION_TUNE("0"),
    GI_OPTION_BACKEND,
    GI_OPTION_THREADS,
    {0},
};

static const gi_command bench = {
    .name = "bench",
    .group = GI_GROUP_LOOK,
    .summary = "measure how fast an ONNX model runs here",
    .help =
        "Runs the model on made-up inputs again and again and prints the median, percentiles, "
        "what "
        "loading and the first run took, and the peak of memory. With --nodes each kernel with "
        "its "
        "time and the share that it reaches of the limit it is nearest to, arithmetic or "
        "memory.",
    .example =
        "glia bench resnet50.onnx --threads 1\n"
        "glia bench bert.onnx --batch 8 --length 128 --nodes",
    .arguments = arguments,
    .options = options,
    .run = run_command,
};

const gi_command *const gi_commands_bench[] = {&bench, NULL};
