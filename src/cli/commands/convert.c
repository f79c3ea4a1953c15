/* glia convert FILE OUT: the tensors of a file in another format. */
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "glia/formats.h"

static glia_status report(const gi_cli *c, const glia_file *f, const char *path) {
  struct stat st;
  const int64_t bytes = stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
  if (c->json) {
    gi_json *j = gi_json_object();
    gi_json_set_str(j, "file", path);
    gi_json_set_str(j, "from", glia_file_format(f));
    gi_json_set_int(j, "tensors", glia_file_count(f));
    gi_json_set_int(j, "bytes", bytes);
    return gi_cli_print_json(j);
  }
  gi_str text = {0};
  const int n = glia_file_count(f);
  gi_str_printf(&text, "%s: %d tensor%s, from %s, %s\n", path, n, n == 1 ? "" : "s",
                glia_file_format(f), gi_table_bytes((double)bytes));
  return gi_cli_print_text(&text);
}

static glia_status run(gi_cli *c) {
  const char *path = gi_cli_argument(c, "OUT");
  glia_file *f = NULL;
  GI_TRY(glia_file_open(gi_cli_argument(c, "FILE"), &f));
  glia_status s = glia_file_write(f, path);
  if (s == GLIA_OK) s = report(c, f, path);
  glia_file_close(f);
  return s;
}

static const gi_argument arguments[] = {
    {.name = "FILE",
     .kind = GI_OPTION_PATH,
     .help =
         "safetensors (or the index of its shards), npy, npz, a PyTorch checkpoint, Keras "
         "weights, GGUF, word2vec or GloVe vectors, idx, Darknet or Caffe weights; also gzip"},
    {.name = "OUT",
     .kind = GI_OPTION_PATH,
     .help = "what to write; its name ends in .safetensors, .npz or .npy"},
    {0},
};

static const gi_command convert = {
    .name = "convert",
    .group = GI_GROUP_DATA,
    .summary = "write the tensors of a file of any format as another file",
    .help =
        "Reads FILE, whose format is found by its content, and writes all of its tensors under "
        "their names to OUT. Element types are kept where the format of OUT has them; "
        "quantised "
        "tensors become f32, and bfloat16 becomes f32 in NumPy's formats. Metadata goes along "
        "into safetensors.\n\n"
        "FILE is checked as if it came from an enemy: what does not hold together is refused "
        "with a message that says where, and nothing in it is ever run. A PyTorch checkpoint "
        "that holds more than tensors and plain data is refused with the names of what it "
        "would have called.",
    .example =
        "glia convert resnet18.pth resnet18.safetensors\n"
        "glia convert model.safetensors weights.npz\n"
        "glia convert vectors.txt vectors.npz",
    .arguments = arguments,
    .run = run,
};

const gi_command *const gi_commands_convert[] = {&convert, NULL};
