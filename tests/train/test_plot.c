/* Plots: round axes, SVG that is well-formed whatever the names, PNG that decodes, and any
 * data, however odd, giving a picture. */
#include "test.h"
#include "train/markup.h"

#include "train/plot.h"

/* ---- helpers ---------------------------------------------------------------------------- */

/* The SVG (owned), after looking at both forms and at the PNG; frees the picture. */
static char *render(gi_picture *p, const char *name, int *count) {
  gi_str plain = {0}, themed = {0}, png = {0};
  OK(gi_picture_svg(p, false, &plain));
  OK(gi_picture_svg(p, true, &themed));
  const int n = well_formed(plain.s, name);
  /* on its own it has a sheet of paper */
  assert_int_equal(well_formed(themed.s, name), n - (strcmp(name, "rect") == 0));
  assert_null(strstr(plain.s, "var("));
  assert_non_null(strstr(themed.s, "var(--gi-"));
  assert_null(strstr(plain.s, "nan"));
  assert_null(strstr(plain.s, "inf"));
  if (gi_picture_has_png()) {
    gi_image im = {0};
    OK(gi_picture_png(p, 1, &png));
    OK(gi_png_decode(png.s, png.n, "plot", false, &im));
    assert_int_equal(im.width, (int)ceil(gi_picture_width(p)));
    assert_int_equal(im.height, (int)ceil(gi_picture_height(p)));
    bool ink = false; /* something was drawn */
    for (int i = 0; i < im.width * im.height && !ink; i++) ink = im.px[i * im.channels] < 128;
    assert_true(ink);
    gi_image_clear(&im);
  } else {
    FAILS(gi_picture_png(p, 1, &png), GLIA_UNSUPPORTED, "without cairo");
  }
  gi_str_free(&png);
  gi_str_free(&themed);
  gi_picture_free(p);
  if (count != NULL) *count = n;
  return gi_str_take(&plain);
}

/* ---- axes ------------------------------------------------------------------------------- */

static void check_axis(double low, double high, bool log, int most, bool fit, bool whole) {
  gi_axis_scale a;
  gi_axis_fit(&a, low, high, log, most, fit, whole);
  a.from = 100;
  a.to = 500;
  if (a.n < 1 || a.n > GI_TICKS_MAX) fail_msg("%d ticks for %g..%g", a.n, low, high);
  assert_true(a.low < a.high);
  for (int i = 0; i < a.n; i++) {
    const double at = gi_axis_at(&a, a.tick[i]);
    if (at < 100 - 1e-6 || at > 500 + 1e-6)
      fail_msg("tick %g is outside %g..%g", a.tick[i], low, high);
    if (i > 0) assert_true(a.tick[i] > a.tick[i - 1]);
    if (i > 0 && strcmp(a.text[i], a.text[i - 1]) == 0)
      fail_msg("\"%s\" twice on %g..%g", a.text[i], low, high);
    if (whole) assert_true(a.tick[i] == floor(a.tick[i]));
  }
  if (!fit && !log) { /* both ends are ticks */
    assert_true(fabs(gi_axis_at(&a, a.tick[0]) - 100) < 1e-6);
    assert_true(fabs(gi_axis_at(&a, a.tick[a.n - 1]) - 500) < 1e-6);
  }
  for (int i = 0; i < 2; i++) {
    const double at = gi_axis_at(&a, i == 0 ? low : high);
    assert_true(at >= 100 - 1e-6 && at <= 500 + 1e-6); /* the data are inside */
  }
}

static void test_axes(void **state) {
  (void)state;
  static const double ends[][2] = {
      {0, 1},          {0, 0},           {5, 5},           {-3, 7},         {1, 12},
      {0.001, 0.0011}, {1e-9, 2e9},      {1e300, 1.1e300}, {-1e-12, 1e-12}, {0.97, 0.999},
      {1, 1e5},        {123456, 123457}, {0.05, 1.21},
  };
  for (int i = 0; i < GI_COUNT(ends); i++)
    for (int k = 0; k < 12; k++) {
      const double low = ends[i][0], high = ends[i][1];
      const bool log = k % 2 == 1 && low > 0;
      check_axis(low, high, log, 2 + k, k % 3 == 0, false);
      if (fabs(high) < 1e9) check_axis(low, high, false, 2 + k, k % 3 != 0, true);
    }
  gi_axis_scale a;
  gi_axis_fit(&a, 0.12, 0.93, false, 6, false, false);
  assert_int_equal(a.n, 6);
  assert_string_equal(a.text[0], "0.0");
  assert_string_equal(a.text[5], "1.0");
  gi_axis_fit(&a, 1e-7, 10, true, 8, true, false);
  assert_string_equal(a.text[0], "1e-7");
  gi_axis_fit(&a, 1, 12, false, 14, true, true);
  assert_string_equal(a.text[0], "1");
  assert_string_equal(a.text[11], "12");
}

/* ---- curves ----------------------------------------------------------------------------- */

static void test_curves(void **state) {
  (void)state;
  const double train[] = {2, 1, 0.5}, valid[] = {2.1, 1.3, 1.1};
  const gi_series s[] = {{.name = "train <&> \"loss\"", .y = train, .n = 3},
                         {.name = "valid\xff\x01", .y = valid, .n = 3, .dashed = true}};
  const gi_mark mark = {3, "best"};
  gi_picture *p;
  OK(gi_plot_lines(&(gi_line_chart){.title = "Loss",
                                    .x_label = "epoch",
                                    .y_label = "nats",
                                    .series = s,
                                    .n = 2,
                                    .marks = &mark,
                                    .n_marks = 1,
                                    .whole_x = true},
                   &p));
  int dots;
  char *svg = render(p, "circle", &dots);
  assert_int_equal(dots, 6);
  assert_non_null(strstr(svg, "train &lt;&amp;&gt; &quot;loss&quot;"));
  assert_non_null(strstr(svg, "valid\xef\xbf\xbd <")); /* U+FFFD, and a blank for the control */
  assert_non_null(strstr(svg, "stroke-dasharray"));
  assert_non_null(strstr(svg, ">best<"));
  gi_free(svg);
}

static void test_odd_curves(void **state) {
  (void)state;
  const double holes[] = {(double)NAN, 1, INFINITY, 2, 3, -INFINITY, -1, 1e308};
  const double none[] = {(double)NAN, -1, 0};
  gi_picture *p;
  for (int k = 0; k < 4; k++) {
    const gi_series s[] = {{.name = "", .y = holes, .n = 8}, {.y = none, .n = 3}, {.n = 0}};
    const int n = k == 3 ? 0 : 3;
    OK(gi_plot_lines(
        &(gi_line_chart){.title = "x", .series = s, .n = n, .log_y = k == 1, .log_x = k == 2},
        &p));
    gi_free(render(p, "path", NULL));
  }
  FAILS(gi_plot_lines(&(gi_line_chart){.width = 10}, &p), GLIA_INVALID, "at least");
}

/* A hundred thousand points: all peaks are kept, the file stays small. */
static void test_long_curve(void **state) {
  (void)state;
  enum { N = 100000 };
  double *y = calloc(N, sizeof *y);
  y[33333] = 5;
  gi_picture *p;
  const gi_series s = {.y = y, .n = N};
  OK(gi_plot_lines(&(gi_line_chart){.title = "x", .series = &s, .n = 1}, &p));
  const gi_shape *curve = &p->shapes.at[p->shapes.n - 1];
  assert_int_equal(curve->kind, GI_SHAPE_PATH);
  double top = INFINITY;
  for (int64_t i = 0; i < curve->n; i++) top = fmin(top, curve->xy[2 * i + 1]);
  char *svg = render(p, "path", NULL);
  assert_true(strlen(svg) < 60000);
  assert_true(top < 60); /* the peak reaches the upper end */
  gi_free(svg);
  free(y);
}

/* ---- confusion matrices and pictures ---------------------------------------------------- */

static const char *class_name(void *user, int c) {
  (void)user;
  return c == 0   ? "<script>"
         : c == 1 ? "a name that is far too long to be written in full here"
                  : "c";
}

static void test_confusion(void **state) {
  (void)state;
  static const int sizes[] = {1, 2, 10, 30, 31, 100, 700};
  for (int k = 0; k < GI_COUNT(sizes); k++) {
    const int n = sizes[k];
    int64_t *counts = calloc((size_t)n * (size_t)n, sizeof *counts);
    for (int i = 0; i < n; i++) counts[(size_t)i * (size_t)n + (size_t)i] = 90;
    counts[n - 1] += 12345678;
    gi_picture *p;
    OK(gi_plot_confusion(&(gi_confusion_chart){.title = "Confusion",
                                               .counts = counts,
                                               .n = n,
                                               .name = k % 2 == 0 ? NULL : class_name},
                         &p));
    int rects;
    char *svg = render(p, "rect", &rects);
    assert_int_equal(rects, 1 + (n <= 30 ? n * n : n + 1)); /* paper and the cells drawn */
    if (k % 2 == 1) assert_non_null(strstr(svg, "&lt;script&gt;"));
    assert_null(strstr(svg, "<script>"));
    if (n == 10) assert_non_null(strstr(svg, ">12M<"));
    gi_free(svg);
    free(counts);
  }
  gi_picture *p;
  FAILS(gi_plot_confusion(&(gi_confusion_chart){.n = 0}, &p), GLIA_INVALID, "0 classes");
}

static void test_images(void **state) {
  (void)state;
  gi_image im[4];
  gi_tile tiles[5] = {{.caption = "nothing there"}};
  for (int i = 0; i < 4; i++) {
    OK(gi_image_new(&im[i], i + 1, 3 + 40 * i, 5 + 300 * (i == 3), "tile"));
    tiles[i + 1] =
        (gi_tile){.image = &im[i], .caption = "7 (99.8 %)", .note = "is 9", .wrong = true};
  }
  gi_picture *p;
  OK(gi_plot_images(&(gi_image_grid){.title = "Mistakes", .tiles = tiles, .n = 5, .columns = 2},
                    &p));
  int n;
  char *svg = render(p, "image", &n);
  assert_int_equal(n, 4);
  assert_non_null(strstr(svg, "data:image/png;base64,iVBORw0KGgo"));
  gi_free(svg);
  OK(gi_plot_images(&(gi_image_grid){.tiles = tiles, .n = 1}, &p));
  gi_free(render(p, "text", NULL));
  FAILS(gi_plot_images(&(gi_image_grid){.tiles = tiles, .n = 0}, &p), GLIA_INVALID,
        "0 pictures");
  for (int i = 0; i < 4; i++) gi_image_clear(&im[i]);
}

/* ---- files, memory ---------------------------------------------------------------------- */

static void test_files(void **state) {
  (void)state;
  char path[600];
  gi_picture *p;
  const double y[] = {1, 2};
  const gi_series s = {.y = y, .n = 2};
  OK(gi_plot_lines(&(gi_line_chart){.title = "x", .series = &s, .n = 1}, &p));
  const char *dir = test_dir("plot");
  snprintf(path, sizeof path, "%s/a.svg", dir);
  OK(gi_picture_save(p, path));
  gi_map m;
  OK(gi_map_open(&m, path));
  assert_memory_equal(m.p, "<svg ", 5);
  gi_map_close(&m);
  snprintf(path, sizeof path, "%s/a.png", dir);
  if (gi_picture_has_png()) {
    OK(gi_picture_save(p, path));
    OK(gi_map_open(&m, path));
    assert_true(gi_is_png(m.p, m.n));
    gi_map_close(&m);
  } else {
    FAILS(gi_picture_save(p, path), GLIA_UNSUPPORTED, "cairo");
    assert_false(gi_exists(path));
  }
  snprintf(path, sizeof path, "%s/a.gif", dir);
  FAILS(gi_picture_save(p, path), GLIA_INVALID, ".svg or .png");
  snprintf(path, sizeof path, "%s/none/a.svg", dir);
  FAILS(gi_picture_save(p, path), GLIA_DISK, "a.svg");
  gi_picture_free(p);
  gi_picture_free(NULL);
}

static glia_status draw_and_write(void) {
  const double y[] = {1, 2, 3};
  const gi_series s = {.name = "loss", .y = y, .n = 3};
  gi_picture *p;
  GI_TRY(gi_plot_lines(&(gi_line_chart){.title = "x", .series = &s, .n = 1}, &p));
  gi_str out = {0};
  const glia_status status = gi_picture_svg(p, false, &out);
  gi_str_free(&out);
  gi_picture_free(p);
  return status;
}

static void test_without_memory(void **state) {
  (void)state;
  gi_alloc_count();
  OK(draw_and_write());
  const int64_t n = gi_alloc_count();
  assert_true(n > 3);
  for (int64_t i = 1; i <= n; i++) {
    gi_alloc_fail_after(i);
    FAILS(draw_and_write(), GLIA_NOMEM, "");
  }
  gi_alloc_fail_after(0);
}

/* ---- text ------------------------------------------------------------------------------- */

static void fit(const char *s, int columns, int pad, const char *want) {
  gi_str out = {0};
  gi_utf8_fit(&out, s, columns, pad);
  assert_string_equal(out.s != NULL ? out.s : "", want);
  gi_str_free(&out);
}

static void test_text(void **state) {
  (void)state;
  assert_int_equal(gi_utf8_columns("abc"), 3);
  assert_int_equal(gi_utf8_columns("日本"), 4);
  assert_int_equal(gi_utf8_columns("e\xcc\x81"), 1);        /* e and a combining accent */
  assert_int_equal(gi_utf8_columns("\xf0\x9f\x90\xb1"), 2); /* cat face */
  fit("abc", 5, 1, "abc  ");
  fit("abc", 5, -1, "  abc");
  fit("abcdef", 4, 1, "abc…");
  fit("日本語", 4, 1, "日… ");
  fit("日本語", 4, -1, "日… ");
  fit("\x1b[31mred", 20, 0, " [31mred"); /* no escape sequence reaches a terminal */
  fit("\xc3(", 9, 0, "\xef\xbf\xbd(");
  fit("a\xe2\x80\xae"
      "b",
      9, 0, "a b"); /* right-to-left override */
  fit("abc", 0, 0, "");
  gi_str out = {0};
  gi_base64(&out, "M", 1);
  gi_base64(&out, "Ma", 2);
  gi_base64(&out, "Man", 3);
  gi_base64(&out, "\xff\xfe\xfd", 3);
  assert_string_equal(out.s, "TQ==TWE=TWFu//79");
  gi_str_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_axes),       cmocka_unit_test(test_curves),
      cmocka_unit_test(test_odd_curves), cmocka_unit_test(test_long_curve),
      cmocka_unit_test(test_confusion),  cmocka_unit_test(test_images),
      cmocka_unit_test(test_files),      cmocka_unit_test(test_without_memory),
      cmocka_unit_test(test_text),
  };
  return cmocka_run_group_tests_name("plot", tests, NULL, NULL);
}
