/* The parser of the command line, on a row made for it, and what must hold for every row. */
#include "test.h"

#include "cli/cli.h"

static const char *const colors[] = {"red", "green", "blue", NULL};

static const gi_option options[] = {
    {.name = "epochs",
     .letter = 'e',
     .kind = GI_OPTION_I64,
     .min = 1,
     .max = 1000,
     .fallback = "5",
     .help = "passes over the data"},
    {.name = "lr", .kind = GI_OPTION_F64, .above = true, .max = 10, .help = "learning rate"},
    GI_OPTION_SEED,
    {.name = "color",
     .kind = GI_OPTION_CHOICE,
     .choices = colors,
     .fallback = "green",
     .help = "of the line"},
    {.name = "net",
     .letter = 'n',
     .kind = GI_OPTION_PATH,
     .value = "FILE",
     .help = "the network"},
    {.name = "strict", .kind = GI_OPTION_FLAG, .help = "refuse"},
    {0},
};

static const gi_argument arguments[] = {
    {.name = "DATA", .kind = GI_OPTION_PATH, .help = "what to train on"},
    {.name = "FILE", .kind = GI_OPTION_PATH, .optional = true, .many = true, .help = "more"},
    {0},
};

static const gi_command row = {
    .name = "try",
    .summary = "be tried",
    .help = "Tries.",
    .arguments = arguments,
    .options = options,
};

static gi_cli c;
static const char *words[32];

static glia_status parse(const char *line) {
  static char copy[512];
  snprintf(copy, sizeof copy, "%s", line);
  int n = 0;
  for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
    words[n++] = word;
  return gi_cli_parse(&c, &row, n, words);
}

static void values(void **state) {
  (void)state;
  OK(parse("data --epochs 7 --lr=3e-4 -n a.net --strict one two --color blue --seed 9"));
  assert_int_equal(gi_cli_i64(&c, "epochs"), 7);
  assert_true(gi_cli_f64(&c, "lr") == 3e-4);
  assert_string_equal(gi_cli_text(&c, "net"), "a.net");
  assert_true(gi_cli_flag(&c, "strict"));
  assert_int_equal(gi_cli_choice(&c, "color"), 2);
  assert_int_equal(gi_cli_i64(&c, "seed"), 9);
  assert_string_equal(gi_cli_argument(&c, "DATA"), "data");
  assert_int_equal(c.n_rest, 2);
  assert_string_equal(c.rest[0], "one");
  assert_string_equal(c.rest[1], "two");
}

static void fallbacks(void **state) {
  (void)state;
  OK(parse("data"));
  assert_int_equal(gi_cli_i64(&c, "epochs"), 5);
  assert_false(gi_cli_given(&c, "epochs"));
  assert_int_equal(gi_cli_choice(&c, "color"), 1);
  assert_null(gi_cli_text(&c, "net"));
  assert_false(gi_cli_given(&c, "lr"));
  assert_null(gi_cli_argument(&c, "FILE"));
  assert_int_equal(c.n_rest, 0);
}

static void forms(void **state) {
  (void)state;
  OK(parse("data -e3 -e 4 --epochs=5")); /* the last one counts */
  assert_int_equal(gi_cli_i64(&c, "epochs"), 5);
  OK(parse("-- --data -e")); /* behind -- all are arguments */
  assert_string_equal(gi_cli_argument(&c, "DATA"), "--data");
  assert_string_equal(c.rest[0], "-e");
  OK(parse("-")); /* standard input, by habit */
  assert_string_equal(gi_cli_argument(&c, "DATA"), "-");
  OK(parse("data --net=--json"));
  assert_string_equal(gi_cli_text(&c, "net"), "--json");
  OK(parse("--help")); /* help asks for no arguments */
  assert_true(c.help);
}

static void refusals(void **state) {
  (void)state;
  FAILS(parse("data --epochs -1"), GLIA_INVALID,
        "--epochs is '-1', wanted a whole number from 1 to 1000");
  FAILS(parse("data --epochs 1001"), GLIA_INVALID, "from 1 to 1000");
  FAILS(parse("data --epochs 1.5"), GLIA_INVALID, "'1.5', wanted a whole number");
  FAILS(parse("data --epochs 99999999999999999999"), GLIA_INVALID, "wanted a whole number");
  FAILS(parse("data --lr abc"), GLIA_INVALID,
        "--lr is 'abc', wanted a number above 0, at most 10");
  FAILS(parse("data --lr 0"), GLIA_INVALID, "above 0");
  FAILS(parse("data --lr nan"), GLIA_INVALID, "above 0");
  FAILS(parse("data --lr 11"), GLIA_INVALID, "at most 10");
  FAILS(parse("data --seed -2"), GLIA_INVALID, "a whole number of at least 0");
  FAILS(parse("data --color grene"), GLIA_INVALID, "did you mean 'green'?");
  FAILS(parse("data --epoch 3"), GLIA_INVALID, "did you mean '--epochs'?");
  FAILS(parse("data --epoch=3"), GLIA_INVALID, "did you mean '--epochs'?");
  FAILS(parse("data -x"), GLIA_INVALID, "there is no option '-x'");
  FAILS(parse("data --net"), GLIA_INVALID, "--net wants a path, but nothing follows");
  FAILS(parse("data --net --json"), GLIA_INVALID, "'--json' follows");
  FAILS(parse("data --net="), GLIA_INVALID, "--net is empty");
  FAILS(parse("data --strict=1"), GLIA_INVALID, "takes no value");
  FAILS(parse(""), GLIA_INVALID,
        "DATA is missing (what to train on); usage: glia try DATA [FILE...]");
}

/* No command line makes the parser read out of its words or answer other than by a status. */
static void random_words(void **state) {
  (void)state;
  static const char *const parts[] = {"--",
                                      "-",
                                      "--epochs",
                                      "--epochs=",
                                      "-e",
                                      "-e-1",
                                      "--=",
                                      "=",
                                      "--lr",
                                      "1e999",
                                      "--color=",
                                      "x",
                                      "",
                                      "-\xff",
                                      "--json",
                                      "--seed",
                                      "9223372036854775808",
                                      "--help",
                                      "-n",
                                      "-q"};
  const gi_rng r = {.seed = 1, .stream = gi_hash_str("words", 0)};
  int accepted = 0;
  for (uint64_t i = 0; i < 20000; i++) {
    const char *line[6];
    const int n = (int)gi_rng_below(&r, i * 8, 7);
    for (int k = 0; k < n; k++)
      line[k] = parts[gi_rng_below(&r, i * 8 + 1 + (uint64_t)k, GI_COUNT(parts))];
    accepted += gi_cli_parse(&c, &row, n, line) == GLIA_OK;
  }
  assert_in_range(accepted, 100, 19900);
}

/* A fault in a row (a default out of range, two options of one name) shows here, not to a user.
 */
static void every_row(void **state) {
  (void)state;
  for (int i = 0; i < gi_command_count(); i++) {
    const gi_command *command = gi_command_at(i);
    assert_non_null(command->run);
    assert_non_null(command->help);
    assert_ptr_equal(gi_command_find(command->name), command);
    assert_true(strlen(command->summary) <= 60);
    const char *help = "--help";
    if (gi_cli_parse(&c, command, 1, &help) != GLIA_OK)
      fail_msg("%s: %s", command->name, glia_error_message());
    for (int a = 0; a < c.n_options; a++) {
      const gi_option *o = c.options[a].option;
      assert_non_null(o->help);
      if (o->kind == GI_OPTION_CHOICE) assert_non_null(o->choices);
      for (int b = 0; b < a; b++) {
        assert_string_not_equal(o->name, c.options[b].option->name);
        if (o->letter != 0) assert_int_not_equal(o->letter, c.options[b].option->letter);
      }
    }
    for (const gi_argument *a = command->arguments; a != NULL && a->name != NULL; a++) {
      assert_non_null(a->help);
      if (a->many) assert_null(a[1].name);
    }
    gi_str text = {0};
    gi_help_command(&text, command);
    assert_false(text.failed);
    for (char *line = strtok(text.s, "\n"); line != NULL; line = strtok(NULL, "\n"))
      if (strlen(line) > 100)
        fail_msg("%s: a line of help is too long: %s", command->name, line);
    gi_str_free(&text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values),   cmocka_unit_test(fallbacks),    cmocka_unit_test(forms),
      cmocka_unit_test(refusals), cmocka_unit_test(random_words), cmocka_unit_test(every_row),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
