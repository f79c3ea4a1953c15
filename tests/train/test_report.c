/* report.html: all parts are there, the page stands alone, and no text of the outside can
 * become markup. */
#include "test.h"
#include "train/markup.h"

#include "train/report.h"

#define EVIL "<script>alert('x')</script>\"'&\xff\x02 end"

static const char *evil_name(void *user, int c) {
  (void)user;
  return c == 0 ? EVIL : "cat";
}

/* A report with everything in it; what it borrows lives until report_clear. */
typedef struct sample {
  gi_report r;
  gi_log_csv *log;
  glia_evaluation *evaluation;
  glia_summary summary;
  glia_summary_row rows[2];
  gi_image image;
  gi_report_example examples[2];
  gi_fact facts[2];
  const char *warnings[8];
  gi_picture *plot;
  const gi_picture *plots[1];
} sample;

static gi_log_csv *log_of(int epochs) {
  static const char *const names[] = {"epoch",    "train_loss", "valid_loss",
                                      "accuracy", "lr",         "time"};
  gi_log_csv *log;
  OK(gi_log_csv_new(names, 6, &log));
  for (int i = 1; i <= epochs; i++)
    OK(gi_log_csv_add(
        log, (const double[]){i, 1.0 / i, i == 2 ? (double)NAN : 1.5 / i, 0.9, 1e-3, 70}));
  return log;
}

static void sample_make(sample *s) {
  *s = (sample){.log = log_of(3)};
  OK(glia_evaluation_new(&(glia_evaluation_opts){.classes = 4}, &s->evaluation));
  OK(glia_evaluation_add_labels(s->evaluation, (const int64_t[]){0, 0, 1, 2, 3},
                                (const int64_t[]){0, 2, 1, 2, 2}, 5));
  snprintf(s->rows[0].layer, sizeof s->rows[0].layer, "conv1<b>");
  snprintf(s->rows[0].op, sizeof s->rows[0].op, "conv2d");
  s->rows[0].rank = 4;
  s->rows[0].parameters = 1234567;
  s->rows[0].flops = 2.5e9;
  s->summary = (glia_summary){.n = 2, .rows = s->rows, .parameters = 1234567, .flops = 2.5e9};
  OK(gi_image_new(&s->image, 3, 4, 5, "x"));
  for (int i = 0; i < 2; i++)
    s->examples[i] = (gi_report_example){.image = i == 0 ? &s->image : NULL,
                                         .name = EVIL,
                                         .truth = EVIL,
                                         .guess = EVIL,
                                         .wrong = i == 1,
                                         .n = 1,
                                         .labels = {EVIL},
                                         .probabilities = {1.5}};
  s->facts[0] = (gi_fact){"seed", "42"};
  s->facts[1] = (gi_fact){EVIL, EVIL};
  for (int i = 0; i < 8; i++) s->warnings[i] = EVIL;
  OK(gi_picture_new(50, 50, &s->plot));
  gi_draw_text(s->plot, 5, 20, (gi_text_style){0}, (gi_paint){GI_INK, 1}, EVIL);
  s->plots[0] = s->plot;
  s->r = (gi_report){.title = EVIL,
                     .summary = EVIL,
                     .command = EVIL,
                     .facts = s->facts,
                     .n_facts = 2,
                     .warnings = s->warnings,
                     .n_warnings = 8,
                     .more_warnings = 92,
                     .log = s->log,
                     .best_epoch = 3,
                     .model = &s->summary,
                     .evaluation = s->evaluation,
                     .evaluated_on = EVIL,
                     .class_name = evil_name,
                     .examples = s->examples,
                     .n_examples = 1,
                     .mistakes = s->examples + 1,
                     .n_mistakes = 1,
                     .plots = s->plots,
                     .n_plots = 1};
}

static void sample_clear(sample *s) {
  gi_log_csv_free(s->log);
  glia_evaluation_free(s->evaluation);
  gi_image_clear(&s->image);
  gi_picture_free(s->plot);
}

static int count_of(const char *text, const char *what) {
  int n = 0;
  for (const char *p = text; (p = strstr(p, what)) != NULL; p++) n++;
  return n;
}

static void test_whole(void **state) {
  (void)state;
  sample s;
  sample_make(&s);
  gi_str out = {0};
  OK(gi_report_html(&s.r, &out));
  /* loss, metrics, confusion matrix, the further plot */
  assert_int_equal(well_formed(out.s, "svg"), 4);
  assert_int_equal(well_formed(out.s, "h2"), 7);
  assert_int_equal(well_formed(out.s, "img"), 1);
  assert_int_equal(well_formed(out.s, "script"), 0);
  /* the only addresses are the name of SVG's language and pictures within */
  assert_int_equal(count_of(out.s, "http://"), count_of(out.s, "http://www.w3.org/2000/svg"));
  assert_int_equal(count_of(out.s, "src="), count_of(out.s, "src=\"data:image/png;base64,"));
  assert_null(strstr(out.s, "https:"));
  assert_null(strstr(out.s, "url("));
  assert_null(strstr(out.s, "href"));
  assert_non_null(strstr(out.s, "default-src 'none'"));
  assert_non_null(strstr(out.s, "prefers-color-scheme:dark"));
  /* figures */
  assert_non_null(strstr(out.s, "60.00 %</b><span>accuracy"));
  assert_non_null(strstr(out.s, "1\u202f234\u202f567</b><span>parameters"));
  assert_non_null(strstr(out.s, "3 min 30 s</b><span>training"));
  assert_non_null(strstr(out.s, "2.50 G"));
  assert_non_null(strstr(out.s, "100 warnings"));
  assert_non_null(strstr(out.s, "and 92 more"));
  assert_non_null(strstr(out.s, "<tr class=\"best\"><td>3</td><td>0.3333</td>"));
  assert_non_null(strstr(out.s, "<td>–</td>"));                /* the missing validation loss */
  assert_non_null(strstr(out.s, "style=\"width:100%\"></i>")); /* a probability above 1 */
  assert_null(strstr(out.s, "log_loss")); /* needs scores, there were labels only */
  gi_str_free(&out);
  sample_clear(&s);
}

static void test_parts(void **state) {
  (void)state;
  gi_str out = {0};
  OK(gi_report_html(&(gi_report){.title = "empty"}, &out));
  assert_int_equal(well_formed(out.s, "h2"), 0);
  gi_str_free(&out);

  gi_log_csv *log = log_of(40); /* folded away */
  glia_evaluation *e;
  OK(glia_evaluation_new(NULL, &e));
  glia_tensor *x, *y;
  const double t[] = {1, 2, 3}, p[] = {1, 2, 4};
  OK(glia_tensor_from(GLIA_F64, 1, (const int64_t[]){3}, p, &x));
  OK(glia_tensor_from(GLIA_F64, 1, (const int64_t[]){3}, t, &y));
  OK(glia_evaluation_add(e, x, y));
  OK(gi_report_html(&(gi_report){.title = "numbers", .log = log, .evaluation = e}, &out));
  assert_int_equal(well_formed(out.s, "details"), 1);
  assert_non_null(strstr(out.s, "All 40 epochs"));
  assert_non_null(strstr(out.s, "<td class=\"l\">r2</td><td>0.5000</td>"));
  assert_null(strstr(out.s, "accuracy</td>"));
  assert_null(strstr(out.s, "Confusion"));
  gi_str_free(&out);
  glia_tensor_free(x);
  glia_tensor_free(y);
  glia_evaluation_free(e);
  gi_log_csv_free(log);
}

static void test_file(void **state) {
  (void)state;
  char path[600];
  snprintf(path, sizeof path, "%s/report.html", test_dir("report"));
  OK(gi_report_write(&(gi_report){.title = "x"}, path));
  assert_true(gi_exists(path));
  FAILS(gi_report_write(&(gi_report){.title = "x"}, "/nowhere/report.html"), GLIA_DISK,
        "report.html");
}

static void test_without_memory(void **state) {
  (void)state;
  sample s;
  sample_make(&s);
  gi_str out = {0};
  gi_alloc_count();
  OK(gi_report_html(&s.r, &out));
  const int64_t n = gi_alloc_count();
  gi_str_free(&out);
  assert_true(n > 20);
  for (int64_t i = 1; i <= n; i++) {
    gi_str cut = {0};
    gi_alloc_fail_after(i);
    FAILS(gi_report_html(&s.r, &cut), GLIA_NOMEM, "");
    gi_str_free(&cut);
  }
  gi_alloc_fail_after(0);
  sample_clear(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole),
      cmocka_unit_test(test_parts),
      cmocka_unit_test(test_file),
      cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
