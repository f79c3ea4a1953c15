/* formats/tfevents.c - TensorBoard's event files, written as a run goes on.
 *
 * A file is records: u64 length | u32 checksum of those 8 bytes | data | u32 checksum of the
 * data, little-endian; the checksum is CRC-32C, turned by 15 bits and added to a constant, so
 * that a checksum of data that hold checksums stays meaningful (LevelDB's log does the same).
 * The data are an Event of protobuf (tensorboard/compat/proto/event.proto, summary.proto):
 *
 *   Event          wall_time 1 (double), step 2, file_version 3, summary 5
 *   Summary        value 1
 *   Value          tag 1, simple_value 2 (float), image 4, histo 5
 *   Image          height 1, width 2, colorspace 3, encoded_image_string 4
 *   HistogramProto min 1, max 2, num 3, sum 4, sum_squares 5, bucket_limit 6, bucket 7
 *
 * Each record is one write to a file that is only appended to: whoever follows the run sees
 * whole records, and a crash leaves all that were written.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

#include "base/protobuf.h"
#include "glia/formats.h"
#include "tensor/tensor.h"

enum { BUCKETS = 64, TRIES = 1000, PNG_HEAD = 26 };

struct glia_events {
  int fd;
  char *path;
  uint32_t table[256]; /* of CRC-32C, a byte at a time */
};

/* ---- records ---------------------------------------------------------------------------- */

static void make_table(uint32_t *table) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
    table[i] = c;
  }
}

static uint32_t masked_crc(const uint32_t *table, const void *data, size_t n) {
  const unsigned char *p = data;
  uint32_t c = 0xffffffffu;
  for (size_t i = 0; i < n; i++) c = c >> 8 ^ table[(c ^ p[i]) & 0xff];
  c = ~c;
  return (c >> 15 | c << 17) + 0xa282ead8u;
}

static glia_status write_bytes(const glia_events *e, const char *p, size_t n) {
  while (n > 0) {
    const ssize_t put = write(e->fd, p, n);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return gi_fail_write(e->path, errno);
    p += put;
    n -= (size_t)put;
  }
  return GLIA_OK;
}

/* The event as a record; it is emptied. */
static glia_status write_record(const glia_events *e, gi_str *event) {
  const uint64_t length = event->n;
  gi_str record = {0};
  uint32_t crc = masked_crc(e->table, &length, 8);
  gi_str_add(&record, (const char *)&length, 8);
  gi_str_add(&record, (const char *)&crc, 4);
  crc = masked_crc(e->table, event->s, event->n);
  gi_str_add(&record, event->s, event->n);
  gi_str_add(&record, (const char *)&crc, 4);
  const bool failed = record.failed || event->failed;
  const glia_status s = failed ? gi_fail_nomem(event->n) : write_bytes(e, record.s, record.n);
  gi_str_free(&record);
  gi_str_free(event);
  return s;
}

static double wall_time(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_REALTIME, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* One value of a summary; it is emptied. */
static glia_status write_value(const glia_events *e, int64_t step, gi_str *value) {
  gi_str event = {0}, summary = {0};
  gi_wire_put_message(&summary, 1, value);
  gi_wire_put_double(&event, 1, wall_time());
  gi_wire_put_varint(&event, 2, (uint64_t)step);
  gi_wire_put_message(&event, 5, &summary);
  return write_record(e, &event);
}

/* ---- the file --------------------------------------------------------------------------- */

/* events.out.tfevents.SECONDS.HOST.PROCESS.NUMBER, the first number that is free. */
static char *file_name(const char *folder, int number) {
  char host[256] = "";
  gi_str name = {0};
  if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') snprintf(host, 5, "host");
  for (char *c = host; *c != '\0'; c++)
    if (*c == '/') *c = '_';
  gi_str_printf(&name, "events.out.tfevents.%010lld.%s.%ld.%d", (long long)time(NULL), host,
                (long)getpid(), number);
  char *text = gi_str_take(&name);
  char *path = text == NULL ? NULL : gi_path_join(folder, text);
  gi_free(text);
  return path;
}

static glia_status create(glia_events *e, const char *folder) {
  int err = EEXIST;
  for (int i = 0; i < TRIES && err == EEXIST; i++) {
    gi_free(e->path);
    e->path = file_name(folder, i);
    if (e->path == NULL) return gi_fail_nomem(256);
    e->fd = open(e->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    err = e->fd < 0 ? errno : 0;
  }
  return err != 0 ? gi_fail_write(e->path, err) : GLIA_OK;
}

glia_status glia_events_new(const char *folder, glia_events **out) {
  if (folder == NULL) return gi_fail(GLIA_INVALID, "events: the folder is missing");
  glia_events *e = gi_alloc(sizeof *e);
  if (e == NULL) return gi_fail_nomem(sizeof *e);
  e->fd = -1;
  make_table(e->table);
  glia_status s = create(e, folder);
  gi_str event = {0};
  if (s == GLIA_OK) {
    gi_wire_put_double(&event, 1, wall_time());
    gi_wire_put_text(&event, 3, "brain.Event:2");
    s = write_record(e, &event);
  }
  if (s == GLIA_OK) {
    *out = e;
  } else {
    if (e->fd >= 0) (void)unlink(e->path); /* what says nothing is not left behind */
    glia_events_free(e);
  }
  return s;
}

void glia_events_free(glia_events *e) {
  if (e == NULL) return;
  if (e->fd >= 0) close(e->fd);
  gi_free(e->path);
  gi_free(e);
}

const char *glia_events_path(const glia_events *e) { return e->path; }

/* ---- values ----------------------------------------------------------------------------- */

static glia_status check_tag(const char *tag) {
  if (tag == NULL || tag[0] == '\0' || !gi_is_utf8(tag))
    return gi_fail(GLIA_INVALID, "events: a tag is missing, empty or not UTF-8");
  return GLIA_OK;
}

glia_status glia_events_scalar(glia_events *e, const char *tag, int64_t step, double v) {
  gi_str value = {0};
  GI_TRY(check_tag(tag));
  gi_wire_put_text(&value, 1, tag);
  gi_wire_put_float(&value, 2, (float)v);
  return write_value(e, step, &value);
}

static uint32_t big_endian(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Channels by a PNG's colour type: gray, -, RGB, palette, gray and alpha, -, RGB and alpha. */
static const unsigned char channels[] = {1, 0, 3, 3, 2, 0, 4};

glia_status glia_events_image(glia_events *e, const char *tag, int64_t step, const void *png,
                              size_t n) {
  const unsigned char *p = png;
  gi_str value = {0}, image = {0};
  GI_TRY(check_tag(tag));
  if (n < PNG_HEAD || memcmp(p, "\x89PNG\r\n\x1a\n", 8) != 0 ||
      memcmp(p + 12, "IHDR", 4) != 0 || p[25] >= sizeof channels || channels[p[25]] == 0)
    return gi_fail(GLIA_FORMAT, "events: \"%.80s\": is no PNG picture", tag);
  gi_wire_put_varint(&image, 1, big_endian(p + 20));
  gi_wire_put_varint(&image, 2, big_endian(p + 16));
  gi_wire_put_varint(&image, 3, channels[p[25]]);
  gi_wire_put_bytes(&image, 4, png, n);
  gi_wire_put_text(&value, 1, tag);
  gi_wire_put_message(&value, 4, &image);
  return write_value(e, step, &value);
}

/* Elements, row-major; and what is told of the finite ones alone. */
typedef struct numbers {
  glia_dtype dtype;
  const void *data;
  int64_t n;
  double least, most, count, sum, squares;
} numbers;

static void measure(numbers *s) {
  s->least = INFINITY;
  s->most = -INFINITY;
  for (int64_t i = 0; i < s->n; i++) {
    const double v = gi_load(s->dtype, s->data, i);
    if (!isfinite(v)) continue;
    s->least = fmin(s->least, v);
    s->most = fmax(s->most, v);
    s->count++;
    s->sum += v;
    s->squares += v * v;
  }
}

/* Equal buckets from the least to the most; one where they are the same. */
static size_t count_buckets(const numbers *s, double *limit, double *bucket) {
  const double width = (s->most - s->least) / BUCKETS;
  const int n = width > 0 && isfinite(width) ? BUCKETS : 1;
  for (int i = 0; i < n; i++) limit[i] = i + 1 == n ? s->most : s->least + width * (i + 1);
  for (int64_t i = 0; i < s->n; i++) {
    const double v = gi_load(s->dtype, s->data, i);
    if (isfinite(v)) bucket[n == 1 ? 0 : GI_MIN((int)((v - s->least) / width), n - 1)]++;
  }
  return (size_t)n;
}

static void put_histogram(gi_str *value, numbers *s) {
  double limit[BUCKETS] = {0}, bucket[BUCKETS] = {0};
  gi_str h = {0};
  const size_t n = count_buckets(s, limit, bucket);
  gi_wire_put_double(&h, 1, s->least);
  gi_wire_put_double(&h, 2, s->most);
  gi_wire_put_double(&h, 3, s->count);
  gi_wire_put_double(&h, 4, s->sum);
  gi_wire_put_double(&h, 5, s->squares);
  gi_wire_put_doubles(&h, 6, limit, n);
  gi_wire_put_doubles(&h, 7, bucket, n);
  gi_wire_put_message(value, 5, &h);
}

glia_status glia_events_histogram(glia_events *e, const char *tag, int64_t step,
                                  const glia_tensor *t) {
  gi_str value = {0};
  glia_tensor *hold = NULL;
  numbers s = {.dtype = glia_tensor_dtype(t), .n = glia_tensor_count(t)};
  GI_TRY(check_tag(tag));
  GI_TRY(gi_tensor_dense(t, &s.data, &hold));
  measure(&s);
  if (s.count > 0) {
    gi_wire_put_text(&value, 1, tag);
    put_histogram(&value, &s);
  }
  glia_tensor_free(hold);
  if (s.count == 0)
    return gi_fail(GLIA_INVALID, "events: \"%.80s\": no element is a finite number", tag);
  return write_value(e, step, &value);
}
