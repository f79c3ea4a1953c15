/* picture.c - the list of shapes, the measure of text, and SVG.
 *
 * Coordinates are written with two decimals: a hundredth of a pixel cannot be seen, and files
 * stay small. Text is measured by a table of advance widths, so that layouts are the same with
 * and without cairo and on every machine.
 */
#include "train/picture.h"

#include <math.h>

const gi_role_info gi_role_table[GI_ROLES] = {
    [GI_PAPER] = {"paper", 0xffffff, 0x16191f},   [GI_INK] = {"ink", 0x1d2430, 0xe8ebf0},
    [GI_MUTED] = {"muted", 0x5b6472, 0x9aa4b2},   [GI_GRID] = {"grid", 0xe3e6ea, 0x2c323c},
    [GI_BLUE] = {"blue", 0x0072b2, 0x4aa8e8},     [GI_RED] = {"red", 0xd55e00, 0xff8a45},
    [GI_GREEN] = {"green", 0x009e73, 0x2fc79b},   [GI_PURPLE] = {"purple", 0xb4588f, 0xe59ac8},
    [GI_ORANGE] = {"orange", 0xd99000, 0xf4bd4a}, [GI_SKY] = {"sky", 0x4aa3d6, 0x8fd0f5},
};

glia_status gi_picture_new(double width, double height, gi_picture **out) {
  if (!(width > 0 && width <= 32000 && height > 0 && height <= 32000))
    return gi_fail(GLIA_INVALID, "picture: %g x %g, wanted 1..32000 a side", width, height);
  gi_picture *p = gi_alloc(sizeof *p);
  if (p == NULL) return gi_fail_nomem(sizeof *p);
  p->width = width;
  p->height = height;
  *out = p;
  return GLIA_OK;
}

void gi_picture_free(gi_picture *p) {
  if (p == NULL) return;
  gi_vec_free(&p->shapes);
  gi_arena_free(&p->arena);
  gi_free(p);
}

double gi_picture_width(const gi_picture *p) { return p->width; }

double gi_picture_height(const gi_picture *p) { return p->height; }

/* ---- drawing ---------------------------------------------------------------------------- */

static void add(gi_picture *p, gi_shape s) {
  if (p->failed) return;
  if (!gi_vec_push(&p->shapes, s)) p->failed = true;
}

void gi_draw_rect(gi_picture *p, double x, double y, double w, double h, gi_paint fill) {
  add(p, (gi_shape){.kind = GI_SHAPE_RECT, .paint = fill, .x = x, .y = y, .w = w, .h = h});
}

void gi_draw_frame(gi_picture *p, double x, double y, double w, double h, double line,
                   gi_paint stroke) {
  const double l = x + line / 2, t = y + line / 2, r = x + w - line / 2, b = y + h - line / 2;
  gi_draw_path(p, (const double[]){l, t, r, t, r, b, l, b, l, t}, 5, line, 0, stroke);
}

void gi_draw_dot(gi_picture *p, double x, double y, double radius, gi_paint fill) {
  add(p, (gi_shape){.kind = GI_SHAPE_DOT, .paint = fill, .x = x, .y = y, .w = radius});
}

void gi_draw_path(gi_picture *p, const double *xy, int64_t n, double line, double dash,
                  gi_paint stroke) {
  if (n < 2) return;
  const double *copy = gi_arena_copy(&p->arena, xy, (size_t)n * 2 * sizeof *xy);
  if (copy == NULL) p->failed = true;
  add(p, (gi_shape){.kind = GI_SHAPE_PATH,
                    .paint = stroke,
                    .xy = copy,
                    .n = n,
                    .line = line,
                    .dash = dash});
}

void gi_draw_line(gi_picture *p, double x0, double y0, double x1, double y1, double line,
                  gi_paint stroke) {
  gi_draw_path(p, (const double[]){x0, y0, x1, y1}, 2, line, 0, stroke);
}

void gi_draw_text(gi_picture *p, double x, double y, gi_text_style style, gi_paint fill,
                  const char *text) {
  const char *copy = gi_arena_strdup(&p->arena, text);
  if (copy == NULL) p->failed = true;
  if (style.size == 0) style.size = 12;
  add(p,
      (gi_shape){
          .kind = GI_SHAPE_TEXT, .paint = fill, .x = x, .y = y, .style = style, .text = copy});
}

void gi_draw_image(gi_picture *p, double x, double y, double w, double h, const gi_image *im) {
  gi_image copy = *im;
  const size_t bytes = (size_t)im->channels * (size_t)im->height * (size_t)im->width;
  copy.px = gi_arena_copy(&p->arena, im->px, bytes);
  if (copy.px == NULL) p->failed = true;
  add(p, (gi_shape){.kind = GI_SHAPE_IMAGE, .x = x, .y = y, .w = w, .h = h, .image = copy});
}

/* ---- the measure of text ---------------------------------------------------------------- */

/* Advance of the characters 32..126 of DejaVu Sans, in hundredths of the font size. */
static const unsigned char advance[2][95] = {
    {32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36,  32, 34, 64, 64, 64,
     64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63,
     58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63,  61, 73, 68, 99, 69,
     61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35,  63, 63, 28, 28, 58,
     28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59,  52, 64, 34, 64, 84},
    {35, 46,  52, 84, 70, 100, 87, 31,  46, 46, 52, 84, 38, 42,  38, 37, 70, 70,  70,
     70, 70,  70, 70, 70, 70,  70, 40,  40, 84, 84, 84, 58, 100, 77, 76, 73, 83,  68,
     68, 82,  84, 37, 37, 77,  64, 100, 84, 85, 73, 85, 77, 72,  68, 81, 77, 110, 77,
     72, 73,  46, 37, 46, 84,  50, 50,  67, 72, 59, 72, 68, 44,  72, 71, 34, 34,  67,
     34, 104, 71, 69, 72, 72,  49, 60,  48, 71, 65, 92, 65, 65,  58, 71, 37, 71,  84}};

static double advance_of(uint32_t c, bool bold) {
  if (c >= 32 && c < 127) return advance[bold][c - 32] / 100.0;
  const int columns = gi_utf8_columns_of(c);
  return columns == 2 ? 1.05 : columns == 0 ? 0 : bold ? 0.8 : 0.72;
}

double gi_text_width(const char *text, double size, bool bold) {
  double w = 0;
  for (uint32_t c; (c = gi_utf8_next(&text)) != 0;) w += advance_of(c, bold);
  return w * size;
}

void gi_draw_text_within(gi_picture *p, double x, double y, gi_text_style style, gi_paint fill,
                         const char *text, double width) {
  gi_str cut = {0};
  const bool whole = gi_text_width(text, style.size, style.bold) <= width;
  double left = width / style.size - 1; /* an em for the ellipsis */
  const char *from = text;
  for (uint32_t c; !whole && (c = gi_utf8_next(&from)) != 0;) {
    left -= advance_of(c, style.bold);
    if (left < 0) break;
    gi_utf8_put(&cut, c);
  }
  if (!whole) gi_str_puts(&cut, "…");
  if (cut.failed)
    p->failed = true;
  else
    gi_draw_text(p, x, y, style, fill, whole ? text : cut.s);
  gi_str_free(&cut);
}

/* ---- SVG -------------------------------------------------------------------------------- */

/* A coordinate with two decimals at most; printf's own would follow the locale. */
static void number(gi_str *out, double v) {
  const long long hundredths = llround(fmin(fmax(v, -1e6), 1e6) * 100);
  const long long all = hundredths < 0 ? -hundredths : hundredths;
  gi_str_printf(out, "%s%lld", hundredths < 0 ? "-" : "", all / 100);
  if (all % 10 != 0)
    gi_str_printf(out, ".%02lld", all % 100);
  else if (all % 100 != 0)
    gi_str_printf(out, ".%lld", all % 100 / 10);
}

/* ` name="1.5"` */
static void measure(gi_str *out, const char *name, double v) {
  gi_str_printf(out, " %s=\"", name);
  number(out, v);
  gi_str_puts(out, "\"");
}

static void numbers(gi_str *out, const char *a, double x, const char *b, double y) {
  gi_str_puts(out, a);
  number(out, x);
  gi_str_puts(out, b);
  number(out, y);
}

/* ` fill="#0072b2"`: as an attribute, or as a style where the page chooses the colour. */
static void paint(gi_str *out, const char *what, gi_paint c, bool themed) {
  const gi_role_info *role = &gi_role_table[c.role];
  if (themed)
    gi_str_printf(out, " style=\"%s:var(--gi-%s)\"", what, role->name);
  else
    gi_str_printf(out, " %s=\"#%06x\"", what, role->light);
  if (c.alpha < 1) measure(out, what[0] == 'f' ? "fill-opacity" : "stroke-opacity", c.alpha);
}

static glia_status image(gi_str *out, const gi_shape *s) {
  gi_str png = {0};
  const glia_status status = gi_png_encode(&s->image, "picture", &png);
  if (status == GLIA_OK) {
    numbers(out, "<image x=\"", s->x, "\" y=\"", s->y);
    numbers(out, "\" width=\"", s->w, "\" height=\"", s->h);
    gi_str_puts(out, "\" preserveAspectRatio=\"none\"");
    if (s->w > s->image.width) gi_str_puts(out, " style=\"image-rendering:pixelated\"");
    gi_str_puts(out, " href=\"data:image/png;base64,");
    gi_base64(out, png.s, png.n);
    gi_str_puts(out, "\"/>\n");
  }
  gi_str_free(&png);
  return status;
}

static void text(gi_str *out, const gi_shape *s, bool themed) {
  numbers(out, "<text x=\"", s->x, "\" y=\"", s->y);
  gi_str_puts(out, "\"");
  measure(out, "font-size", s->style.size);
  if (s->style.align > 0)
    gi_str_printf(out, " text-anchor=\"%s\"", s->style.align > 0.5 ? "end" : "middle");
  if (s->style.bold) gi_str_puts(out, " font-weight=\"600\"");
  if (s->style.turn != 0) {
    numbers(out, " transform=\"rotate(", s->style.turn, " ", s->x);
    gi_str_puts(out, " ");
    number(out, s->y);
    gi_str_puts(out, ")\"");
  }
  paint(out, "fill", s->paint, themed);
  gi_str_puts(out, ">");
  gi_markup(out, s->text);
  gi_str_puts(out, "</text>\n");
}

static void path(gi_str *out, const gi_shape *s, bool themed) {
  gi_str_puts(out, "<path d=\"");
  for (int64_t i = 0; i < s->n; i++)
    numbers(out, i == 0 ? "M" : " ", s->xy[2 * i], " ", s->xy[2 * i + 1]);
  gi_str_puts(out, "\" fill=\"none\"");
  measure(out, "stroke-width", s->line);
  if (s->dash > 0) measure(out, "stroke-dasharray", s->dash);
  paint(out, "stroke", s->paint, themed);
  gi_str_puts(out, "/>\n");
}

static glia_status shape(gi_str *out, const gi_shape *s, bool themed) {
  switch (s->kind) {
    case GI_SHAPE_RECT:
      numbers(out, "<rect x=\"", s->x, "\" y=\"", s->y);
      numbers(out, "\" width=\"", s->w, "\" height=\"", s->h);
      gi_str_puts(out, "\"");
      paint(out, "fill", s->paint, themed);
      gi_str_puts(out, "/>\n");
      return GLIA_OK;
    case GI_SHAPE_DOT:
      numbers(out, "<circle cx=\"", s->x, "\" cy=\"", s->y);
      gi_str_puts(out, "\"");
      measure(out, "r", s->w);
      paint(out, "fill", s->paint, themed);
      gi_str_puts(out, "/>\n");
      return GLIA_OK;
    case GI_SHAPE_PATH: path(out, s, themed); return GLIA_OK;
    case GI_SHAPE_TEXT: text(out, s, themed); return GLIA_OK;
    default: return image(out, s);
  }
}

glia_status gi_picture_svg(const gi_picture *p, bool themed, gi_str *out) {
  if (p->failed) return gi_fail_nomem(0);
  gi_str_puts(out, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
  numbers(out, " viewBox=\"0 0 ", p->width, " ", p->height);
  gi_str_puts(out, "\"");
  if (!themed) {
    numbers(out, " width=\"", p->width, "\" height=\"", p->height);
    gi_str_puts(out, "\"");
  }
  gi_str_puts(out,
              " font-family=\"'DejaVu Sans',system-ui,'Segoe UI',Roboto,Helvetica,Arial,"
              "sans-serif\" stroke-linejoin=\"round\" stroke-linecap=\"round\">\n");
  if (!themed) gi_str_puts(out, "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
  for (size_t i = 0; i < p->shapes.n; i++) GI_TRY(shape(out, &p->shapes.at[i], themed));
  gi_str_puts(out, "</svg>\n");
  return out->failed ? gi_fail_nomem(out->n) : GLIA_OK;
}

/* ---- files ------------------------------------------------------------------------------ */

static bool ends_in(const char *path_, const char *end) {
  const size_t n = strlen(path_), k = strlen(end);
  return n > k && strcmp(path_ + n - k, end) == 0;
}

glia_status gi_picture_save(const gi_picture *p, const char *to) {
  gi_str out = {0};
  glia_status s;
  if (ends_in(to, ".svg"))
    s = gi_picture_svg(p, false, &out);
  else if (ends_in(to, ".png"))
    s = gi_picture_png(p, 2, &out);
  else
    s = gi_fail(GLIA_INVALID, "%s: wanted a name that ends in .svg or .png", to);
  if (s == GLIA_OK) s = gi_write_file(to, out.s, out.n);
  gi_str_free(&out);
  return s;
}
