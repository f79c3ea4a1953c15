/* Darknet: the shapes that follow from the network's text, in torch's names and order. */
#include "formats/darknet.h"

#include "bytes.h"

static const char net[] =
    "[net]\nwidth=8\nheight=6\nchannels=3\n# a comment\n\n"
    "[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\nstride=1\npad=1\nactivation=leaky\n"
    "[maxpool]\nsize=2\nstride=2\n"                             /* 1: 4 x 3 x 4 */
    "[convolutional]\nfilters = 6\nsize=1\nactivation=linear\n" /* 2: 6 x 3 x 4 */
    "[route]\nlayers=-1, 1\n"                                   /* 3: 10 x 3 x 4 */
    "[upsample]\nstride=2\n"                                    /* 4: 10 x 6 x 8 */
    "[reorg]\nstride=2\n"                                       /* 5: 40 x 3 x 4 */
    "[shortcut]\nfrom=-1\n"                                     /* 6 */
    "[avgpool]\n"                                               /* 7: 40 */
    "[connected]\noutput=5\n"                                   /* 8 */
    "[softmax]\n";
enum { NUMBERS = 4 * 4 + 4 * 27 + 6 + 24 + 5 + 200 };

static char folder[600];

static int set_up(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "%s", test_dir("darknet"));
  return 0;
}

/* major, minor, revision, seen; then 0, 1, 2 ... */
static gi_str weights(int major, int minor, int numbers) {
  gi_str b = {0};
  put(&b, (uint64_t)major, 4);
  put(&b, (uint64_t)minor, 4);
  put(&b, 0, 4);
  put(&b, 7, major * 10 + minor >= 2 && major < 1000 ? 8 : 4);
  for (int i = 0; i < numbers; i++) put_float(&b, (float)i);
  return b;
}

/* A pair of files; their names without the ending. */
static const char *write_pair(const char *text, const gi_str *b) {
  static char path[700];
  char file[720];
  snprintf(path, sizeof path, "%s/net", folder);
  snprintf(file, sizeof file, "%s.cfg", path);
  OK(gi_write_file(file, text, strlen(text)));
  snprintf(file, sizeof file, "%s.weights", path);
  OK(gi_write_file(file, b->s, b->n));
  return path;
}

static glia_status open_pair(const char *text, const gi_str *b, const char *ending,
                             glia_file **f) {
  char file[720];
  snprintf(file, sizeof file, "%s%s", write_pair(text, b), ending);
  return glia_file_open(file, f);
}

static void run_of(double *want, int from, int n) {
  for (int i = 0; i < n; i++) want[i] = from + i;
}

static void networks_are_read(void **state) {
  (void)state;
  const char *const endings[] = {".weights", ".cfg"};
  double want[200];
  for (int i = 0; i < 2; i++) {
    gi_str b = weights(0, 2, NUMBERS);
    glia_file *f = NULL;
    OK(open_pair(net, &b, endings[i], &f));
    assert_string_equal(glia_file_format(f), "darknet");
    assert_int_equal(glia_file_count(f), 9);
    holds(f, "layer.0.bn.bias", "F32", SHAPE(4), WANT(0, 1, 2, 3));
    holds(f, "layer.0.bn.weight", "F32", SHAPE(4), WANT(4, 5, 6, 7));
    holds(f, "layer.0.bn.running_mean", "F32", SHAPE(4), WANT(8, 9, 10, 11));
    holds(f, "layer.0.bn.running_var", "F32", SHAPE(4), WANT(12, 13, 14, 15));
    run_of(want, 16, 108);
    holds(f, "layer.0.conv.weight", "F32", SHAPE(4, 3, 3, 3), want);
    run_of(want, 124, 6);
    holds(f, "layer.2.conv.bias", "F32", SHAPE(6), want);
    run_of(want, 130, 24);
    holds(f, "layer.2.conv.weight", "F32", SHAPE(6, 4, 1, 1), want);
    run_of(want, 154, 5);
    holds(f, "layer.8.linear.bias", "F32", SHAPE(5), want);
    run_of(want, 159, 200);
    holds(f, "layer.8.linear.weight", "F32", SHAPE(5, 40), want);
    glia_file_close(f);
    gi_str_free(&b);
  }
}

/* Before 0.2 the header is shorter; versions above 1000 turn the weights of connected layers.
 */
static void old_headers_are_read(void **state) {
  (void)state;
  const char *text = "[net]\nchannels=3\nheight=1\nwidth=1\n[connected]\noutput=2\n";
  gi_str b = weights(0, 1, 8);
  glia_file *f = NULL;
  OK(open_pair(text, &b, ".weights", &f));
  holds(f, "layer.0.linear.weight", "F32", SHAPE(2, 3), WANT(2, 3, 4, 5, 6, 7));
  glia_file_close(f);
  gi_str_free(&b);
  b = weights(1001, 0, 8);
  OK(open_pair(text, &b, ".weights", &f));
  holds(f, "layer.0.linear.weight", "F32", SHAPE(2, 3), WANT(2, 4, 6, 3, 5, 7));
  glia_file_close(f);
  gi_str_free(&b);
}

static void networks_that_lie(void **state) {
  (void)state;
#define NET "[net]\nchannels=3\nheight=4\nwidth=4\n"
  const struct {
    const char *text, *words;
  } cases[] = {
      {"", "wanted 1 to"},
      {"# nothing\n", "the network is empty"},
      {"channels=3\n", "line 1: wanted a [section]"},
      {"[convolutional]\n", "wanted [net]"},
      {"[net]\nheight=4\nwidth=4\n", "channels is missing"},
      {"[net]\nchannels=0\nheight=4\nwidth=4\n", "channels is 0"},
      {"[net]\nchannels=99999999999\nheight=4\nwidth=4\n", "channels is 99999999999"},
      {NET "[convolutional]\nfilters\n", "line 6: wanted key=value"},
      {NET "[convolutional]\nfilters=two\n", "filters is two"},
      {NET "[convolutional]\nfilters=1000000\nsize=1000\n", "larger than what it is given"},
      {NET "[convolutional]\nfilters=1000000\nsize=1000\npad=1\n", "wants"},
      {NET "[convolutional]\ngroups=2\n", "2 groups do not divide"},
      {NET "[convolutional]\nshare_index=0\n", "shared weights"},
      {NET "[convolutional\nfilters=2\n", "wanted a [section]"},
      {NET "[route]\n", "layers is missing"},
      {NET "[route]\nlayers=-1\n", "is no layer before it"},
      {NET "[dropout]\n[route]\nlayers=1\n", "is no layer before it"},
      {NET "[dropout]\n[maxpool]\nstride=2\n[route]\nlayers=0,1\n", "of another size"},
      {NET "[upsample]\nstride=1000000\n", "too large"},
      {NET "[reorg]\nstride=5\n", "larger than what it is given"},
      {NET "[lstm]\noutput=5\n", "[lstm] are not read"},
      {NET "[connected]\noutput=1000000\n", "wants 4000000 bytes"},
      {NET "[dropout]\n", "4 bytes of the file of weights belong to no layer"},
  };
  gi_str b = weights(0, 2, 1);
  for (int i = 0; i < GI_COUNT(cases); i++) {
    glia_file *f = NULL;
    const glia_status s = open_pair(cases[i].text, &b, ".weights", &f);
    if (s == GLIA_OK) fail_msg("\"%s\" is read", cases[i].text);
    if (strstr(glia_error_message(), cases[i].words) == NULL)
      fail_msg("\"%s\" does not hold \"%s\"", glia_error_message(), cases[i].words);
  }
  gi_str_free(&b);
}

static void both_files_are_wanted(void **state) {
  (void)state;
  char file[720];
  glia_file *f = NULL;
  snprintf(file, sizeof file, "%s/alone.weights", folder);
  OK(gi_write_file(file, "x", 1));
  FAILS(glia_file_open(file, &f), GLIA_IO, "alone.cfg");
  gi_str b = weights(0, 2, NUMBERS);
  for (size_t cut = 0; cut < b.n; cut += 13) {
    const gi_str part = {.s = b.s, .n = cut};
    if (open_pair(net, &part, ".cfg", &f) == GLIA_OK) fail_msg("cut to %zu is read", cut);
  }
  gi_str_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(networks_are_read),
      cmocka_unit_test(old_headers_are_read),
      cmocka_unit_test(networks_that_lie),
      cmocka_unit_test(both_files_are_wanted),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
