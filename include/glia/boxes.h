/* glia/boxes.h - boxes of detectors: [x1, y1, x2, y2] with x1 <= x2, y1 <= y2, in pixels.
 */
#ifndef GLIA_BOXES_H
#define GLIA_BOXES_H

#include "glia/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Area of the overlap over area of the union, of all pairs: a [N, 4], b [M, 4] -> [N, M]. */
GLIA_API glia_value glia_box_iou(glia_value a, glia_value b);
/* That, less the share of the smallest box around both that neither covers (arXiv:1902.09630).
 */
GLIA_API glia_value glia_box_giou(glia_value a, glia_value b);

typedef struct glia_nms_opts {
  size_t size;
  double iou;   /* boxes that overlap a better one by more fall away; 0 -> 0.5 */
  double score; /* boxes with a lower score fall away first; 0: none */
  int64_t most; /* at most so many stay; 0: any number */
} glia_nms_opts;
/* Non-maximum suppression: the boxes [N, 4] that stay, as indices i64 [N] by falling score [N],
 * zeros behind `count` (i64, rank 0) of them; of equal scores the first is the better one. With
 * classes (i64 or i32 [N]; or GLIA_NONE) boxes compete within their class only. No gradient. */
GLIA_API glia_value glia_nms_opt(glia_value boxes, glia_value scores, glia_value classes,
                                 glia_value *count, const glia_nms_opts *opt);

typedef struct glia_roi_opts {
  size_t size;
  int64_t height, width; /* of the result; must be given */
  double scale;          /* of the boxes' pixels to x's; 0 -> 1 */
  int64_t sampling;      /* places looked at along each side of a cell; 0 -> 2; -1: by box, as
                            many as a cell of it has pixels (torchvision's sampling_ratio 0) */
  bool aligned;          /* pixel i spans i - 1/2 .. i + 1/2, boxes may be small; false: boxes
                            are at least one pixel wide, as in older models */
} glia_roi_opts;
/* The insides of boxes, at one size (arXiv:1703.06870): x [N, C, H, W], boxes [K, 4], image (of
 * each box, i64 [K]) -> [K, C, height, width]: means of sampling^2 places a cell, between
 * pixels interpolated, 0 outside. As torchvision's roi_align; differentiable in x, and in the
 * boxes as far as the places move with them (but not with sampling by box). */
GLIA_API glia_value glia_roi_align_opt(glia_value x, glia_value boxes, glia_value image,
                                       const glia_roi_opts *opt);
/* The largest pixel of each cell in place of a mean, 0 where a cell has none
 * (arXiv:1504.08083): boxes are rounded to pixels, both ends included, and cells to the pixels
 * that they touch. As torchvision's roi_pool; differentiable in x. No sampling, not aligned. */
GLIA_API glia_value glia_roi_pool_opt(glia_value x, glia_value boxes, glia_value image,
                                      const glia_roi_opts *opt);

#ifndef __cplusplus /* glia_nms(boxes, scores, GLIA_NONE, &count, .iou = 0.7) */
#define glia_nms(...) \
  GLIA_NAMED4(glia_nms_opt, glia_nms_opts, __VA_ARGS__, .size = sizeof(glia_nms_opts))
#define glia_roi_pool(...) \
  GLIA_NAMED3(glia_roi_pool_opt, glia_roi_opts, __VA_ARGS__, .size = sizeof(glia_roi_opts))
#define glia_roi_align(...) \
  GLIA_NAMED3(glia_roi_align_opt, glia_roi_opts, __VA_ARGS__, .size = sizeof(glia_roi_opts))
#endif

#ifdef __cplusplus
}
#endif
#endif /* GLIA_BOXES_H */
