/* Class folders: what is a picture, what size and channels all get, corrupt ones among good. */
#include "data/samples.h"

static char root[512];

/* Writes a picture of one gray level (or colour, channels 3) below the test's folder. */
static void put(const char *path, int channels, int height, int width, int level) {
  char full[1024];
  glia_tensor *t;
  snprintf(full, sizeof full, "%s/%s", root, path);
  *strrchr(full, '/') = '\0';
  OK(gi_make_dirs(full));
  snprintf(full, sizeof full, "%s/%s", root, path);
  OK(glia_tensor_new(GLIA_U8, 3, (int64_t[]){channels, height, width}, &t));
  memset(glia_tensor_data(t), level, glia_tensor_bytes(t));
  OK(glia_image_write(full, t));
  glia_tensor_free(t);
}

static void put_text(const char *path, const char *text) {
  char full[1024];
  snprintf(full, sizeof full, "%s/%s", root, path);
  *strrchr(full, '/') = '\0';
  OK(gi_make_dirs(full));
  snprintf(full, sizeof full, "%s/%s", root, path);
  OK(gi_write_file(full, text, strlen(text)));
}

static void fresh(const char *name) { snprintf(root, sizeof root, "%s", test_dir(name)); }

static void folders_are_classes(void **state) {
  (void)state;
  fresh("folders");
  put("dog/b.png", 1, 2, 3, 40);
  put("dog/a.PNG", 1, 2, 3, 30);
  put("cat/1.png", 1, 2, 3, 20);
  put("ant/1.jpeg", 1, 2, 3, 10); /* told by its bytes, not its name */
  put_text("cat/notes.txt", "not a picture");
  put_text("empty/readme", "no picture in here");
  put_text("labels.csv", "1,2");
  put("cat/deeper/no.png", 1, 2, 3, 99); /* one level only */
  glia_dataset *d;
  OK(glia_dataset_class_folders(root, NULL, &d));
  assert_int_equal(glia_dataset_count(d), 4);
  const glia_sample_spec *s = glia_dataset_spec(d);
  assert_true(s->dtype == GLIA_U8 && s->rank == 3 && s->classes == 3);
  assert_true(s->shape[0] == 1 && s->shape[1] == 2 && s->shape[2] == 3);
  const char *const classes[] = {"ant", "cat", "dog"};
  for (int c = 0; c < 3; c++) assert_string_equal(glia_dataset_class(d, c), classes[c]);
  const int labels[] = {0, 1, 2, 2}, levels[] = {10, 20, 30, 40};
  for (int i = 0; i < 4; i++) {
    uint8_t x[6];
    int64_t y;
    OK(glia_dataset_read(d, i, x, &y));
    assert_int_equal(y, labels[i]);
    assert_int_equal(glia_dataset_label(d, i), labels[i]);
    assert_int_equal(x[5], levels[i]);
  }
  assert_non_null(strstr(glia_dataset_name(d, 3), "folders/dog/b.png"));
  glia_dataset_free(d);
}

static void all_get_the_same_size_and_channels(void **state) {
  (void)state;
  fresh("sizes");
  put("a/1.png", 1, 4, 4, 50);
  put("a/2.png", 3, 8, 6, 60);
  put("b/1.png", 4, 2, 2, 255);
  glia_dataset *d;
  OK(glia_dataset_class_folders(root, NULL,
                                &d)); /* size of the first, colour because of others */
  const glia_sample_spec *s = glia_dataset_spec(d);
  assert_true(s->shape[0] == 3 && s->shape[1] == 4 && s->shape[2] == 4);
  uint8_t x[3 * 4 * 4];
  int64_t y;
  for (int i = 0; i < 3; i++) {
    OK(glia_dataset_read(d, i, x, &y));
    for (int k = 0; k < GI_COUNT(x); k++)
      assert_int_equal(x[k], ((const int[]){50, 60, 255})[i]);
  }
  glia_dataset_free(d);
  glia_image_opts o = {.channels = 1, .height = 3, .width = 5};
  OK(glia_dataset_class_folders(root, &o, &d));
  s = glia_dataset_spec(d);
  assert_true(s->shape[0] == 1 && s->shape[1] == 3 && s->shape[2] == 5);
  glia_dataset_free(d);
  o = (glia_image_opts){.refuse_sizes = true};
  OK(glia_dataset_class_folders(root, &o, &d));
  OK(glia_dataset_read(d, 0, x, &y));
  FAILS(glia_dataset_read(d, 1, x, &y), GLIA_SHAPE, "a/2.png: is 6 x 8 pixels, wanted 4 x 4");
  glia_dataset_free(d);
  o = (glia_image_opts){.channels = 2};
  FAILS(glia_dataset_class_folders(root, &o, &d), GLIA_INVALID, "2 channels");
  o = (glia_image_opts){.height = -3};
  FAILS(glia_dataset_class_folders(root, &o, &d), GLIA_INVALID, "height is -3");
}

static void given_classes_keep_their_order(void **state) {
  (void)state;
  fresh("given");
  put("dog/1.png", 1, 2, 2, 1);
  const char *const known[] = {"dog", "cat"};
  glia_image_opts o = {.classes = known, .n_classes = 2};
  glia_dataset *d;
  OK(glia_dataset_class_folders(root, &o,
                                &d)); /* one of them only: fine where they are given */
  assert_int_equal(glia_dataset_spec(d)->classes, 2);
  assert_int_equal(glia_dataset_label(d, 0), 0);
  assert_string_equal(glia_dataset_class(d, 1), "cat");
  glia_dataset_free(d);
  put("cats/1.png", 1, 2, 2, 1);
  FAILS(glia_dataset_class_folders(root, &o, &d), GLIA_DATA,
        "folder \"cats\" is none of the 2 classes; hint: did you mean \"cat\"?");
}

static void corrupt_pictures_are_skipped_by_the_loader(void **state) {
  (void)state;
  fresh("corrupt");
  put_text("a/0.png", "no picture at all"); /* the first one: sizes come from the next */
  put("a/1.png", 1, 2, 2, 10);
  put("b/1.png", 1, 2, 2, 20);
  put_text("b/2.jpg", "");
  put("b/3.png", 1, 2, 2, 30);
  glia_dataset *d;
  OK(glia_dataset_class_folders(root, NULL, &d));
  assert_int_equal(glia_dataset_count(d), 5);
  for (int workers = -1; workers < 4; workers += 2) {
    glia_loader *l;
    glia_batch b;
    OK(glia_loader_new(d, &(glia_loader_opts){.batch = 3, .workers = workers}, &l));
    int64_t n = 0;
    do {
      OK(glia_loader_next(l, &b));
      n += b.count;
    } while (b.count > 0);
    assert_int_equal(n, 3);
    assert_int_equal(glia_loader_skipped(l), 2);
    assert_non_null(strstr(glia_loader_skipped_message(l, 0), "corrupt/a/0.png: is neither"));
    assert_non_null(strstr(glia_loader_skipped_message(l, 1), "corrupt/b/2.jpg: is empty"));
    glia_loader_free(l);
    OK(glia_loader_new(d, &(glia_loader_opts){.strict = true, .workers = workers}, &l));
    FAILS(glia_loader_next(l, &b), GLIA_FORMAT, "corrupt/a/0.png");
    glia_loader_free(l);
  }
  glia_dataset_free(d);
}

static void folders_without_data_say_so(void **state) {
  (void)state;
  glia_dataset *d = NULL;
  fresh("nothing");
  FAILS(glia_dataset_class_folders(root, NULL, &d), GLIA_DATA, "holds no pictures");
  put_text("a/readme", "hello");
  FAILS(glia_dataset_class_folders(root, NULL, &d), GLIA_DATA, "holds no pictures");
  put("1.png", 1, 2, 2, 1);
  FAILS(glia_dataset_class_folders(root, NULL, &d), GLIA_DATA,
        "1 pictures lie in no sub-folder");
  put("a/1.png", 1, 2, 2, 1);
  FAILS(glia_dataset_class_folders(root, NULL, &d), GLIA_DATA,
        "one class only (\"a\", 1 pictures)");
  FAILS(glia_dataset_class_folders("/no/such", NULL, &d), GLIA_IO, "/no/such");
  fresh("rotten");
  put_text("a/1.png", "x");
  put_text("b/1.png", "x");
  FAILS(glia_dataset_class_folders(root, NULL, &d), GLIA_DATA, "none of its 2 pictures");
  assert_null(d);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  fresh("nomem");
  put("a/1.png", 1, 2, 2, 1);
  put("b/1.png", 3, 2, 2, 1);
  glia_dataset *d = NULL;
  for (int64_t n = 1; d == NULL; n++) {
    gi_alloc_fail_after(n);
    const glia_status status = glia_dataset_class_folders(root, NULL, &d);
    gi_alloc_fail_after(0);
    assert_true(status == GLIA_NOMEM || (status == GLIA_OK && d != NULL));
    assert_true(n < 500);
  }
  glia_dataset_free(d);
}

static void single_pictures_read_and_write(void **state) {
  (void)state;
  fresh("single");
  put("x/1.png", 3, 4, 6, 77);
  char path[1024];
  snprintf(path, sizeof path, "%s/x/1.png", root);
  glia_tensor *t = NULL;
  OK(glia_image_read(path, NULL, &t));
  assert_int_equal(glia_tensor_rank(t), 3);
  assert_int_equal(glia_tensor_shape(t)[0], 3);
  assert_int_equal(glia_tensor_shape(t)[2], 6);
  glia_tensor_free(t);
  OK(glia_image_read(path, &(glia_image_opts){.channels = 1, .height = 2, .width = 2}, &t));
  assert_int_equal(glia_tensor_count(t), 4);
  assert_true(glia_tensor_get(t, 3) == 77.0);
  FAILS(glia_image_write("/no/such/folder/x.png", t), GLIA_DISK, "/no/such/folder");
  glia_tensor_free(t);
  OK(glia_tensor_new(GLIA_F32, 2, (int64_t[]){2, 2}, &t));
  FAILS(glia_image_write(path, t), GLIA_SHAPE, "picture is f32 [2, 2]");
  glia_tensor_free(t);
  FAILS(glia_image_read("/no/such.png", NULL, &t), GLIA_IO, "/no/such.png");
  FAILS(glia_image_read(path, &(glia_image_opts){.channels = 7}, &t), GLIA_INVALID,
        "7 channels");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(folders_are_classes),
      cmocka_unit_test(all_get_the_same_size_and_channels),
      cmocka_unit_test(given_classes_keep_their_order),
      cmocka_unit_test(corrupt_pictures_are_skipped_by_the_loader),
      cmocka_unit_test(folders_without_data_say_so),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(single_pictures_read_and_write),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
