/* glia export RUN -o FILE: the model of a run as one file, to be used elsewhere. */
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "glia/train.h"

static const char *const dtypes[] = {"f32", "f16", "bf16", NULL};
static const glia_dtype dtype_of[] = {GLIA_F32, GLIA_F16, GLIA_BF16};

static glia_status report(const gi_cli *c, const char *path, const char *dtype) {
  struct stat st;
  const int64_t bytes = stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
  if (c->json) {
    gi_json *j = gi_json_object();
    gi_json_set_str(j, "model", path);
    gi_json_set_str(j, "dtype", dtype);
    gi_json_set_int(j, "bytes", bytes);
    return gi_cli_print_json(j);
  }
  gi_str text = {0};
  gi_str_printf(&text, "%s: parameters as %s, %s\n", path, dtype,
                gi_table_bytes((double)bytes));
  return gi_cli_print_text(&text);
}

static glia_status run_command(gi_cli *c) {
  const char *path = gi_cli_text(c, "output");
  const int choice = gi_cli_choice(c, "save-dtype");
  glia_run *run = NULL;
  if (gi_cli_text(c, "calibrate") != NULL && !gi_cli_flag(c, "int8"))
    return gi_fail(GLIA_INVALID, "--calibrate goes with --int8 alone; hint: add --int8");
  if (gi_cli_given(c, "save-dtype") && gi_cli_flag(c, "int8"))
    return gi_fail(GLIA_INVALID,
                   "--save-dtype and --int8 are two ways to store weights; hint: name one");
  if (path == NULL)
    return gi_fail(GLIA_INVALID, "--output is missing: the file to write, model.safetensors");
  GI_TRY(glia_run_open(gi_cli_argument(c, "DIR"), &run));
  const bool int8 = gi_cli_flag(c, "int8");
  const glia_status s = int8 ? glia_run_export_int8(run, path, gi_cli_text(c, "calibrate"))
                             : glia_run_export(run, path, dtype_of[choice]);
  glia_run_free(run);
  GI_TRY(s);
  return report(c, path, int8 ? "int8" : dtypes[choice]);
}

static const gi_argument arguments[] = {
    {.name = "DIR", .kind = GI_OPTION_PATH, .help = "the folder of a run, or a model file"},
    {0},
};

static const gi_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = GI_OPTION_PATH,
     .value = "FILE",
     .help = "the model file to write; must be given"},
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
        "file that is in 8 bits already is calibrated anew.",
    .example =
        "glia export runs/digits -o digits.safetensors\n"
        "glia export runs/digits -o small.safetensors --save-dtype f16\n"
        "glia export runs/digits -o tiny.safetensors --int8",
    .arguments = arguments,
    .options = options,
    .run = run_command,
};

const gi_command *const gi_commands_export[] = {&export_row, NULL};
