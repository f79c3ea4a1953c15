/* glia export RUN -o FILE: the model of a run as one file, to be used elsewhere. */
#include <sys/stat.h>

#include "cli/open.h"
#include "cli/table.h"
#include "glia/models.h"

static const char *const dtypes[] = {"f32", "f16", "bf16", NULL};
enum { BF16 = 2 };
static const glia_dtype dtype_of[] = {GLIA_F32, GLIA_F16, GLIA_BF16};
enum { SAFETENSORS, ONNX, NPZ };
static const char *const formats[] = {
    [SAFETENSORS] = "safetensors", [ONNX] = "onnx", [NPZ] = "npz", NULL};

static glia_status report(const gi_cli *c, const char *path, const char *dtype) {
  struct stat st;
  const int64_t bytes = stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
  const char *format = formats[gi_cli_choice(c, "to")];
  if (c->json) {
    gi_json *j = gi_json_object();
    gi_json_set_str(j, "model", path);
    gi_json_set_str(j, "format", format);
    gi_json_set_str(j, "dtype", dtype);
    gi_json_set_int(j, "bytes", bytes);
    return gi_cli_print_json(j);
  }
  gi_str text = {0};
  gi_str_printf(&text, "%s: %s, parameters as %s, %s\n", path, format, dtype,
                gi_table_bytes((double)bytes));
  return gi_cli_print_text(&text);
}

/* Nothing was written, and could have been. */
static glia_status report_check(const gi_cli *c) {
  const char *format = formats[gi_cli_choice(c, "to")];
  if (c->json) {
    gi_json *j = gi_json_object();
    gi_json_set_str(j, "format", format);
    gi_json_set_bool(j, "ok", true);
    return gi_cli_print_json(j);
  }
  gi_str text = {0};
  gi_str_printf(&text, "%s: can be exported to %s\n", gi_cli_argument(c, "DIR"), format);
  return gi_cli_print_text(&text);
}

/* ---- what goes with what ----------------------------------------------------------------- */

static bool is_net(const gi_cli *c) {
  const char *path = gi_cli_argument(c, "DIR");
  const size_t n = strlen(path);
  return n > 4 && strcmp(path + n - 4, ".net") == 0;
}

static glia_status check_options(const gi_cli *c) {
  const bool int8 = gi_cli_flag(c, "int8"), check = gi_cli_flag(c, "check");
  if (gi_cli_text(c, "calibrate") != NULL && !int8)
    return gi_fail(GLIA_INVALID, "--calibrate goes with --int8 alone; hint: add --int8");
  if (gi_cli_given(c, "save-dtype") && int8)
    return gi_fail(GLIA_INVALID,
                   "--save-dtype and --int8 are two ways to store weights; hint: name one");
  if (gi_cli_choice(c, "to") == ONNX && (int8 || gi_cli_choice(c, "save-dtype") != 0))
    return gi_fail(GLIA_INVALID,
                   "an ONNX file has its weights as f32; hint: leave out --save-dtype and "
                   "--int8");
  if (gi_cli_choice(c, "to") == NPZ && (int8 || gi_cli_choice(c, "save-dtype") == BF16))
    return gi_fail(GLIA_INVALID,
                   "NumPy has neither bf16 nor scaled 8-bit numbers; hint: --save-dtype f16");
  if (is_net(c) && (!check || gi_cli_text(c, "input") == NULL))
    return gi_fail(GLIA_INVALID,
                   "%s is a network without weights; hint: --check --input SHAPE says whether "
                   "it can be exported once it is trained",
                   gi_cli_argument(c, "DIR"));
  if (!is_net(c) && gi_cli_given(c, "input"))
    return gi_fail(GLIA_INVALID, "--input goes with a .net file; a trained model knows it");
  if (!check && gi_cli_text(c, "output") == NULL)
    return gi_fail(GLIA_INVALID, "--output is missing: the file to write, model.%s",
                   formats[gi_cli_choice(c, "to")]);
  return GLIA_OK;
}

/* ---- exporting -----------------------------------------------------------------------------
 */

/* A network that is not trained yet: is there something in it that ONNX cannot hold? Files of
 * tensors hold any. */
static glia_status check_net(const gi_cli *c) {
  int64_t shape[GLIA_MAX_RANK];
  int rank = 0;
  glia_net *net = NULL;
  glia_store *store = NULL;
  GI_TRY(gi_cli_shape(gi_cli_text(c, "input"), shape, &rank));
  GI_TRY(glia_net_read(gi_cli_argument(c, "DIR"), &net));
  glia_status s = glia_store_new(&store);
  if (s == GLIA_OK && gi_cli_choice(c, "to") == ONNX)
    s = glia_onnx_export(glia_net_apply, net, store, GLIA_F32, rank, shape, NULL);
  glia_store_free(store);
  glia_net_free(net);
  return s;
}

static glia_status export_run(const gi_cli *c, glia_run *run) {
  const bool check = gi_cli_flag(c, "check");
  const char *path = gi_cli_text(c, "output");
  if (gi_cli_choice(c, "to") == ONNX) return glia_run_export_onnx(run, check ? NULL : path);
  const glia_dtype dtype = dtype_of[gi_cli_choice(c, "save-dtype")];
  if (check) return GLIA_OK;
  if (gi_cli_choice(c, "to") == NPZ) return glia_run_export_npz(run, path, dtype);
  if (gi_cli_flag(c, "int8"))
    return glia_run_export_int8(run, path, gi_cli_text(c, "calibrate"));
  return glia_run_export(run, path, dtype);
}

static glia_status run_command(gi_cli *c) {
  glia_run *run = NULL;
  GI_TRY(check_options(c));
  if (is_net(c)) {
    GI_TRY(check_net(c));
    return report_check(c);
  }
  GI_TRY(glia_run_open(gi_cli_argument(c, "DIR"), &run));
  const glia_status s = export_run(c, run);
  glia_run_free(run);
  GI_TRY(s);
  if (gi_cli_flag(c, "check")) return report_check(c);
  const bool int8 = gi_cli_flag(c, "int8");
  return report(c, gi_cli_text(c, "output"),
                int8 ? "int8" : dtypes[gi_cli_choice(c, "save-dtype")]);
}

static const gi_argument arguments[] = {
    {.name = "DIR",
     .kind = GI_OPTION_PATH,
     .help = "the folder of a run, or a model file; with --check also a .net file"},
    {0},
};

static const gi_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = GI_OPTION_PATH,
     .value = "FILE",
     .help = "the file to write; must be given but for --check"},
    {.name = "to",
     .kind = GI_OPTION_CHOICE,
     .choices = formats,
     .fallback = "safetensors",
     .help = "the kind of file: glia's own, ONNX for other runtimes, arrays for NumPy"},
    {.name = "check",
     .help = "write nothing, say whether it could be, and every layer that could not"},
    {.name = "input",
     .kind = GI_OPTION_TEXT,
     .value = "SHAPE",
     .help = "with --check and a .net file: the shape of a sample, as 1x28x28"},
    {.name = "save-dtype",
     .kind = GI_OPTION_CHOICE,
     .choices = dtypes,
     .fallback = "f32",
     .help = "how parameters are stored; they are loaded back to f32"},
    {.name = "int8", .help = "weights as 8-bit whole numbers, and products computed in them"},
    {.name = "calibrate",
     .kind = GI_OPTION_PATH,
     .value = "DATA",
     .help = "with --int8: what the model is run on to find its scales (default: the training "
             "part of the run's data)"},
    {0},
};

static const gi_command export_row = {
    .name = "export",
    .group = GI_GROUP_TRAIN,
    .summary = "write a trained model as one file for use elsewhere",
    .help =
        "Writes the model of DIR with all that is needed to use it (network, classes, "
        "normalisation, history) as one safetensors file. With --save-dtype f16 or bf16 it "
        "takes half the space: f16 keeps 11 bits of each parameter and reaches to 65504, bf16 "
        "8 bits and the range of f32. 'glia predict' and 'glia evaluate' take the file.\n\n"
        "With --int8 the weights of convolutions and dense layers take a quarter, with a scale "
        "for each filter; the model is run on up to 512 samples to find how large the inputs "
        "of these layers get, and whoever uses the file computes their products in whole "
        "numbers. Without the run's folder, or to use other data, name them with --calibrate; "
        "a "
        "file that is in 8 bits already is calibrated anew.\n\n"
        "With --to onnx it is an ONNX model (opset 17) for a batch of any size, which ONNX "
        "Runtime and others run: from the normalised input x to the result in front of the "
        "loss, with the normalisation and the classes as metadata. What ONNX has no operator "
        "for is written in terms of those that it has. With --to npz the parameters are arrays "
        "of a NumPy file, and nothing else is there. --check tells beforehand, also of a "
        "network that is not trained yet, which layers cannot be written.",
    .example =
        "glia export runs/digits -o digits.safetensors\n"
        "glia export runs/digits -o small.safetensors --save-dtype f16\n"
        "glia export runs/digits -o tiny.safetensors --int8\n"
        "glia export runs/digits --to onnx -o digits.onnx\n"
        "glia export lenet.net --to onnx --check --input 1x28x28",
    .arguments = arguments,
    .options = options,
    .run = run_command,
};

const gi_command *const gi_commands_export[] = {&export_row, NULL};
