/* formats/onnx/recurrence.h - one direction of RNN, GRU and LSTM, by glia's fused layers where
 * they compute the same, else written out step by step.
 *
 * Gates stand in glia's order here (glia/graph.h): gru r z n, lstm i f g o.
 */
#ifndef GI_ONNX_RECURRENCE_H
#define GI_ONNX_RECURRENCE_H

#include "formats/onnx/operator.h"

enum { GI_ONNX_ACTIVATIONS = 3 };

typedef enum gi_onnx_cell { GI_ONNX_RNN, GI_ONNX_GRU, GI_ONNX_LSTM } gi_onnx_cell;

typedef struct gi_onnx_activation {
  int kind; /* a row of recurrence.c's table */
  double alpha, beta;
} gi_onnx_activation;

typedef struct gi_onnx_recurrence {
  gi_onnx_cell cell;
  bool reverse;
  bool reset_after; /* gru: linear_before_reset */
  bool coupled;     /* lstm: input_forget: f = 1 - i */
  double clip;      /* of what goes into activations; 0: none */
  gi_onnx_activation activation[GI_ONNX_ACTIVATIONS]; /* f, g, h */
  glia_value x;                                       /* [T, N, gates H]: W x + b */
  glia_value weight;                                  /* [gates H, H]: of the state */
  glia_value bias;      /* [H]: gru, reset_after: of the new state's product; or null */
  glia_value peepholes; /* lstm: [3, H] of i, f, o; or null */
  glia_value lengths;   /* [N] or null */
  glia_value h, c;      /* [N, H]: before the first step; after it those after the last */
} gi_onnx_recurrence;

/* The states after each step, [T, N, H]; r's h and c become the last ones. */
glia_status gi_onnx_recur(const gi_onnx_call *call, gi_onnx_recurrence *r, glia_value *y);

/* Fills in f, g and h of a direction from the attributes activations, activation_alpha and
 * activation_beta, or the cell's own. alpha_at and beta_at count what earlier ones took. */
glia_status gi_onnx_recurrence_activations(const gi_onnx_call *c, gi_onnx_recurrence *r,
                                           int direction, int *alpha_at, int *beta_at);

#endif /* GI_ONNX_RECURRENCE_H */
