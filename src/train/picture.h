/* train/picture.h - a drawing as a list of shapes, written as SVG or (through cairo) as PNG.
 *
 * Plots draw once into a picture; what it becomes is decided afterwards. SVG is written by
 * ourselves, so that it works without cairo, keeps text as text, and can take its colours from
 * the page it stands in (light and dark). Units are CSS pixels from the top left corner; text
 * stands on its baseline.
 *
 * Drawing functions return nothing: a failure (no memory) latches and is told by the writers.
 */
#ifndef GI_PICTURE_H
#define GI_PICTURE_H

#include "train/utf8.h"
#include "vision/image.h"

/* Colours by what they are for. The series' colours are those of Okabe and Ito (2008), chosen
 * to be told apart also by the colour-blind, from dark to light; yellow is left out. */
typedef enum gi_role {
  GI_PAPER,
  GI_INK,   /* titles, values */
  GI_MUTED, /* labels, ticks */
  GI_GRID,
  GI_BLUE, /* series 0 */
  GI_RED,  /* vermillion: series 1, mistakes */
  GI_GREEN,
  GI_PURPLE,
  GI_ORANGE,
  GI_SKY,
  GI_ROLES
} gi_role;
enum { GI_SERIES_COLORS = GI_ROLES - GI_BLUE };

/* Name of the role in style sheets ("ink" for --gi-ink), its colour 0xRRGGBB on light and dark
 * paper. */
typedef struct gi_role_info {
  const char *name;
  uint32_t light, dark;
} gi_role_info;
extern const gi_role_info gi_role_table[GI_ROLES];

typedef struct gi_paint {
  gi_role role;
  double alpha; /* 0..1 */
} gi_paint;

typedef struct gi_picture gi_picture;

/* Width and height above 0 and up to 32000, else GLIA_INVALID. Owned. */
glia_status gi_picture_new(double width, double height, gi_picture **out);
void gi_picture_free(gi_picture *p);
double gi_picture_width(const gi_picture *p);
double gi_picture_height(const gi_picture *p);

void gi_draw_rect(gi_picture *p, double x, double y, double w, double h, gi_paint fill);
/* The outline of it, inside the rectangle. */
void gi_draw_frame(gi_picture *p, double x, double y, double w, double h, double line,
                   gi_paint stroke);
void gi_draw_dot(gi_picture *p, double x, double y, double radius, gi_paint fill);
/* n points (x, y, x, y ...), joined; dash is the length of dashes and gaps, 0: solid. */
void gi_draw_path(gi_picture *p, const double *xy, int64_t n, double line, double dash,
                  gi_paint stroke);
void gi_draw_line(gi_picture *p, double x0, double y0, double x1, double y1, double line,
                  gi_paint stroke);

typedef struct gi_text_style {
  double size;  /* of the font; 0 -> 12 */
  double align; /* 0 begins at x, 0.5 is centred on it, 1 ends there */
  double turn;  /* degrees clockwise about (x, y): -90 reads upwards */
  bool bold;
} gi_text_style;
/* Copied. */
void gi_draw_text(gi_picture *p, double x, double y, gi_text_style style, gi_paint fill,
                  const char *text);
/* The same, cut with "…" to the width. */
void gi_draw_text_within(gi_picture *p, double x, double y, gi_text_style style, gi_paint fill,
                         const char *text, double width);
/* Scaled to the rectangle: sharp pixels when enlarged. Copied. */
void gi_draw_image(gi_picture *p, double x, double y, double w, double h, const gi_image *im);

/* Width of text in DejaVu Sans, wider than most sans fonts: a bound for layout. */
double gi_text_width(const char *text, double size, bool bold);

/* As SVG, appended to out. themed: for inclusion in a page, colours are the page's variables
 * --gi-paper, --gi-ink ... and the size follows the page; else on its own, on white paper. */
glia_status gi_picture_svg(const gi_picture *p, bool themed, gi_str *out);
/* As PNG with `scale` pixels for a unit (1..4), appended. GLIA_UNSUPPORTED without cairo. */
glia_status gi_picture_png(const gi_picture *p, double scale, gi_str *out);
/* By the path's end, ".svg" or ".png" (two pixels a unit). Atomic. */
glia_status gi_picture_save(const gi_picture *p, const char *path);
/* Can gi_picture_png work? */
bool gi_picture_has_png(void);

/* ---- for the writers -------------------------------------------------------------------- */

typedef enum gi_shape_kind {
  GI_SHAPE_RECT,
  GI_SHAPE_DOT,
  GI_SHAPE_PATH,
  GI_SHAPE_TEXT,
  GI_SHAPE_IMAGE
} gi_shape_kind;

typedef struct gi_shape {
  gi_shape_kind kind;
  gi_paint paint;
  double x, y, w, h; /* rectangle, image; x, y of dot and text; w of dot: radius */
  double line, dash; /* path */
  const double *xy;  /* path: n points */
  int64_t n;
  gi_text_style style; /* text */
  const char *text;
  gi_image image;
} gi_shape;

struct gi_picture {
  double width, height;
  bool failed;
  gi_arena arena; /* texts, points and pixels */
  GI_VEC(gi_shape) shapes;
};

#endif /* GI_PICTURE_H */
