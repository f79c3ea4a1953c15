/* jpeg.c - JPEG, over libjpeg-turbo; the only file that knows it.
 *
 * Gray stays gray; YCbCr and RGB become RGB; CMYK (and YCCK) become RGB by ink arithmetic. The
 * picture is turned as its EXIF orientation says, so that a portrait taken with a phone is
 * upright.
 *
 * libjpeg goes on where data are missing or damaged, fills up with gray and merely warns. A
 * picture half of which is invented must not reach a training set, so those warnings are errors
 * here; the harmless ones (stray bytes between markers) stay warnings. Errors come by longjmp:
 * functions that call setjmp keep nothing in locals that change after it.
 */
#include <stdio.h> /* jpeglib.h wants FILE */

#include <jpeglib.h>
#include <jerror.h>
#include <setjmp.h>

#include "vision/image.h"

/* Scans that a progressive file may have; encoders use about ten, attacks thousands. */
enum { SCANS_MOST = 500 };

typedef struct state {
  struct jpeg_decompress_struct c;
  struct jpeg_error_mgr error;
  struct jpeg_source_mgr source;
  struct jpeg_progress_mgr progress;
  jmp_buf jump;
  char text[JMSG_LENGTH_MAX];
  bool no_memory;
  const char *what;
  size_t n; /* bytes of the file */
  gi_image *image;
  uint8_t *row; /* one row of CMYK */
} state;

bool gi_is_jpeg(const void *bytes, size_t n) {
  return n >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}

/* ---- what libjpeg calls ------------------------------------------------------------------ */

static void on_error(j_common_ptr c) {
  state *s = c->client_data;
  c->err->format_message(c, s->text);
  s->no_memory = c->err->msg_code == JERR_OUT_OF_MEMORY;
  longjmp(s->jump, 1);
}

static void stop(state *s, const char *text) {
  snprintf(s->text, sizeof s->text, "%s", text);
  longjmp(s->jump, 1);
}

/* Level -1 is "the data are damaged". */
static void on_message(j_common_ptr c, int level) {
  if (level >= 0) return;
  switch (c->err->msg_code) {
    case JWRN_HIT_MARKER: /* premature end of a segment */
    case JWRN_JPEG_EOF:   /* premature end of the file */
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_MUST_RESYNC: on_error(c); break;
    default: break;
  }
}

static void on_output(j_common_ptr c) { (void)c; }

static void on_progress(j_common_ptr c) {
  state *s = c->client_data;
  if (s->c.input_scan_number > SCANS_MOST) stop(s, "it has more than 500 scans");
}

static void on_begin(j_decompress_ptr c) { (void)c; }

/* All bytes were there from the start. */
static boolean on_fill(j_decompress_ptr c) {
  stop(c->client_data, "the file is truncated");
  return FALSE;
}

static void on_skip(j_decompress_ptr c, long n) {
  if (n <= 0) return;
  if ((size_t)n > c->src->bytes_in_buffer) stop(c->client_data, "the file is truncated");
  c->src->next_input_byte += n;
  c->src->bytes_in_buffer -= (size_t)n;
}

static void on_end(j_decompress_ptr c) { (void)c; }

/* ---- EXIF -------------------------------------------------------------------------------- */

typedef struct tiff { /* the TIFF file inside an EXIF marker */
  const uint8_t *p;
  size_t n;
  bool little;
} tiff;

static uint32_t number(const tiff *t, size_t at, int bytes) {
  uint32_t v = 0;
  for (int i = 0; i < bytes; i++)
    v = v << 8 | t->p[at + (size_t)(t->little ? bytes - 1 - i : i)];
  return v;
}

/* Orientation (tag 0x0112, SHORT) in the first directory: 1 to 8; 1 where there is none. */
static int find_orientation(const tiff *t) {
  if (t->n < 8 || number(t, 2, 2) != 42) return 1;
  const size_t directory = number(t, 4, 4);
  if (directory > t->n - 2) return 1;
  const size_t entries = number(t, directory, 2);
  for (size_t i = 0; i < entries; i++) {
    const size_t at = directory + 2 + 12 * i;
    if (at > t->n - 12 || t->n < 12) return 1;
    if (number(t, at, 2) != 0x0112) continue;
    const uint32_t v = number(t, at + 8, 2);
    return number(t, at + 2, 2) == 3 && v >= 1 && v <= 8 ? (int)v : 1;
  }
  return 1;
}

static int orientation(const state *s) {
  for (jpeg_saved_marker_ptr m = s->c.marker_list; m != NULL; m = m->next) {
    if (m->marker != JPEG_APP0 + 1 || m->data_length < 14) continue;
    if (memcmp(m->data, "Exif\0", 6) != 0) continue; /* "Exif", NUL, NUL */
    tiff t = {.p = m->data + 6, .n = m->data_length - 6};
    if (memcmp(t.p, "II", 2) != 0 && memcmp(t.p, "MM", 2) != 0) continue;
    t.little = t.p[0] == 'I';
    return find_orientation(&t);
  }
  return 1;
}

/* ---- reading ----------------------------------------------------------------------------- */

/* In Huffman coding each 8x8 block takes a bit at least, and the finest component has a quarter
 * of all blocks at least, whatever the sampling factors: a shorter file is truncated, which is
 * known before memory is asked for. Arithmetic coding could in theory do with less. */
static bool can_hold(const state *s) {
  const uint64_t pixels = (uint64_t)s->c.image_width * s->c.image_height;
  return pixels / (4 * 64 * 8) <= s->n;
}

static void set_output(state *s) {
  switch (s->c.jpeg_color_space) {
    case JCS_GRAYSCALE: s->c.out_color_space = JCS_GRAYSCALE; break;
    case JCS_CMYK:
    case JCS_YCCK: s->c.out_color_space = JCS_CMYK; break;
    default: s->c.out_color_space = JCS_RGB; break;
  }
}

static bool read_header(state *s) {
  if (setjmp(s->jump) != 0) return false;
  jpeg_create_decompress(&s->c);
  s->c.client_data = s;
  s->c.src = &s->source;
  s->c.progress = &s->progress;
  jpeg_save_markers(&s->c, JPEG_APP0 + 1, 0xffff);
  (void)jpeg_read_header(&s->c, TRUE);
  if (!can_hold(s)) stop(s, "the file is too short for a picture of its size; truncated?");
  set_output(s);
  return true;
}

static int times(int a, int b) { /* a * b / 255, rounded */
  const int t = a * b + 128;
  return ((t >> 8) + t) >> 8;
}

/* Adobe's files hold 255 - ink, others ink; light is what neither the colour nor the black
 * takes. */
static void from_cmyk(const uint8_t *cmyk, uint8_t *rgb, int n, bool inverted) {
  for (int i = 0; i < n; i++, cmyk += 4, rgb += 3) {
    const int light = inverted ? cmyk[3] : 255 - cmyk[3];
    for (int c = 0; c < 3; c++) {
      const int v = light - times(inverted ? 255 - cmyk[c] : cmyk[c], light);
      rgb[c] = (uint8_t)GI_MIN(GI_MAX(v, 0), 255);
    }
  }
}

static bool read_pixels(state *s) {
  if (setjmp(s->jump) != 0) return false;
  const size_t stride = (size_t)s->image->width * (size_t)s->image->channels;
  (void)jpeg_start_decompress(&s->c);
  while (s->c.output_scanline < s->c.output_height) {
    uint8_t *to = s->image->px + s->c.output_scanline * stride;
    JSAMPROW row = s->row != NULL ? s->row : to;
    (void)jpeg_read_scanlines(&s->c, &row, 1);
    if (s->row != NULL) from_cmyk(s->row, to, s->image->width, s->c.saw_Adobe_marker != FALSE);
  }
  (void)jpeg_finish_decompress(&s->c); /* up to the end marker, which must be there */
  return true;
}

static glia_status failed(const state *s) {
  if (s->no_memory) return gi_fail_nomem(s->n);
  return gi_fail(GLIA_FORMAT, "%s: JPEG cannot be read: %s", s->what, s->text);
}

static glia_status new_picture(state *s) {
  if (s->c.out_color_space == JCS_CMYK) {
    s->row = gi_alloc((size_t)s->image->width * 4);
    if (s->row == NULL) return gi_fail_nomem((size_t)s->image->width * 4);
  }
  return gi_image_new(s->image, s->image->channels, s->image->height, s->image->width, s->what);
}

static glia_status decode(state *s, bool probe) {
  if (!read_header(s)) return failed(s);
  *s->image = (gi_image){.channels = s->c.out_color_space == JCS_GRAYSCALE ? 1 : 3,
                         .height = (int)s->c.image_height,
                         .width = (int)s->c.image_width};
  const int turn = orientation(s); /* finishing forgets the markers */
  if (!probe) {
    GI_TRY(new_picture(s));
    if (!read_pixels(s)) return failed(s);
  }
  return gi_image_orient(s->image, turn);
}

glia_status gi_jpeg_decode(const void *bytes, size_t n, const char *what, bool probe,
                           gi_image *out) {
  gi_image image = {0};
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->what = what;
  s->n = n;
  s->image = &image;
  s->c.err = jpeg_std_error(&s->error);
  s->c.client_data = s;
  s->error.error_exit = on_error;
  s->error.emit_message = on_message;
  s->error.output_message = on_output;
  s->progress.progress_monitor = on_progress;
  s->source = (struct jpeg_source_mgr){.next_input_byte = bytes,
                                       .bytes_in_buffer = n,
                                       .init_source = on_begin,
                                       .fill_input_buffer = on_fill,
                                       .skip_input_data = on_skip,
                                       .resync_to_restart = jpeg_resync_to_restart,
                                       .term_source = on_end};
  const glia_status status = decode(s, probe);
  jpeg_destroy_decompress(&s->c);
  gi_free(s->row);
  gi_free(s);
  if (status == GLIA_OK)
    *out = image;
  else
    gi_image_clear(&image);
  return status;
}
