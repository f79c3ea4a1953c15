/* picture_png.c - a picture as PNG; the only file that knows cairo.
 *
 * Text is drawn with cairo's simple text interface and the system's sans font, unhinted, so
 * that it looks the same at every scale.
 */
#include "train/picture.h"

#ifndef GI_HAS_CAIRO

bool gi_picture_has_png(void) { return false; }

glia_status gi_picture_png(const gi_picture *p, double scale, gi_str *out) {
  (void)p, (void)scale, (void)out;
  return gi_fail(GLIA_UNSUPPORTED,
                 "picture: this build draws no PNG, it was made without cairo; "
                 "hint: write .svg, or build with libcairo2-dev");
}

#else

#include <cairo.h>
#include <math.h>

#ifdef __SANITIZE_ADDRESS__
/* fontconfig's patterns, which cairo caches for the life of the process, point to their parts
 * by offsets from themselves; the leak checker of sanitized builds cannot follow these. It asks
 * these functions what to overlook, and not to speak of it. */
GLIA_API const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfontconfig.so\n"; }
GLIA_API const char *__lsan_default_options(void);
const char *__lsan_default_options(void) { return "print_suppressions=0"; }
#endif

bool gi_picture_has_png(void) { return true; }

static void source(cairo_t *c, gi_paint paint) {
  const uint32_t rgb = gi_role_table[paint.role].light;
  cairo_set_source_rgba(c, (rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0,
                        (rgb & 255) / 255.0, paint.alpha);
}

static void path(cairo_t *c, const gi_shape *s) {
  cairo_new_path(c);
  for (int64_t i = 0; i < s->n; i++) cairo_line_to(c, s->xy[2 * i], s->xy[2 * i + 1]);
  source(c, s->paint);
  cairo_set_line_width(c, s->line);
  cairo_set_dash(c, &s->dash, s->dash > 0 ? 1 : 0, 0);
  cairo_stroke(c);
}

static glia_status text(cairo_t *c, const gi_shape *s) {
  gi_str clean = {0}; /* cairo refuses what is not UTF-8 */
  const char *from = s->text;
  for (uint32_t ch; (ch = gi_utf8_next(&from)) != 0;) gi_utf8_put(&clean, ch);
  if (clean.failed) {
    gi_str_free(&clean);
    return gi_fail_nomem(strlen(s->text));
  }
  if (clean.s == NULL) return GLIA_OK; /* empty */
  cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                         s->style.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(c, s->style.size);
  cairo_text_extents_t size;
  cairo_text_extents(c, clean.s, &size);
  cairo_save(c);
  cairo_translate(c, s->x, s->y);
  cairo_rotate(c, s->style.turn * 3.14159265358979323846 / 180);
  source(c, s->paint);
  cairo_move_to(c, -s->style.align * size.x_advance, 0);
  cairo_show_text(c, clean.s);
  cairo_restore(c);
  gi_str_free(&clean);
  return GLIA_OK;
}

/* Red, green, blue of a pixel of any kind of picture, alpha laid over white. */
static uint32_t pixel(const gi_image *im, size_t i) {
  const uint8_t *p = im->px + i * (size_t)im->channels;
  const bool color = im->channels >= 3;
  const unsigned a = im->channels == 2 ? p[1] : im->channels == 4 ? p[3] : 255;
  uint32_t rgb = 0;
  for (int k = 0; k < 3; k++) {
    const unsigned v = p[color ? k : 0];
    rgb = rgb << 8 | (v * a + 255 * (255 - a) + 127) / 255;
  }
  return rgb;
}

static glia_status image(cairo_t *c, const gi_shape *s) {
  const gi_image *im = &s->image;
  if (im->width < 1 || im->height < 1) return GLIA_OK;
  cairo_surface_t *tile = cairo_image_surface_create(CAIRO_FORMAT_RGB24, im->width, im->height);
  if (cairo_surface_status(tile) != CAIRO_STATUS_SUCCESS) {
    cairo_surface_destroy(tile);
    return gi_fail_nomem((size_t)im->width * (size_t)im->height * 4);
  }
  const size_t stride = (size_t)cairo_image_surface_get_stride(tile);
  unsigned char *to = cairo_image_surface_get_data(tile);
  for (size_t y = 0; y < (size_t)im->height; y++)
    for (size_t x = 0; x < (size_t)im->width; x++) {
      const uint32_t rgb = pixel(im, y * (size_t)im->width + x);
      memcpy(to + y * stride + x * 4, &rgb, 4);
    }
  cairo_surface_mark_dirty(tile);
  cairo_save(c);
  cairo_rectangle(c, s->x, s->y, s->w, s->h);
  cairo_clip(c);
  cairo_translate(c, s->x, s->y);
  cairo_scale(c, s->w / im->width, s->h / im->height);
  cairo_set_source_surface(c, tile, 0, 0);
  cairo_pattern_set_filter(cairo_get_source(c),
                           s->w > im->width ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_GOOD);
  cairo_pattern_set_extend(cairo_get_source(c), CAIRO_EXTEND_PAD);
  cairo_paint(c);
  cairo_restore(c);
  cairo_surface_destroy(tile);
  return GLIA_OK;
}

static glia_status shape(cairo_t *c, const gi_shape *s) {
  switch (s->kind) {
    case GI_SHAPE_RECT:
      source(c, s->paint);
      cairo_rectangle(c, s->x, s->y, s->w, s->h);
      cairo_fill(c);
      return GLIA_OK;
    case GI_SHAPE_DOT:
      source(c, s->paint);
      cairo_new_path(c);
      cairo_arc(c, s->x, s->y, s->w, 0, 6.28318530717958647692);
      cairo_fill(c);
      return GLIA_OK;
    case GI_SHAPE_PATH: path(c, s); return GLIA_OK;
    case GI_SHAPE_TEXT: return text(c, s);
    default: return image(c, s);
  }
}

static void prepare(cairo_t *c, double scale) {
  cairo_font_options_t *font = cairo_font_options_create();
  cairo_font_options_set_hint_style(font, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(font, CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_antialias(font, CAIRO_ANTIALIAS_GRAY);
  cairo_set_font_options(c, font);
  cairo_font_options_destroy(font);
  cairo_scale(c, scale, scale);
  cairo_set_line_join(c, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap(c, CAIRO_LINE_CAP_ROUND);
  source(c, (gi_paint){GI_PAPER, 1});
  cairo_paint(c);
}

static cairo_status_t write_to(void *user, const unsigned char *bytes, unsigned n) {
  gi_str *out = user;
  gi_str_add(out, (const char *)bytes, n);
  return out->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

glia_status gi_picture_png(const gi_picture *p, double scale, gi_str *out) {
  if (p->failed) return gi_fail_nomem(0);
  if (!(scale >= 1 && scale <= 4))
    return gi_fail(GLIA_INVALID, "picture: scale is %g, wanted 1..4", scale);
  scale = fmin(scale, 32000 / fmax(p->width, p->height)); /* cairo's largest side is 32767 */
  cairo_surface_t *surface = cairo_image_surface_create(
      CAIRO_FORMAT_RGB24, (int)ceil(p->width * scale), (int)ceil(p->height * scale));
  cairo_t *c = cairo_create(surface);
  prepare(c, scale);
  glia_status s = GLIA_OK;
  for (size_t i = 0; s == GLIA_OK && i < p->shapes.n; i++) s = shape(c, &p->shapes.at[i]);
  const cairo_status_t drawn = cairo_status(c);
  cairo_destroy(c);
  if (s == GLIA_OK && drawn != CAIRO_STATUS_SUCCESS)
    s = gi_fail(GLIA_NOMEM, "picture: cairo: %s", cairo_status_to_string(drawn));
  if (s == GLIA_OK) {
    const cairo_status_t written = cairo_surface_write_to_png_stream(surface, write_to, out);
    if (written != CAIRO_STATUS_SUCCESS)
      s = gi_fail(GLIA_NOMEM, "picture: cairo: %s", cairo_status_to_string(written));
  }
  cairo_surface_destroy(surface);
  return s;
}

#endif
