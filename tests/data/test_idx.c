/* idx files: real MNIST, and every way in which a small pair can be wrong. */
#include <zlib.h>

#include "data/samples.h"

/* A pair of five 2x3 images and five labels as bytes, to be spoiled. */
typedef struct pair {
  unsigned char images[4 + 12 + 30 + 8], labels[4 + 4 + 5 + 8];
  size_t images_n, labels_n;
} pair;

static pair good_pair(void) {
  pair p = {.images = {0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 3},
            .labels = {0, 0, 8, 1, 0, 0, 0, 5, 2, 0, 1, 2, 0},
            .images_n = 46,
            .labels_n = 13};
  for (int i = 0; i < 30; i++) p.images[16 + i] = (unsigned char)(i * 8);
  return p;
}

static glia_status open_pair(const pair *p, glia_dataset **out) {
  gi_stream a, b;
  OK(gi_stream_open_bytes(&a, p->images, p->images_n, "images"));
  OK(gi_stream_open_bytes(&b, p->labels, p->labels_n, "labels"));
  const glia_status status = gi_idx_dataset(&a, &b, 0, out);
  gi_stream_close(&a);
  gi_stream_close(&b);
  return status;
}

static void a_good_pair_reads(void **state) {
  (void)state;
  const pair p = good_pair();
  glia_dataset *d;
  OK(open_pair(&p, &d));
  assert_int_equal(glia_dataset_count(d), 5);
  const glia_sample_spec *s = glia_dataset_spec(d);
  assert_true(s->rank == 3 && s->shape[0] == 1 && s->shape[1] == 2 && s->shape[2] == 3);
  assert_int_equal(s->classes, 3);
  uint8_t x[6];
  int64_t y;
  OK(glia_dataset_read(d, 3, x, &y));
  assert_int_equal(x[2], 20 * 8);
  assert_int_equal(y, 2);
  assert_string_equal(glia_dataset_name(d, 3), "images: sample 3");
  glia_dataset_free(d);
}

static void spoiled_pairs_say_why(void **state) {
  (void)state;
  static const struct {
    bool labels; /* spoil them instead of the images */
    size_t at;   /* byte to change */
    int value;   /* to this; -1: none */
    long longer; /* bytes to add or cut */
    glia_status status;
    const char *text;
  } cases[] = {
      {false, 0, 1, 0, GLIA_FORMAT, "images: begins with 01 00"},
      {false, 2, 13, 0, GLIA_UNSUPPORTED, "elements are f32"},
      {false, 2, 7, 0, GLIA_FORMAT, "of type 7"},
      {false, 3, 1, 0, GLIA_FORMAT, "has 1 axes"},
      {false, 3, 5, 0, GLIA_FORMAT, "has 5 axes"},
      {false, 3, 4, 0, GLIA_FORMAT, "promises"},
      {false, 7, 4, 0, GLIA_DATA, "holds 4 images, labels holds 5 labels"},
      {false, 7, 6, 0, GLIA_DATA, "holds 6 images"},
      {false, 7, 9, 0, GLIA_FORMAT, "promises 54 bytes, the file holds 46"},
      {false, 4, 255, 0, GLIA_FORMAT, "promises"},
      {false, 7, 0, 0, GLIA_DATA, "holds no samples"},
      {false, 11, 0, 0, GLIA_DATA, "hold no elements"},
      {false, 0, -1, 1, GLIA_FORMAT, "more bytes follow the 30"},
      {false, 0, -1, -1, GLIA_FORMAT, "ends after 29 bytes of its elements"},
      {false, 0, -1, -33, GLIA_FORMAT, "header"},
      {false, 0, -1, -43, GLIA_FORMAT, "ends after 3 bytes of its magic"},
      {false, 0, -1, -46, GLIA_FORMAT, "ends after 0 bytes of its magic"},
      {true, 3, 3, 0, GLIA_FORMAT, "labels: has 3 axes, wanted 1"},
      {true, 7, 4, 0, GLIA_FORMAT, "labels: more bytes follow"},
      {true, 7, 6, 0, GLIA_FORMAT, "labels: ends after 5 bytes"},
      {true, 0, -1, -5, GLIA_FORMAT, "labels: ends after 0 bytes"},
  };
  for (int i = 0; i < GI_COUNT(cases); i++) {
    pair p = good_pair();
    unsigned char *bytes = cases[i].labels ? p.labels : p.images;
    size_t *n = cases[i].labels ? &p.labels_n : &p.images_n;
    if (cases[i].value >= 0) bytes[cases[i].at] = (unsigned char)cases[i].value;
    *n = (size_t)((long)*n + cases[i].longer);
    glia_dataset *d = NULL;
    FAILS(open_pair(&p, &d), cases[i].status, cases[i].text);
    assert_null(d);
  }
}

static void dimensions_that_overflow_are_refused(void **state) {
  (void)state;
  pair p = good_pair();
  memset(p.images + 4, 0xff, 12); /* (2^32 - 1)^3 */
  glia_dataset *d = NULL;
  FAILS(open_pair(&p, &d), GLIA_FORMAT, "dimensions overflow");
}

static void one_class_is_refused(void **state) {
  (void)state;
  pair p = good_pair();
  memset(p.labels + 8, 2, 5);
  glia_dataset *d = NULL;
  FAILS(open_pair(&p, &d), GLIA_DATA, "labels: all 5 labels are 2");
}

/* Packs n bytes as gzip; returns how many. */
static size_t pack(const void *p, size_t n, unsigned char *out, size_t cap) {
  z_stream z = {0};
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  unsigned char copy[4096];
  assert_true(n <= sizeof copy);
  memcpy(copy, p, n);
  z.next_in = copy;
  z.avail_in = (uInt)n;
  z.next_out = out;
  z.avail_out = (uInt)cap;
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  const size_t used = cap - z.avail_out;
  deflateEnd(&z);
  return used;
}

static glia_status open_packed(const unsigned char *gz, size_t n, glia_dataset **out) {
  const pair p = good_pair();
  gi_stream a, b;
  OK(gi_stream_open_bytes(&a, gz, n, "images.gz"));
  OK(gi_stream_open_bytes(&b, p.labels, p.labels_n, "labels"));
  const glia_status status = gi_idx_dataset(&a, &b, 0, out);
  gi_stream_close(&a);
  gi_stream_close(&b);
  return status;
}

static void gzip_is_checked_to_its_last_byte(void **state) {
  (void)state;
  const pair p = good_pair();
  unsigned char gz[1024], bad[1024];
  glia_dataset *d = NULL;
  const size_t n = pack(p.images, p.images_n, gz, sizeof gz);
  OK(open_packed(gz, n, &d));
  assert_int_equal(glia_dataset_count(d), 5);
  glia_dataset_free(d);
  d = NULL;
  for (size_t cut = 2; cut < n; cut++) { /* shorter ones are not known to be gzip */
    assert_true(open_packed(gz, cut, &d) == GLIA_FORMAT);
    assert_non_null(strstr(glia_error_message(), "images.gz: "));
  }
  for (size_t at = 10; at < n; at++) { /* behind the header, which has bytes without meaning */
    memcpy(bad, gz, n);
    bad[at] ^= 0x10;
    assert_true(open_packed(bad, n, &d) != GLIA_OK);
  }
  memcpy(bad, gz, n);
  bad[n] = 'x';
  FAILS(open_packed(bad, n + 1, &d), GLIA_FORMAT, "1 bytes follow the end of the gzip data");
  bad[n - 8] ^= 1;
  FAILS(open_packed(bad, n, &d), GLIA_FORMAT, "incorrect data check");
  assert_null(d);
}

static void gzip_members_follow_each_other(void **state) {
  (void)state;
  const pair p = good_pair();
  unsigned char gz[1024];
  size_t n = pack(p.images, 20, gz, sizeof gz);
  n += pack(p.images + 20, p.images_n - 20, gz + n, sizeof gz - n);
  glia_dataset *d;
  OK(open_packed(gz, n, &d));
  uint8_t x[6];
  int64_t y;
  OK(glia_dataset_read(d, 4, x, &y));
  assert_int_equal(x[5], 29 * 8);
  glia_dataset_free(d);
}

static void whole_streams_have_a_limit(void **state) {
  (void)state;
  unsigned char gz[1024];
  char zeros[4000] = {0}, *text;
  size_t n;
  gi_stream s;
  const size_t packed = pack(zeros, sizeof zeros, gz, sizeof gz);
  for (size_t limit = 3900; limit < 4100; limit += 50) {
    OK(gi_stream_open_bytes(&s, gz, packed, "zeros.gz"));
    if (limit < sizeof zeros) {
      FAILS(gi_stream_all(&s, limit, &text, &n), GLIA_FORMAT, "zeros.gz: holds more than");
    } else {
      OK(gi_stream_all(&s, limit, &text, &n));
      assert_int_equal(n, sizeof zeros);
      assert_int_equal(text[n], 0);
      gi_free(text);
    }
    gi_stream_close(&s);
  }
}

static void missing_files_are_named(void **state) {
  (void)state;
  glia_dataset *d = NULL;
  FAILS(glia_dataset_idx("/no/images", "/no/labels", &d), GLIA_IO, "/no/images");
  FAILS(glia_dataset_idx(NULL, "/no/labels", &d), GLIA_INVALID, "missing");
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  const pair p = good_pair();
  unsigned char gz[1024];
  const size_t packed = pack(p.images, p.images_n, gz, sizeof gz);
  glia_dataset *d = NULL;
  for (int64_t n = 1; d == NULL; n++) {
    gi_stream a, b;
    gi_alloc_fail_after(n);
    glia_status status = gi_stream_open_bytes(&a, gz, packed, "images");
    if (status == GLIA_OK) {
      OK(gi_stream_open_bytes(&b, p.labels, p.labels_n, "labels"));
      status = gi_idx_dataset(&a, &b, 0, &d);
      gi_stream_close(&a);
      gi_stream_close(&b);
    }
    gi_alloc_fail_after(0);
    assert_true(status == GLIA_NOMEM || (status == GLIA_OK && d != NULL));
    assert_true(n < 100);
  }
  glia_dataset_free(d);
}

static void mnist_reads(void **state) {
  (void)state;
  const char *shared = test_shared();
  if (shared == NULL) skip();
  char images[512], labels[512];
  snprintf(images, sizeof images, "%s/data/mnist/t10k-images-idx3-ubyte.gz", shared);
  snprintf(labels, sizeof labels, "%s/data/mnist/t10k-labels-idx1-ubyte.gz", shared);
  glia_dataset *d;
  OK(glia_dataset_idx(images, labels, &d));
  assert_int_equal(glia_dataset_count(d), 10000);
  assert_int_equal(glia_dataset_spec(d)->classes, 10);
  const int64_t first[] = {7, 2, 1, 0, 4, 1, 4, 9, 5, 9}; /* as published */
  for (int i = 0; i < 10; i++) assert_int_equal(glia_dataset_label(d, i), first[i]);
  glia_dataset_free(d);

  snprintf(images, sizeof images, "%s/data/mnist/train-images-idx3-ubyte.gz", shared);
  snprintf(labels, sizeof labels, "%s/data/mnist/train-labels-idx1-ubyte.gz", shared);
  OK(glia_dataset_idx(images, labels, &d));
  assert_int_equal(glia_dataset_count(d), 60000);
  glia_normalise f = {0};
  OK(glia_normalise_fit(d, &f)); /* the figures that everybody uses */
  assert_near(f.mean[0], 0.1307, 5e-5);
  assert_near(f.std[0], 0.3081, 5e-5);
  glia_normalise_clear(&f);
  glia_dataset_free(d);

  snprintf(labels, sizeof labels, "%s/data/mnist/t10k-labels-idx1-ubyte.gz", shared);
  FAILS(glia_dataset_idx(images, labels, &d), GLIA_DATA, "holds 60000 images");
  FAILS(glia_dataset_idx(labels, images, &d), GLIA_FORMAT, "swapped?");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_good_pair_reads),
      cmocka_unit_test(spoiled_pairs_say_why),
      cmocka_unit_test(dimensions_that_overflow_are_refused),
      cmocka_unit_test(one_class_is_refused),
      cmocka_unit_test(gzip_is_checked_to_its_last_byte),
      cmocka_unit_test(gzip_members_follow_each_other),
      cmocka_unit_test(whole_streams_have_a_limit),
      cmocka_unit_test(missing_files_are_named),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(mnist_reads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
