/* Keras' weights: files as Keras 2 and 3 lay them out, made with the library itself, and files
 * that lead elsewhere. */
#define H5_USE_110_API
#include <hdf5.h>

#include "formats/zip.h"

#include "bytes.h"

static char path[700];

static int set_up(void **state) {
  (void)state;
  snprintf(path, sizeof path, "%s/a.h5", test_dir("hdf5"));
  return 0;
}

static hid_t create(void) { return H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT); }

/* A data set of 0, 1, 2 ..., with groups made on the way. */
static void add(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims) {
  const hid_t list = H5Pcreate(H5P_LINK_CREATE), space = H5Screate_simple(rank, dims, NULL);
  assert_true(H5Pset_create_intermediate_group(list, 1) >= 0);
  const hid_t set = H5Dcreate2(file, name, type, space, list, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(set >= 0);
  double v[64];
  for (int i = 0; i < 64; i++) v[i] = i;
  assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v) >= 0);
  H5Dclose(set);
  H5Sclose(space);
  H5Pclose(list);
}

static void note(hid_t file, const char *name, const char *text) {
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, strlen(text));
  const hid_t a = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(H5Awrite(a, type, text) >= 0);
  H5Aclose(a);
  H5Sclose(space);
  H5Tclose(type);
}

static const hsize_t two_three[] = {2, 3};

static void layouts_of_keras(void **state) {
  (void)state;
  const double want[] = {0, 1, 2, 3, 4, 5};
  const hid_t file = create();
  add(file, "/model_weights/dense/dense/kernel:0", H5T_IEEE_F32LE, 2, two_three);
  add(file, "/model_weights/dense/dense/bias:0", H5T_IEEE_F32BE, 1, two_three + 1);
  add(file, "/layers/dense_1/vars/0", H5T_IEEE_F64LE, 2, two_three);
  add(file, "/count", H5T_STD_I64BE, 1, two_three);
  add(file, "/small", H5T_STD_U16LE, 0, NULL);
  note(file, "keras_version", "2.9.0");
  H5Fclose(file);
  glia_file *f = NULL;
  OK(glia_file_open(path, &f));
  assert_string_equal(glia_file_format(f), "hdf5");
  assert_int_equal(glia_file_count(f), 5);
  holds(f, "dense.kernel:0", "F32", SHAPE(2, 3), want);
  holds(f, "dense.bias:0", "F32", SHAPE(3), want);
  holds(f, "layers.dense_1.vars.0", "F64", SHAPE(2, 3), want);
  holds(f, "count", "I64", SHAPE(2), want);
  holds(f, "small", "U16", 0, NULL, want);
  assert_string_equal(glia_file_metadata(f, "keras_version"), "2.9.0");
  glia_file_close(f);
}

/* In a zip the library is given a copy in memory. */
static void models_in_zips(void **state) {
  (void)state;
  const hid_t file = create();
  add(file, "/layers/dense/vars/0", H5T_IEEE_F32LE, 2, two_three);
  H5Fclose(file);
  char *text = NULL, zip[720];
  size_t n = 0;
  gi_zip_writer w;
  snprintf(zip, sizeof zip, "%s.keras", path);
  OK(gi_read_file(path, 1 << 24, &text, &n));
  OK(gi_zip_create(&w, zip));
  gi_zip_add(&w, "config.json", "{}", 2, NULL, 0);
  gi_zip_add(&w, "model.weights.h5", text, n, NULL, 0);
  OK(gi_zip_commit(&w));
  gi_free(text);
  glia_file *f = NULL;
  OK(glia_file_open(zip, &f));
  assert_string_equal(glia_file_format(f), "keras");
  holds(f, "layers.dense.vars.0", "F32", SHAPE(2, 3), WANT(0, 1, 2, 3, 4, 5));
  assert_string_equal(glia_file_metadata(f, "config.json"), "{}");
  glia_file_close(f);
}

static void links_to_other_files_are_refused(void **state) {
  (void)state;
  glia_file *f = NULL;
  hid_t file = create();
  add(file, "/dense/w", H5T_IEEE_F32LE, 2, two_three);
  H5Lcreate_soft("/dense/w", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/nothing", file, "dangling", H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  OK(glia_file_open(path, &f)); /* soft links lead nowhere new */
  assert_int_equal(glia_file_count(f), 1);
  glia_file_close(f);
  file = create();
  H5Lcreate_external("/etc/passwd", "/", file, "away", H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  FAILS(glia_file_open(path, &f), GLIA_FORMAT, "\"away\": is a link to another file");
}

static void data_in_other_files_are_refused(void **state) {
  (void)state;
  glia_file *f = NULL;
  hid_t file = create();
  const hid_t list = H5Pcreate(H5P_DATASET_CREATE),
              space = H5Screate_simple(2, two_three, NULL);
  H5Pset_external(list, "/etc/passwd", 0, 24);
  hid_t set = H5Dcreate2(file, "w", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
  assert_true(set >= 0);
  H5Dclose(set);
  H5Pclose(list);
  H5Fclose(file);
  FAILS(glia_file_open(path, &f), GLIA_FORMAT, "its data are in another file");
  file = create();
  const hid_t made = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_virtual(made, space, "/etc/passwd", "/", space);
  set = H5Dcreate2(file, "w", H5T_IEEE_F32LE, space, H5P_DEFAULT, made, H5P_DEFAULT);
  assert_true(set >= 0);
  H5Dclose(set);
  H5Pclose(made);
  H5Sclose(space);
  H5Fclose(file);
  FAILS(glia_file_open(path, &f), GLIA_FORMAT, "its data are in another file");
}

static void circles_end(void **state) {
  (void)state;
  glia_file *f = NULL;
  const hid_t file = create();
  const hid_t group = H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_hard(file, "g", group, "a", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_hard(file, "g", group, "b", H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose(group);
  H5Fclose(file);
  FAILS(glia_file_open(path, &f), GLIA_FORMAT, "more than 32 deep");
}

/* A data set of which nothing was ever written: chunks that are not there read as zeros. */
static void sizes_are_held_against_the_file(void **state) {
  (void)state;
  glia_file *f = NULL;
  const hid_t file = create();
  const hsize_t dims[] = {(hsize_t)1 << 40}, chunk[] = {1024};
  const hid_t list = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, dims, NULL);
  H5Pset_chunk(list, 1, chunk);
  const hid_t set =
      H5Dcreate2(file, "w", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
  assert_true(set >= 0);
  H5Dclose(set);
  H5Sclose(space);
  H5Pclose(list);
  H5Fclose(file);
  FAILS(glia_file_open(path, &f), GLIA_FORMAT, "claims to hold");
}

static void what_holds_no_numbers_is_told(void **state) {
  (void)state;
  glia_file *f = NULL;
  const hid_t file = create(), type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, 4);
  const hid_t space = H5Screate_simple(1, two_three, NULL);
  const hid_t set =
      H5Dcreate2(file, "words", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dclose(set);
  H5Sclose(space);
  H5Tclose(type);
  H5Fclose(file);
  OK(glia_file_open(path, &f));
  assert_int_equal(glia_file_count(f), 0);
  assert_string_equal(glia_file_metadata(f, "words"), "(a data set that holds no numbers)");
  glia_file_close(f);
}

/* The library crashes on some of them; that is its process' end, and a message. */
static void damaged_files_are_survived(void **state) {
  (void)state;
  const hid_t file = create();
  add(file, "/dense/w", H5T_IEEE_F32LE, 2, two_three);
  H5Fclose(file);
  char *text = NULL;
  size_t n = 0;
  OK(gi_read_file(path, 1 << 24, &text, &n));
  const gi_rng r = {.seed = 1};
  for (uint64_t i = 0; i < 100; i++) {
    unsigned char *copy = exact(text, n);
    for (uint64_t k = 0; k < 4; k++)
      copy[gi_rng_below(&r, 8 * i + k, n)] =
          (unsigned char)gi_rng_below(&r, 8 * i + 4 + k, 256);
    (void)read_all(row("hdf5"), copy, n);
    free(copy);
  }
  gi_free(text);
}

static void cut_files_are_refused(void **state) {
  (void)state;
  const hid_t file = create();
  add(file, "/dense/w", H5T_IEEE_F32LE, 2, two_three);
  H5Fclose(file);
  char *text = NULL;
  size_t n = 0;
  OK(gi_read_file(path, 1 << 24, &text, &n));
  for (size_t cut = 0; cut < n; cut += 97) {
    glia_file *f = NULL;
    if (gi_file_from_memory(row("hdf5"), text, cut, "file", &f) == GLIA_OK)
      fail_msg("cut to %zu is read", cut);
  }
  gi_free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layouts_of_keras),
      cmocka_unit_test(models_in_zips),
      cmocka_unit_test(links_to_other_files_are_refused),
      cmocka_unit_test(data_in_other_files_are_refused),
      cmocka_unit_test(circles_end),
      cmocka_unit_test(sizes_are_held_against_the_file),
      cmocka_unit_test(what_holds_no_numbers_is_told),
      cmocka_unit_test(damaged_files_are_survived),
      cmocka_unit_test(cut_files_are_refused),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
