/* data/pictures.h - picture files as samples: what class folders and glia_image_read share. */
#ifndef GI_PICTURES_H
#define GI_PICTURES_H

#include "data/dataset.h"
#include "vision/image.h"

/* Channels 0, 1 or 3, sizes within the limits. */
glia_status gi_picture_check(const glia_image_opts *o);
/* Reads a file and makes it as o wants it; zeros in o keep what the file has. */
glia_status gi_picture_read(const char *path, const glia_image_opts *o, gi_image *out);
/* By its name's end: .png, .jpg, .jpeg, in any case. */
bool gi_picture_name(const char *name);

#endif /* GI_PICTURES_H */
