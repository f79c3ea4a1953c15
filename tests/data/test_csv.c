/* CSV: quotes, line ends, headers, separators, kinds of targets; what is refused and where. */
#include "data/samples.h"

static glia_status open_text(const char *text, glia_csv_opts o, glia_dataset **out) {
  return gi_csv_dataset(text, strlen(text), "t.csv", &o, out);
}

static glia_dataset *table(const char *text, glia_csv_opts o) {
  glia_dataset *d;
  OK(open_text(text, o, &d));
  return d;
}

/* Row i holds these numbers; the label is y. */
static void check_row(const glia_dataset *d, int64_t i, const float *want, int n, double y) {
  float x[16], target;
  int64_t label;
  assert_int_equal(glia_dataset_spec(d)->shape[0], n);
  if (glia_dataset_spec(d)->classes > 0) {
    OK(glia_dataset_read(d, i, x, &label));
    assert_near((double)label, y, 0.0);
  } else {
    OK(glia_dataset_read(d, i, x, &target));
    assert_near(target, y, 1e-6);
  }
  for (int k = 0; k < n; k++) assert_true(x[k] == want[k]);
}

static void plain_tables_read(void **state) {
  (void)state;
  glia_dataset *d = table("1,2.5,yes\n-3,4e1,no\n.5,+6,yes\n", (glia_csv_opts){0});
  assert_int_equal(glia_dataset_count(d), 3);
  assert_int_equal(glia_dataset_spec(d)->classes, 2);
  assert_string_equal(glia_dataset_class(d, 0), "no");
  check_row(d, 0, (float[]){1.0f, 2.5f}, 2, 1);
  check_row(d, 1, (float[]){-3.0f, 40.0f}, 2, 0);
  check_row(d, 2, (float[]){0.5f, 6.0f}, 2, 1);
  assert_string_equal(glia_dataset_name(d, 1), "t.csv: line 2");
  glia_dataset_free(d);
}

/* The same two rows (1, 2 -> a; 3, 4 -> b) in every dress. */
static void the_same_table_in_every_dress(void **state) {
  (void)state;
  static const char *const dresses[] = {
      "1,2,a\n3,4,b\n",
      "1,2,a\n3,4,b",
      "1,2,a\r\n3,4,b\r\n",
      "1,2,a\r3,4,b\r",
      "\n\n1,2,a\n\n\n3,4,b\n\n",
      ("\xef\xbb\xbf"
       "1,2,a\n3,4,b\n"),
      "\xef\xbb\xbfx,y,z\n1,2,a\n3,4,b\n",
      "\"1\",\"2\",\"a\"\n3,4,b\n",
      "\"x\",\"long\nname\",z\r\n1,2,a\r\n3,4,b\r\n",
      " 1 , 2 ,a \n3,\t4, b\n",
      "1;2;a\n3;4;b\n",
      "1\t2\ta\n3\t4\tb\n",
      "\"x,1\";\"y,2\";z\n1;2;a\n3;4;b\n",
      "0,1,target\n1,2,a\n3,4,b\n1,2,a\n", /* checked below: text over text is a row here */
  };
  for (int i = 0; i + 1 < GI_COUNT(dresses); i++) {
    glia_dataset *d = table(dresses[i], (glia_csv_opts){0});
    assert_int_equal(glia_dataset_count(d), 2);
    check_row(d, 0, (float[]){1, 2}, 2, 0);
    check_row(d, 1, (float[]){3, 4}, 2, 1);
    assert_string_equal(glia_dataset_class(d, 0), "a");
    glia_dataset_free(d);
  }
  glia_dataset *d = table(dresses[GI_COUNT(dresses) - 1], (glia_csv_opts){0});
  assert_int_equal(glia_dataset_spec(d)->classes, 3); /* a, b, target */
  glia_dataset_free(d);
}

static void quotes_are_those_of_the_rfc(void **state) {
  (void)state;
  glia_dataset *d =
      table("v,name\n1,\"say \"\"hi\"\", then\nleave\"\n2,5'10\" tall\n", (glia_csv_opts){0});
  assert_string_equal(glia_dataset_class(d, 0), "5'10\" tall");
  assert_string_equal(glia_dataset_class(d, 1), "say \"hi\", then\nleave");
  assert_string_equal(glia_dataset_name(d, 1), "t.csv: line 4"); /* line 3 is in the quotes */
  glia_dataset_free(d);
}

static void targets_are_what_they_hold(void **state) {
  (void)state;
  glia_dataset *d = table("1,3\n2,-1\n3,3.0\n4,-1\n", (glia_csv_opts){0}); /* few integers */
  assert_int_equal(glia_dataset_spec(d)->classes, 2);
  assert_string_equal(glia_dataset_class(d, 0), "-1");
  check_row(d, 2, (float[]){3}, 1, 1);
  glia_dataset_free(d);
  d = table("1,3\n2,-1\n3,3.0\n4,-1\n", (glia_csv_opts){.regression = true});
  assert_int_equal(glia_dataset_spec(d)->targets, 1);
  check_row(d, 1, (float[]){2}, 1, -1.0);
  glia_dataset_free(d);
  d = table("1,0.5\n2,1\n3,0.5\n", (glia_csv_opts){0}); /* not integers */
  assert_int_equal(glia_dataset_spec(d)->targets, 1);
  glia_dataset_free(d);
  d = table("1,10\n2,20\n3,30\n", (glia_csv_opts){0}); /* integers, but each another */
  assert_int_equal(glia_dataset_spec(d)->targets, 1);
  check_row(d, 2, (float[]){3}, 1, 30.0);
  glia_dataset_free(d);
  char many[4096] = "";
  for (int i = 0; i < 200; i++) snprintf(many + strlen(many), 16, "%d,%d\n", i, i % 25);
  d = table(many, (glia_csv_opts){0}); /* 25 different ones are too many for classes */
  assert_int_equal(glia_dataset_spec(d)->targets, 1);
  glia_dataset_free(d);
}

static void targets_are_named_or_numbered(void **state) {
  (void)state;
  const char *text = "kind,size,weight\na,1,2\nb,3,4\n";
  glia_dataset *d = table(text, (glia_csv_opts){.target = "kind"});
  check_row(d, 1, (float[]){3, 4}, 2, 1);
  glia_dataset_free(d);
  d = table(text, (glia_csv_opts){.target = "0"});
  check_row(d, 1, (float[]){3, 4}, 2, 1);
  glia_dataset_free(d);
  FAILS(open_text(text, (glia_csv_opts){.target = "knid"}, &d), GLIA_INVALID,
        "t.csv: has no column \"knid\"; hint: did you mean \"kind\"? (3 columns)");
  FAILS(open_text(text, (glia_csv_opts){.target = "3"}, &d), GLIA_INVALID, "no column \"3\"");
  FAILS(open_text("1,2\n3,4\n", (glia_csv_opts){.target = "x"}, &d), GLIA_INVALID,
        "name it by its number");
}

static void given_classes_keep_their_order(void **state) {
  (void)state;
  const char *const names[] = {"b", "a", "7"};
  glia_csv_opts o = {.classes = names, .n_classes = 3};
  glia_dataset *d = table("1,a\n2,b\n", o);
  assert_int_equal(glia_dataset_spec(d)->classes, 3);
  assert_int_equal(glia_dataset_label(d, 0), 1);
  assert_int_equal(glia_dataset_label(d, 1), 0);
  glia_dataset_free(d);
  d = table("1,7\n2,7.0\n", o);
  assert_int_equal(glia_dataset_label(d, 1), 2);
  glia_dataset_free(d);
  FAILS(open_text("1,a\n2,c\n", o, &d), GLIA_DATA, "line 2, column 2: \"c\" is none of the 3");
}

static void what_is_wrong_is_named_with_its_place(void **state) {
  (void)state;
  static const struct {
    const char *text;
    glia_status status;
    const char *message;
  } cases[] = {
      {"", GLIA_DATA, "t.csv: holds no rows"},
      {"\n\n", GLIA_DATA, "holds no rows"},
      {"a,b,c\n", GLIA_DATA, "holds no rows"},
      {"1\n2\n", GLIA_DATA, "has one column"},
      {"x,age,y\n1,2,a\n1,old,b\n", GLIA_FORMAT,
       "line 3, column 2 (age): \"old\" is no number"},
      {"x,age,y\n1,2,a\n1,,b\n", GLIA_FORMAT, "line 3, column 2 (age): the value is missing"},
      {"x,age,y\n1,2,a\n1,?,b\n", GLIA_FORMAT, "the value is missing"},
      {"x,age,y\n1,NaN,a\n1,2,b\n", GLIA_FORMAT,
       "line 2, column 2 (age): the value is missing"},
      {"x,age,y\n1,1e400,a\n1,2,b\n", GLIA_FORMAT, "\"1e400\" is no number"},
      {"x,age,y\n1,1e39,a\n1,2,b\n", GLIA_FORMAT, "no number that f32 can hold"},
      {"x,age,y\n1,inf,a\n1,2,b\n", GLIA_FORMAT, "\"inf\" is no number"},
      {"x,age,y\n1,2,a\n1,2,\n", GLIA_FORMAT, "line 3, column 3 (y): the value is missing"},
      {"1,2,a\n1,2\n", GLIA_FORMAT, "line 2: has 2 columns, wanted 3"},
      {"1,2,a\n1,2,b,\n", GLIA_FORMAT, "line 2: has 4 columns, wanted 3"},
      {"1,2,\"a\n1,2,b\n", GLIA_FORMAT, "line 1, column 3: a quote is opened and never closed"},
      {"1,2,\"a\"b\n1,2,b\n", GLIA_FORMAT, "line 1, column 3: text follows a closing quote"},
      {"1,2,a\n3,4,a\n", GLIA_DATA, "all 2 rows are of one class (the target column is \"a\")"},
      {"1,5\n3,5\n", GLIA_DATA, "one class"},
      {"\xff\xfe"
       "1",
       GLIA_FORMAT, "is UTF-16"},
  };
  for (int i = 0; i < GI_COUNT(cases); i++) {
    glia_dataset *d = NULL;
    FAILS(open_text(cases[i].text, (glia_csv_opts){0}, &d), cases[i].status, cases[i].message);
    assert_null(d);
  }
  glia_dataset *d = NULL;
  const char nul[] = "1,2,a\n1,\0,b\n";
  FAILS(gi_csv_dataset(nul, sizeof nul - 1, "t.csv", &(glia_csv_opts){0}, &d), GLIA_FORMAT,
        "line 2: holds a NUL byte");
  FAILS(open_text("1,2\n", (glia_csv_opts){.separator = '"'}, &d), GLIA_INVALID, "separators");
  FAILS(open_text("x,y\n1,a\n", (glia_csv_opts){.regression = true}, &d), GLIA_FORMAT,
        "line 2, column 2 (y): \"a\" is no number");
  char names[4096] = "";
  for (int i = 0; i < 60; i++) snprintf(names + strlen(names), 16, "%d,n%d\n", i, i);
  FAILS(open_text(names, (glia_csv_opts){0}, &d), GLIA_DATA, "60 different texts in 60 rows");
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  const char *text = "x,y,z\n1,2,a\n3,4,\"b\"\"\"\n";
  glia_dataset *d = NULL;
  for (int64_t n = 1; d == NULL; n++) {
    gi_alloc_fail_after(n);
    const glia_status status = open_text(text, (glia_csv_opts){0}, &d);
    gi_alloc_fail_after(0);
    assert_true(status == GLIA_NOMEM || (status == GLIA_OK && d != NULL));
    assert_true(n < 500);
  }
  glia_dataset_free(d);
}

static void real_tables_read(void **state) {
  (void)state;
  static const struct {
    const char *name, *target;
    int64_t rows, columns;
    int classes;
  } tables[] = {{"iris.csv", NULL, 150, 4, 3},
                {"wine.csv", NULL, 178, 13, 3},
                {"banknote_authentication.csv", NULL, 1372, 4, 2},
                {"boston_housing.csv", NULL, 506, 13, 0},
                {"breast-cancer-wisconsin.csv", NULL, -1, 0, 0}, /* has "?" */
                {"california_housing.csv.gz", NULL, -1, 0, 0},   /* line 292 has a gap */
                {"ionosphere.csv", NULL, 351, 34, 2},
                {"pima-indians-diabetes.csv", NULL, 768, 8, 2},
                {"sonar.csv", NULL, 208, 60, 2},
                {"wheat-seeds.csv", NULL, 210, 7, 3},
                {"winequality-red.csv", NULL, 1599, 11, 6},
                {"abalone.csv", "0", 4177, 8, 3},
                {"abalone.csv", NULL, -1, 0, 0}, /* its first column is text */
                {"penguins.csv", "species", -1, 0, 0},
                {"titanic_seaborn.csv", "survived", -1, 0, 0}};
  const char *shared = test_shared();
  if (shared == NULL) skip();
  for (int i = 0; i < GI_COUNT(tables); i++) {
    char path[512];
    glia_dataset *d = NULL;
    snprintf(path, sizeof path, "%s/data/tabular/%s", shared, tables[i].name);
    const glia_csv_opts o = {.target = tables[i].target};
    if (tables[i].rows < 0) {
      FAILS(glia_dataset_csv(path, &o, &d), GLIA_FORMAT, "column");
      continue;
    }
    OK(glia_dataset_csv(path, &o, &d));
    print_message("%s: %d rows, %d columns, %d classes\n", tables[i].name,
                  (int)glia_dataset_count(d), (int)glia_dataset_spec(d)->shape[0],
                  glia_dataset_spec(d)->classes);
    assert_int_equal(glia_dataset_count(d), tables[i].rows);
    assert_int_equal(glia_dataset_spec(d)->shape[0], tables[i].columns);
    assert_int_equal(glia_dataset_spec(d)->classes, tables[i].classes);
    glia_dataset_free(d);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_tables_read),
      cmocka_unit_test(the_same_table_in_every_dress),
      cmocka_unit_test(quotes_are_those_of_the_rfc),
      cmocka_unit_test(targets_are_what_they_hold),
      cmocka_unit_test(targets_are_named_or_numbered),
      cmocka_unit_test(given_classes_keep_their_order),
      cmocka_unit_test(what_is_wrong_is_named_with_its_place),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(real_tables_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
