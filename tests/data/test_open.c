/* glia_data_open: what is found where, and what is said of what is not. */
#include "data/samples.h"

static char root[512];

static void fresh(const char *name) { snprintf(root, sizeof root, "%s", test_dir(name)); }

static const char *below(const char *path) {
  static char full[1024];
  snprintf(full, sizeof full, "%s/%s", root, path);
  return full;
}

static void put(const char *path, const void *bytes, size_t n) {
  char dir[1024];
  snprintf(dir, sizeof dir, "%s", below(path));
  *strrchr(dir, '/') = '\0';
  OK(gi_make_dirs(dir));
  OK(gi_write_file(below(path), bytes, n));
}

static void put_picture(const char *path, int channels, int side) {
  char dir[1024];
  glia_tensor *t;
  snprintf(dir, sizeof dir, "%s", below(path));
  *strrchr(dir, '/') = '\0';
  OK(gi_make_dirs(dir));
  OK(glia_tensor_new(GLIA_U8, 3, (int64_t[]){channels, side, side}, &t));
  OK(glia_image_write(below(path), t));
  glia_tensor_free(t);
}

/* n images of 1 x 1 and labels 0, 1, ... `classes` - 1, 0, ... */
static void put_idx(const char *images, const char *labels, int n, int side, int classes) {
  unsigned char x[256] = {0, 0, 8, 3}, y[64] = {0, 0, 8, 1};
  x[7] = y[7] = (unsigned char)n;
  x[11] = x[15] = (unsigned char)side;
  for (int i = 0; i < n; i++) y[8 + i] = (unsigned char)(i % classes);
  put(images, x, 16 + (size_t)(n * side * side));
  put(labels, y, 8 + (size_t)n);
}

static void idx_files_are_found_by_their_names(void **state) {
  (void)state;
  glia_dataset *a = NULL, *b = NULL;
  fresh("open_idx");
  put_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 9, 2, 3);
  OK(glia_data_open(root, NULL, &a, &b));
  assert_int_equal(glia_dataset_count(a), 9);
  assert_null(b);
  glia_dataset_free(a);
  put_idx("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte", 2, 2, 2);
  OK(glia_data_open(root, NULL, &a, &b));
  assert_int_equal(glia_dataset_count(b), 2);
  assert_int_equal(glia_dataset_spec(b)->classes, 3); /* those of the training part */
  glia_dataset_free(a);
  glia_dataset_free(b);
  a = b = NULL;
  put_idx("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte", 5, 2, 4);
  FAILS(glia_data_open(root, NULL, &a, &b), GLIA_DATA, "has a label 3, wanted 0 to 2");
  put_idx("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte", 3, 3, 3);
  FAILS(glia_data_open(root, NULL, &a, &b), GLIA_DATA, "differ in size");
  OK(unlink(below("t10k-labels.idx1-ubyte")) == 0 ? GLIA_OK : GLIA_IO);
  FAILS(glia_data_open(root, NULL, &a, &b), GLIA_DATA, "t10k-labels-idx1-ubyte[.gz] beside it");
  assert_true(a == NULL && b == NULL);
}

static void train_and_test_folders_agree(void **state) {
  (void)state;
  glia_dataset *a = NULL, *b = NULL;
  fresh("open_parts");
  put_picture("train/a/1.png", 3, 4);
  put_picture("train/b/1.png", 3, 4);
  put_picture("valid/b/1.png", 1, 9);
  put_picture("test/unlabelled.png", 1, 9); /* flat: not a part */
  OK(glia_data_open(root, NULL, &a, &b));
  assert_int_equal(glia_dataset_count(a), 2);
  assert_int_equal(glia_dataset_count(b), 1);
  const glia_sample_spec *s = glia_dataset_spec(b);
  assert_true(s->shape[0] == 3 && s->shape[1] == 4 && s->classes == 2);
  assert_int_equal(glia_dataset_label(b, 0), 1);
  glia_dataset_free(a);
  glia_dataset_free(b);
  a = b = NULL;
  put_picture("test/c/1.png", 1, 9); /* now it is one, and comes first */
  FAILS(glia_data_open(root, NULL, &a, &b), GLIA_DATA, "folder \"c\" is none of the 2 classes");
  assert_true(a == NULL && b == NULL);

  fresh("open_folders");
  put_picture("a/1.png", 1, 4);
  put_picture("b/1.png", 1, 4);
  OK(glia_data_open(root, &(glia_data_opts){.image = {.height = 6, .width = 7}}, &a, &b));
  assert_int_equal(glia_dataset_spec(a)->shape[2], 7);
  assert_null(b);
  glia_dataset_free(a);
}

static void tables_are_known_by_their_names(void **state) {
  (void)state;
  glia_dataset *a = NULL, *b = NULL;
  fresh("open_table");
  const char text[] = "1,2,x\n3,4,y\n";
  put("t.csv", text, strlen(text));
  OK(glia_data_open(below("t.csv"), NULL, &a, &b));
  assert_int_equal(glia_dataset_count(a), 2);
  assert_null(b);
  glia_dataset_free(a);
}

static void what_is_no_data_set_lists_what_was_looked_for(void **state) {
  (void)state;
  glia_dataset *a = NULL, *b = NULL;
  fresh("open_nothing");
  FAILS(glia_data_open(root, NULL, &a, &b), GLIA_DATA, "looked for idx files");
  FAILS(glia_data_open(below("none"), NULL, &a, &b), GLIA_IO,
        "there is no such file or folder");
  put("x.bin", "x", 1);
  FAILS(glia_data_open(below("x.bin"), NULL, &a, &b), GLIA_DATA, "looked for a folder of idx");
  FAILS(glia_data_open(NULL, NULL, &a, &b), GLIA_INVALID, "no path");
  assert_true(a == NULL && b == NULL);
}

static void real_folders_open(void **state) {
  (void)state;
  static const struct {
    const char *dir;
    int64_t train, test, channels, classes;
  } cases[] = {{"mnist", 60000, 10000, 1, 10},
               {"mnist_tiny", 709, 699, 1, 2},
               {"cats_dogs", 2000, 500, 3, 2},
               {"hymenoptera", 243, 153, 3, 2}};
  const char *shared = test_shared();
  if (shared == NULL) skip();
  for (int i = 0; i < GI_COUNT(cases); i++) {
    char path[512];
    glia_dataset *a, *b;
    snprintf(path, sizeof path, "%s/data/%s", shared, cases[i].dir);
    OK(glia_data_open(path, NULL, &a, &b));
    assert_int_equal(glia_dataset_count(a), cases[i].train);
    assert_int_equal(glia_dataset_count(b), cases[i].test);
    assert_int_equal(glia_dataset_spec(a)->shape[0], cases[i].channels);
    assert_int_equal(glia_dataset_spec(a)->classes, cases[i].classes);
    glia_dataset_free(a);
    glia_dataset_free(b);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(idx_files_are_found_by_their_names),
      cmocka_unit_test(train_and_test_folders_agree),
      cmocka_unit_test(tables_are_known_by_their_names),
      cmocka_unit_test(what_is_no_data_set_lists_what_was_looked_for),
      cmocka_unit_test(real_folders_open),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
