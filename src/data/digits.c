/* digits.c - the bundled data set: folders of synthetic handwritten-like digits.
 *
 *   DIR/train/0..9/00000.png ...  DIR/test/0..9/00000.png ...  DIR/README.md
 *
 * It exists so that everything can be tried without a download. The pictures are first written
 * to DIR/.digits and moved to their place when all are there: a full disk or a kill leaves no
 * half data set that looks like a whole one. They are not synced one by one, which would take
 * longer than drawing them by far.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/dataset.h"
#include "data/digit.h"
#include "vision/image.h"

enum { TRAIN = 4000, TEST = 1000, MOST = 1000000, PATH_BYTES = 4352 };

static const char *const parts[] = {"train", "test"};

static const char readme[] =
    "# Synthetic handwritten-like digits\n"
    "\n"
    "These pictures were drawn by a program, `glia data make digits`. No person wrote them, "
    "and\n"
    "they are no substitute for real data: use them to learn, to try things out and to test.\n"
    "\n"
    "- 28 x 28 pixels, gray, one folder per digit below `train/` and `test/`\n"
    "- %d pictures to train on, %d to test on; seed %" PRIu64
    "\n"
    "- each digit has several ways of being written; every picture varies the points of its\n"
    "  strokes, bends, slants, turns, scales and moves them, changes the pressure of the pen, "
    "and\n"
    "  adds the uneven ink, grain and specks of a scan\n"
    "\n"
    "The same options give the same pictures. They may be used for any purpose.\n";

static glia_status write_plain(const char *path, const void *p, size_t n) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return gi_fail_write(path, errno);
  const char *at = p;
  int err = 0;
  while (n > 0 && err == 0) {
    const ssize_t wrote = write(fd, at, n);
    if (wrote >= 0) {
      at += wrote;
      n -= (size_t)wrote;
    } else if (errno != EINTR) {
      err = errno;
    }
  }
  if (close(fd) != 0 && err == 0) err = errno;
  return err == 0 ? GLIA_OK : gi_fail_write(path, err);
}

static glia_status write_digit(const gi_rng *rng, uint64_t index, int digit, const char *path) {
  uint8_t px[GI_DIGIT_SIDE][GI_DIGIT_SIDE];
  gi_digit_draw(rng, index, digit, px);
  const gi_image im = {1, GI_DIGIT_SIDE, GI_DIGIT_SIDE, &px[0][0]};
  gi_str png = {0};
  glia_status status = gi_png_encode(&im, path, &png);
  if (status == GLIA_OK) status = write_plain(path, png.s, png.n);
  gi_str_free(&png);
  return status;
}

/* Pictures 0..n of one part, classes in turn; numbers of the parts never meet. */
static glia_status write_part(const char *dir, int part, int n, uint64_t seed) {
  const gi_rng rng = {.seed = seed, .stream = gi_hash_str("data.digits", 0)};
  char path[PATH_BYTES + 64];
  for (int digit = 0; digit < 10; digit++) {
    snprintf(path, sizeof path, "%s/%s/%d", dir, parts[part], digit);
    GI_TRY(gi_make_dirs(path));
  }
  for (int i = 0; i < n; i++) {
    snprintf(path, sizeof path, "%s/%s/%d/%05d.png", dir, parts[part], i % 10, i);
    GI_TRY(write_digit(&rng, (uint64_t)part << 32 | (uint64_t)i, i % 10, path));
  }
  return GLIA_OK;
}

typedef struct about {
  char text[sizeof readme + 64];
  int n;
} about; /* what README.md says */

static about describe(const glia_digits_opts *o) {
  about a;
  a.n = snprintf(a.text, sizeof a.text, readme, o->train, o->test, o->seed);
  return a;
}

/* The parts are moved to their place behind README.md, train/ last: if that is there, all is.
 */
static bool is_there(const char *dir, const glia_digits_opts *o) {
  char path[PATH_BYTES + 64], *text = NULL;
  size_t n = 0;
  const about a = describe(o);
  snprintf(path, sizeof path, "%s/%s", dir, parts[0]);
  if (!gi_is_dir(path)) return false;
  snprintf(path, sizeof path, "%s/README.md", dir);
  if (gi_read_file(path, sizeof a.text, &text, &n) != GLIA_OK) return false;
  const bool same = n == (size_t)a.n && memcmp(text, a.text, n) == 0;
  gi_free(text);
  return same;
}

static glia_status write_all(const char *dir, const glia_digits_opts *o) {
  char path[PATH_BYTES + 64];
  snprintf(path, sizeof path, "%s/README.md", dir);
  const about a = describe(o);
  GI_TRY(write_part(dir, 0, o->train, o->seed));
  GI_TRY(write_part(dir, 1, o->test, o->seed));
  return write_plain(path, a.text, (size_t)a.n);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *walk) {
  (void)st, (void)kind, (void)walk;
  return remove(path);
}

static void remove_tree(const char *dir) {
  (void)nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static glia_status move(const char *from, const char *to, const char *name) {
  char a[PATH_BYTES + 64], b[PATH_BYTES + 64];
  snprintf(a, sizeof a, "%s/%s", from, name);
  snprintf(b, sizeof b, "%s/%s", to, name);
  return rename(a, b) == 0 ? GLIA_OK : gi_fail_write(b, errno);
}

static glia_status check(const char *dir, glia_digits_opts *o) {
  if (o->train == 0) o->train = TRAIN;
  if (o->test == 0) o->test = TEST;
  if (o->train < 20 || o->test < 10 || o->train > MOST || o->test > MOST)
    return gi_fail(GLIA_INVALID,
                   "digits: %d pictures to train and %d to test, wanted 20 and 10 to %d",
                   o->train, o->test, MOST);
  if (strlen(dir) > PATH_BYTES - 256)
    return gi_fail(GLIA_INVALID, "digits: the path of the folder is too long");
  return GLIA_OK;
}

static glia_status check_free(const char *dir) {
  for (int part = 0; part < GI_COUNT(parts); part++) {
    char path[PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s", dir, parts[part]);
    if (gi_exists(path))
      return gi_fail(GLIA_INVALID,
                     "%s: is there already; hint: another folder, or remove it first", path);
  }
  return GLIA_OK;
}

glia_status glia_make_digits(const char *dir, const glia_digits_opts *opt) {
  if (dir == NULL || dir[0] == '\0') return gi_fail(GLIA_INVALID, "digits: no folder is given");
  glia_digits_opts o;
  gi_data_options(&o, sizeof o, opt);
  GI_TRY(check(dir, &o));
  if (is_there(dir, &o)) return GLIA_OK;
  GI_TRY(check_free(dir));
  char making[PATH_BYTES];
  snprintf(making, sizeof making, "%s/.digits", dir);
  remove_tree(making); /* of a run that was killed */
  GI_TRY(gi_make_dirs(making));
  glia_status status = write_all(making, &o);
  if (status == GLIA_OK) status = move(making, dir, "README.md");
  if (status == GLIA_OK) status = move(making, dir, parts[1]);
  if (status == GLIA_OK) status = move(making, dir, parts[0]);
  remove_tree(making);
  return status;
}
