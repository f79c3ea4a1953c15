/* isa/recurrent.h - what the cells of recurrent layers do to some units of one sequence at one
 * step; the products with the state before are made by then, or come after (ops/rnn.c, gru.c,
 * lstm.c have the formulas).
 */
#ifndef GI_RECURRENT_LOOPS_H
#define GI_RECURRENT_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

/* Pointers are to the first of n units; gate i of a row lies i * apart floats further on. */
typedef struct gi_cell_row {
  int64_t n, apart;
  bool relu;              /* rnn */
  float *gates;           /* forward: sums, which become the gates; rnn: none, it is h */
  const float *x;         /* gru: what the step brings */
  const float *before;    /* lstm: the cell, gru: the state before the step */
  const float *peepholes; /* lstm: p of i, f, o; NULL: none */
  float *cell, *h;        /* lstm; the state; rnn: the sums, which become it */
  const float *dh;        /* backward: what reaches h */
  float *dc;              /* lstm: what reaches the cell after the step, then that before it */
  float *dx, *du;         /* du: gru */
  float *kept;            /* gru: what reaches the state before directly */
} gi_cell_row;

typedef void gi_cell_loop(const gi_cell_row *c);

typedef struct gi_recurrent_loops {
  gi_cell_loop *rnn, *gru, *lstm, *rnn_grad, *gru_grad, *lstm_grad;
  void (*add)(int64_t n, const float *a, const float *b, const float *c, float *sum);
} gi_recurrent_loops;

#endif /* GI_RECURRENT_LOOPS_H */
