/* ops/roi.h - insides of boxes whose number of samples depends on the boxes (roi.c). */
#ifndef GI_ROI_H
#define GI_ROI_H

#include "glia/boxes.h"

/* glia_roi_align with sampling by box; x, boxes, image and options are checked. */
glia_value gi_roi_by_box(glia_value x, glia_value boxes, glia_value image,
                         const glia_roi_opts *o);

#endif /* GI_ROI_H */
