/* png.c - PNG, over libpng; the only file that knows it.
 *
 * Whatever the file holds (palette, 1 to 16 bits, interlaced, transparent colour) becomes 8
 * bits of gray or RGB, with alpha where there is any. Colour profiles and texts are not looked
 * at: what is not parsed cannot be attacked.
 *
 * libpng reports errors by longjmp. Each function that calls setjmp has no locals that change
 * after it: what must survive lives in `state`, which the caller owns and clears on every path.
 */
#include <png.h>
#include <setjmp.h>

#include "vision/image.h"

typedef struct state {
  const char *what;
  const unsigned char *p; /* file */
  size_t n, at;
  png_structp png;
  png_infop info;
  char text[160]; /* libpng's message */
  bool no_memory;
  gi_image *image;       /* read into */
  const gi_image *given; /* written from */
  gi_str *out;           /* written to */
} state;

bool gi_is_png(const void *bytes, size_t n) {
  return n >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

/* ---- what libpng calls ------------------------------------------------------------------- */

static void on_error(png_structp png, png_const_charp message) {
  state *s = png_get_error_ptr(png);
  snprintf(s->text, sizeof s->text, "%s", message);
  png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) { (void)png, (void)message; }

static png_voidp on_alloc(png_structp png, png_alloc_size_t bytes) {
  state *s = png_get_mem_ptr(png);
  void *p = gi_alloc(bytes);
  if (p == NULL) s->no_memory = true;
  return p;
}

static void on_free(png_structp png, png_voidp p) {
  (void)png;
  gi_free(p);
}

static void on_read(png_structp png, png_bytep to, size_t n) {
  state *s = png_get_io_ptr(png);
  if (n > s->n - s->at) png_error(png, "the file is truncated");
  memcpy(to, s->p + s->at, n);
  s->at += n;
}

static void on_write(png_structp png, png_bytep from, size_t n) {
  state *s = png_get_io_ptr(png);
  gi_str_add(s->out, (const char *)from, n);
  if (s->out->failed) {
    s->no_memory = true;
    png_error(png, "out of memory");
  }
}

static void on_flush(png_structp png) { (void)png; }

static glia_status failed(const state *s, const char *verb) {
  if (s->no_memory) return gi_fail_nomem(s->n);
  return gi_fail(GLIA_FORMAT, "%s: PNG cannot be %s: %s", s->what, verb,
                 s->text[0] != '\0' ? s->text : "unknown reason");
}

/* ---- reading ----------------------------------------------------------------------------- */

/* Chunks that say nothing about pixels as stored. */
static void ignore_chunks(png_structp png) {
  static const png_byte names[] =
      "cHRM\0gAMA\0iCCP\0sBIT\0sRGB\0bKGD\0hIST\0pHYs\0sPLT\0tIME\0"
      "iTXt\0tEXt\0zTXt\0oFFs\0pCAL\0sCAL\0eXIf";
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, names, (int)(sizeof names / 5));
}

/* Header to 8-bit gray or RGB, with alpha where there is any. */
static void set_transforms(state *s) {
  const int bits = png_get_bit_depth(s->png, s->info),
            kind = png_get_color_type(s->png, s->info);
  if (bits == 16) png_set_scale_16(s->png);
  if (kind == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(s->png);
  if (kind == PNG_COLOR_TYPE_GRAY && bits < 8) png_set_expand_gray_1_2_4_to_8(s->png);
  if (png_get_valid(s->png, s->info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(s->png);
}

static int channels_of(const state *s) {
  const int kind = png_get_color_type(s->png, s->info);
  const bool alpha =
      (kind & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(s->png, s->info, PNG_INFO_tRNS) != 0;
  return ((kind & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1) + (alpha ? 1 : 0);
}

/* Deflate packs 1032:1 at best, so a short file cannot hold a large picture: known before
 * memory is asked for. */
static bool can_hold(const state *s, png_uint_32 height) {
  const uint64_t raw = (uint64_t)png_get_rowbytes(s->png, s->info) * height;
  return raw / 1032 <= s->n;
}

static bool read_header(state *s) {
  if (setjmp(png_jmpbuf(s->png)) != 0) return false;
  png_set_read_fn(s->png, s, on_read);
  png_set_user_limits(s->png, GI_IMAGE_SIDE, GI_IMAGE_SIDE);
  png_set_chunk_malloc_max(s->png, (png_alloc_size_t)8 << 20);
  png_set_crc_action(s->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  ignore_chunks(s->png);
  png_read_info(s->png, s->info);
  if (!can_hold(s, png_get_image_height(s->png, s->info)))
    png_error(s->png, "the file is too short for a picture of its size; truncated?");
  return true;
}

static bool read_pixels(state *s) {
  if (setjmp(png_jmpbuf(s->png)) != 0) return false;
  set_transforms(s);
  const int passes = png_set_interlace_handling(s->png);
  png_read_update_info(s->png, s->info);
  const size_t stride = (size_t)s->image->width * (size_t)s->image->channels;
  if (png_get_rowbytes(s->png, s->info) != stride) png_error(s->png, "rows of another length");
  for (int pass = 0; pass < passes; pass++)
    for (int y = 0; y < s->image->height; y++)
      png_read_row(s->png, s->image->px + (size_t)y * stride, NULL);
  png_read_end(s->png, NULL); /* the rest must be there too */
  return true;
}

glia_status gi_png_decode(const void *bytes, size_t n, const char *what, bool probe,
                          gi_image *out) {
  gi_image image = {0};
  state s = {.what = what, .p = bytes, .n = n, .image = &image};
  s.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning, &s,
                                   on_alloc, on_free);
  if (s.png != NULL) s.info = png_create_info_struct(s.png);
  if (s.info == NULL) s.no_memory = true;
  glia_status status = s.info != NULL && read_header(&s) ? GLIA_OK : failed(&s, "read");
  if (status == GLIA_OK) {
    image.channels = channels_of(&s);
    image.height = (int)png_get_image_height(s.png, s.info);
    image.width = (int)png_get_image_width(s.png, s.info);
    if (!probe) status = gi_image_new(&image, image.channels, image.height, image.width, what);
  }
  if (status == GLIA_OK && !probe && !read_pixels(&s)) status = failed(&s, "read");
  png_destroy_read_struct(&s.png, &s.info, NULL);
  if (status == GLIA_OK)
    *out = image;
  else
    gi_image_clear(&image);
  return status;
}

/* ---- writing ----------------------------------------------------------------------------- */

static bool write_all(state *s) {
  static const int kinds[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                              PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
  if (setjmp(png_jmpbuf(s->png)) != 0) return false;
  const gi_image *im = s->given;
  png_set_write_fn(s->png, s, on_write, on_flush);
  png_set_IHDR(s->png, s->info, (png_uint_32)im->width, (png_uint_32)im->height, 8,
               kinds[im->channels - 1], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(s->png, s->info);
  const size_t stride = (size_t)im->width * (size_t)im->channels;
  for (int y = 0; y < im->height; y++) png_write_row(s->png, im->px + (size_t)y * stride);
  png_write_end(s->png, s->info);
  return true;
}

glia_status gi_png_encode(const gi_image *im, const char *what, gi_str *out) {
  state s = {.what = what, .given = im, .out = out};
  s.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning, &s,
                                    on_alloc, on_free);
  if (s.png != NULL) s.info = png_create_info_struct(s.png);
  if (s.info == NULL) s.no_memory = true;
  const glia_status status = s.info != NULL && write_all(&s) ? GLIA_OK : failed(&s, "written");
  png_destroy_write_struct(&s.png, &s.info);
  return status;
}
