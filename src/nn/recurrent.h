/* nn/recurrent.h - stacks of recurrent layers, whatever holds their weights. */
#ifndef GI_NN_RECURRENT_H
#define GI_NN_RECURRENT_H

#include "nn/scope.h"

typedef enum gi_recurrent_kind { GI_RNN, GI_GRU, GI_LSTM } gi_recurrent_kind;

/* Where weights come from. */
typedef struct gi_recurrent_weights {
  glia_scope *scope; /* that dropout draws in; NULL: no dropout */
  /* By PyTorch's name; GLIA_NONE where there is none (biases). bound: of initial values. */
  glia_value (*weight)(void *user, const char *name, int rank, const int64_t *shape,
                       double bound);
  void *user;
} gi_recurrent_weights;

/* x as the options say -> the states of the top layer, or their last ones; the final states of
 * all layers go to o->final_h and o->final_c. */
glia_value gi_recurrent_stack(gi_recurrent_kind kind, const gi_recurrent_weights *weights,
                              glia_value x, const glia_recurrent_opts *o);

#endif /* GI_NN_RECURRENT_H */
