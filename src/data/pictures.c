/* pictures.c - one picture file: read as a model wants it, written as PNG. */
#include <strings.h>

#include "data/pictures.h"
#include "tensor/tensor.h"

glia_status gi_picture_check(const glia_image_opts *o) {
  if (o->channels != 0 && o->channels != 1 && o->channels != 3)
    return gi_fail(GLIA_INVALID, "pictures: %d channels, wanted 1 (gray) or 3 (colour)",
                   o->channels);
  const int sides[2] = {o->height, o->width};
  for (int i = 0; i < 2; i++)
    if (sides[i] < 0 || sides[i] > GI_IMAGE_SIDE)
      return gi_fail(GLIA_INVALID, "pictures: %s is %d pixels, wanted 1 to %d",
                     i == 0 ? "height" : "width", sides[i], GI_IMAGE_SIDE);
  if (o->n_classes < 0 || (o->n_classes > 0 && o->classes == NULL))
    return gi_fail(GLIA_INVALID, "pictures: %d class names from nowhere", o->n_classes);
  return GLIA_OK;
}

glia_status gi_picture_read(const char *path, const glia_image_opts *o, gi_image *out) {
  gi_image im;
  GI_TRY(gi_image_read(path, false, &im));
  const glia_status status =
      gi_image_fit(&im, path, o->channels, o->height, o->width, o->refuse_sizes);
  if (status == GLIA_OK)
    *out = im;
  else
    gi_image_clear(&im);
  return status;
}

bool gi_picture_name(const char *name) {
  static const char *const ends[] = {".png", ".jpg", ".jpeg"};
  const char *dot = strrchr(name, '.');
  for (int i = 0; dot != NULL && i < GI_COUNT(ends); i++)
    if (strcasecmp(dot, ends[i]) == 0) return true;
  return false;
}

glia_status glia_image_read(const char *path, const glia_image_opts *opt, glia_tensor **out) {
  if (path == NULL || out == NULL)
    return gi_fail(GLIA_INVALID, "glia_image_read: no path, or nowhere to put the picture");
  glia_image_opts o;
  gi_data_options(&o, sizeof o, opt);
  GI_TRY(gi_picture_check(&o));
  gi_image im;
  GI_TRY(gi_picture_read(path, &o, &im));
  const int64_t shape[] = {im.channels, im.height, im.width};
  glia_tensor *t;
  const glia_status status = glia_tensor_new(GLIA_U8, 3, shape, &t);
  if (status == GLIA_OK) {
    gi_image_planes(&im, glia_tensor_data(t));
    *out = t;
  }
  gi_image_clear(&im);
  return status;
}

/* [C, H, W] to a picture of [H, W, C]. */
static glia_status interleave(const glia_tensor *t, const char *path, gi_image *out) {
  const gi_type type = gi_tensor_type(t);
  char text[128];
  const int64_t c = type.rank == 3 ? type.dim[0] : 1;
  const int64_t h = type.rank < 2 ? 0 : type.dim[type.rank - 2];
  const int64_t w = type.rank < 2 ? 0 : type.dim[type.rank - 1];
  if (type.dtype != GLIA_U8 || (type.rank != 2 && type.rank != 3) || c < 1 || c > 4 ||
      h > GI_IMAGE_SIDE || w > GI_IMAGE_SIDE)
    return gi_fail(GLIA_SHAPE, "%s: picture is %s, wanted u8 [H, W] or [C, H, W] with C 1 to 4",
                   path, gi_type_text(&type, text, sizeof text));
  GI_TRY(gi_image_new(out, (int)c, (int)h, (int)w, path));
  glia_tensor *hold = NULL;
  const void *data;
  const glia_status status = gi_tensor_dense(t, &data, &hold);
  if (status != GLIA_OK) {
    gi_image_clear(out);
    return status;
  }
  const uint8_t *planes = data;
  const size_t pixels = (size_t)h * (size_t)w;
  for (size_t k = 0; k < (size_t)c; k++)
    for (size_t i = 0; i < pixels; i++) out->px[i * (size_t)c + k] = planes[k * pixels + i];
  glia_tensor_free(hold);
  return GLIA_OK;
}

glia_status glia_image_write(const char *path, const glia_tensor *image) {
  if (path == NULL || image == NULL)
    return gi_fail(GLIA_INVALID, "glia_image_write: no path or no picture");
  gi_image im;
  GI_TRY(interleave(image, path, &im));
  gi_str png = {0};
  glia_status status = gi_png_encode(&im, path, &png);
  if (status == GLIA_OK) status = gi_write_file(path, png.s, png.n);
  gi_str_free(&png);
  gi_image_clear(&im);
  return status;
}
