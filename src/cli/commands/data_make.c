/* glia data make SET DIR: draws a data set that comes with the program. */
#include "cli/cli.h"
#include "glia/data.h"

static glia_status run(gi_cli *c) {
  const char *dir = gi_cli_argument(c, "DIR");
  const glia_digits_opts opt = {
      .size = sizeof opt,
      .train = (int)gi_cli_i64(c, "train"),
      .test = (int)gi_cli_i64(c, "test"),
      .seed = (uint64_t)gi_cli_i64(c, "seed"),
  };
  const double start = gi_now();
  GI_TRY(glia_make_digits(dir, &opt));
  gi_cli_note(c, "drew %d + %d pictures in %.1f s", opt.train, opt.test, gi_now() - start);
  if (!c->json) {
    printf("%s: 10 classes, %d pictures to train on and %d to test with\n", dir, opt.train,
           opt.test);
    return GLIA_OK;
  }
  gi_json *j = gi_json_object();
  gi_json_set_str(j, "dir", dir);
  gi_json_set_int(j, "classes", 10);
  gi_json_set_int(j, "train", opt.train);
  gi_json_set_int(j, "test", opt.test);
  return gi_cli_print_json(j);
}

static const char *const sets[] = {"digits", NULL};

static const gi_argument arguments[] = {
    {.name = "SET",
     .kind = GI_OPTION_CHOICE,
     .choices = sets,
     .help = "digits: 28x28 gray pictures of handwritten-like digits"},
    {.name = "DIR", .kind = GI_OPTION_PATH, .help = "the folder to make"},
    {0},
};

static const gi_option options[] = {
    {.name = "train",
     .kind = GI_OPTION_I64,
     .min = 20,
     .max = 1000000,
     .fallback = "4000",
     .help = "pictures in train/"},
    {.name = "test",
     .kind = GI_OPTION_I64,
     .min = 10,
     .max = 1000000,
     .fallback = "1000",
     .help = "pictures in test/"},
    GI_OPTION_SEED,
    {0},
};

static const gi_command data_make = {
    .name = "data make",
    .group = GI_GROUP_DATA,
    .summary = "draw a bundled data set into a folder",
    .help =
        "Draws pictures into DIR/train/CLASS and DIR/test/CLASS as PNG files, so that there is "
        "something to train on without a download. The pictures are synthetic: pen strokes "
        "with seeded distortion, thickness and noise. The same options give the same bytes.",
    .example =
        "glia data make digits data/digits\n"
        "glia data make digits data/small --train 500 --test 100 --seed 7",
    .arguments = arguments,
    .options = options,
    .run = run,
};

const gi_command *const gi_commands_data_make[] = {&data_make, NULL};
