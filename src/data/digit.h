/* data/digit.h - one handwritten-like digit, drawn. */
#ifndef GI_DIGIT_H
#define GI_DIGIT_H

#include "base/base.h"

enum { GI_DIGIT_SIDE = 28 };

/* A way of writing a digit: "x,y x,y ... | x,y ..." in a box of 100 x 100, y down. Each
 * stroke is a smooth curve through its points, GI_STROKE_POINTS at most; strokes that share
 * an end meet in a corner. GI_STROKES strokes at most. */
enum { GI_STROKE_POINTS = 14, GI_STROKES = 3 };
typedef struct gi_hand {
  int digit;
  const char *strokes;
} gi_hand;

extern const gi_hand gi_hands[]; /* all ways, in the order of the digits; digit -1 ends them */

/* Draws digit 0..9 as number `index` of the series of `rng` (its step is set to it). */
void gi_digit_draw(const gi_rng *rng, uint64_t index, int digit,
                   uint8_t px[GI_DIGIT_SIDE][GI_DIGIT_SIDE]);

#endif /* GI_DIGIT_H */
