/* glia run MODEL: an ONNX model on given inputs. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/onnx_input.h"
#include "formats/formats.h"
#include "glia/formats.h"

enum { INPUTS = 256, SHOWN = 4096 }; /* most inputs; most elements that --json prints */

typedef struct job {
  const gi_cli *c;
  glia_onnx *model;
  int n_in, n_out;
  glia_tensor *in[INPUTS];
  const glia_tensor *out[INPUTS];
} job;

/* ---- inputs ------------------------------------------------------------------------------ */

/* DIR/input_N.pb or .npy, by the number of the input. */
static glia_status take_folder(job *j, const char *folder) {
  for (int i = 0; i < j->n_in; i++) GI_TRY(gi_cli_onnx_find(j->model, i, folder, &j->in[i]));
  return GLIA_OK;
}

static int input_of(const job *j, const char *name, size_t n) {
  for (int i = 0; i < j->n_in; i++) {
    const char *at = glia_onnx_input(j->model, i)->name;
    if (strlen(at) == n && memcmp(at, name, n) == 0) return i;
  }
  return -1;
}

/* name=file,name=file */
static glia_status take_list(job *j, const char *list) {
  for (const char *p = list; *p != '\0';) {
    const size_t n = strcspn(p, ",");
    const char *equals = memchr(p, '=', n);
    if (equals == NULL)
      return gi_fail(GLIA_INVALID, "--input: '%.*s' is not NAME=FILE", (int)n, p);
    const int i = input_of(j, p, (size_t)(equals - p));
    if (i < 0)
      return gi_fail(GLIA_INVALID, "--input: the model has no input '%.*s'; its first is '%s'",
                     (int)(equals - p), p,
                     j->n_in > 0 ? glia_onnx_input(j->model, 0)->name : "");
    char path[4096];
    snprintf(path, sizeof path, "%.*s", (int)(n - (size_t)(equals + 1 - p)), equals + 1);
    glia_tensor_free(j->in[i]);
    j->in[i] = NULL;
    GI_TRY(gi_cli_onnx_read(j->model, i, path, &j->in[i]));
    p += n + (p[n] == ',');
  }
  return GLIA_OK;
}

static glia_status take_all(job *j) {
  const gi_cli *c = j->c;
  if (gi_cli_given(c, "data")) GI_TRY(take_folder(j, gi_cli_text(c, "data")));
  if (gi_cli_given(c, "input")) GI_TRY(take_list(j, gi_cli_text(c, "input")));
  for (int i = 0; i < j->n_in; i++)
    if (j->in[i] == NULL)
      return gi_fail(
          GLIA_INVALID,
          "nothing is given for input %d, '%s'; give --input %s=FILE.npy, or --data with "
          "a folder that has input_%d.pb or input_%d.npy",
          i, glia_onnx_input(j->model, i)->name, glia_onnx_input(j->model, i)->name, i, i);
  return GLIA_OK;
}

/* ---- outputs ----------------------------------------------------------------------------- */

/* NumPy's word for a type of ONNX. */
static const char *word_of(const char *type, glia_dtype dtype) {
  static const struct {
    const char *type, *word;
  } narrow[] = {{"uint16", "u2"}, {"int16", "i2"}, {"uint32", "u4"}, {"uint64", "u8"}};
  for (int i = 0; i < GI_COUNT(narrow); i++)
    if (strcmp(narrow[i].type, type) == 0) return narrow[i].word;
  (void)dtype;
  return NULL;
}

static glia_status write_output(const job *j, int i, const char *folder) {
  char name[64];
  snprintf(name, sizeof name, "output_%d.npy", i);
  char *path = gi_path_join(folder, name);
  if (path == NULL) return gi_fail_nomem(64);
  const char *word = word_of(glia_onnx_output_type(j->model, i), glia_tensor_dtype(j->out[i]));
  const glia_status s =
      word != NULL ? gi_npy_write_as(path, j->out[i], word) : glia_npy_write(path, j->out[i]);
  gi_free(path);
  return s;
}

static void set_output(gi_json *list, const job *j, int i) {
  const glia_tensor *t = j->out[i];
  gi_json *one = gi_json_object(), *shape = gi_json_array();
  gi_json_set_str(one, "name", glia_onnx_output(j->model, i)->name);
  gi_json_set_str(one, "type", glia_onnx_output_type(j->model, i));
  for (int k = 0; k < glia_tensor_rank(t); k++) gi_json_add_int(shape, glia_tensor_shape(t)[k]);
  gi_json_set(one, "shape", shape);
  if (glia_tensor_count(t) <= SHOWN) {
    gi_json *values = gi_json_array();
    for (int64_t k = 0; k < glia_tensor_count(t); k++)
      gi_json_add_num(values, glia_tensor_get(t, k));
    gi_json_set(one, "values", values);
  }
  gi_json_add(list, one);
}

static glia_status print_outputs(const job *j) {
  if (j->c->json) {
    gi_json *all = gi_json_object(), *list = gi_json_array();
    for (int i = 0; i < j->n_out; i++) set_output(list, j, i);
    gi_json_set(all, "outputs", list);
    return gi_cli_print_json(all);
  }
  gi_str text = {0};
  for (int i = 0; i < j->n_out; i++) {
    char *elements = glia_tensor_text(j->out[i], 0);
    gi_str_printf(&text, "%s: %s\n", glia_onnx_output(j->model, i)->name,
                  elements != NULL ? elements : "?");
    free(elements);
  }
  return gi_cli_print_text(&text);
}

/* ---- the command ------------------------------------------------------------------------- */

static glia_status run_job(job *j) {
  j->n_in = glia_onnx_inputs(j->model);
  j->n_out = glia_onnx_outputs(j->model);
  if (j->n_in > INPUTS || j->n_out > INPUTS)
    return gi_fail(GLIA_UNSUPPORTED,
                   "the model has %d inputs and %d outputs, at most %d are taken", j->n_in,
                   j->n_out, INPUTS);
  GI_TRY(take_all(j));
  const glia_tensor *in[INPUTS];
  for (int i = 0; i < j->n_in; i++) in[i] = j->in[i];
  GI_TRY(glia_onnx_run(j->model, in, j->n_in, j->out));
  const char *folder = gi_cli_text(j->c, "out");
  if (folder != NULL) {
    GI_TRY(gi_make_dirs(folder));
    for (int i = 0; i < j->n_out; i++) GI_TRY(write_output(j, i, folder));
    if (!j->c->json) return GLIA_OK;
  }
  return print_outputs(j);
}

static glia_status run_command(gi_cli *c) {
  job *j = gi_alloc(sizeof *j);
  if (j == NULL) return gi_fail_nomem(sizeof *j);
  j->c = c;
  const glia_onnx_opts opts = {.seed = (uint64_t)gi_cli_i64(c, "seed")};
  glia_status s = gi_cli_onnx_open(c, &opts, &j->model);
  if (s == GLIA_OK) s = run_job(j);
  for (int i = 0; i < INPUTS; i++) glia_tensor_free(j->in[i]);
  glia_onnx_close(j->model);
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
     .help = "folder with the inputs in order: input_0.pb or input_0.npy, input_1..."},
    {.name = "input",
     .kind = GI_OPTION_TEXT,
     .value = "NAME=FILE",
     .help = "inputs by name, from .npy or .pb files; several: NAME=FILE,NAME=FILE"},
    {.name = "out",
     .kind = GI_OPTION_PATH,
     .value = "DIR",
     .help = "folder to write the outputs to, as output_0.npy and so on"},
    GI_OPTION_BACKEND,
    GI_OPTION_THREADS,
    GI_OPTION_SEED,
    {0},
};

static const gi_command run_row = {
    .name = "run",
    .group = GI_GROUP_TRAIN,
    .summary = "run an ONNX model on inputs from files",
    .help =
        "Takes the inputs from --data or --input, runs the model, and writes its outputs to "
        "--out "
        "or prints them. Axes that the model leaves open may have any size.\n\n"
        "With --json, prints name, type and shape of each output, and the elements of those "
        "that "
        "have up to 4096.",
    .example =
        "glia run resnet.onnx --input data=picture.npy\n"
        "glia run model.onnx --data test_data_set_0 --out results --threads 2",
    .arguments = arguments,
    .options = options,
    .run = run_command,
};

const gi_command *const gi_commands_run[] = {&run_row, NULL};
