/* train/loss.h - a loss as a row: one file in src/train/losses/ for each kind of targets,
 * ending with `const gi_loss *const gi_losses_<file>[]`.
 */
#ifndef GI_LOSS_H
#define GI_LOSS_H

#include "base/fields.h"
#include "glia/losses.h"
#include "glia/train.h"

/* What makes a prediction of the model's result. */
typedef enum gi_link {
  GI_LINK_NONE,
  GI_LINK_SOFTMAX, /* over the columns */
  GI_LINK_SIGMOID,
  GI_LINK_EXP
} gi_link;

typedef struct gi_loss {
  const char *name, *doc, *source; /* source: PyTorch's name, or the paper */
  bool classes;                    /* targets are classes [B], else numbers [B, K] */
  gi_link link;
  const gi_field *fields;         /* of glia_loss */
  void (*defaults)(glia_loss *o); /* fills in what is zero; may be NULL */
  glia_value (*build)(const glia_loss *o, glia_value x, glia_value target);
} gi_loss;

extern const gi_loss *const *const gi_losses_table[];
const gi_loss *gi_loss_find(const char *name);

#define GI_LOSS_F64(field, low, high, dflt_text, text)                              \
  GI_FIELD(F64, glia_loss, field, .min = (low), .max = (high), .dflt = (dflt_text), \
           .doc = (text))

extern const gi_field gi_loss_no_fields[]; /* of losses that have no options */

/* The row of a loss of numbers, whose build function has its name: row_<name>. */
#define GI_LOSS_ROW(NAME, TEXT, SOURCE, LINK, FIELDS, DEFAULTS) \
  static const gi_loss row_##NAME = {.name = #NAME,             \
                                     .doc = TEXT,               \
                                     .source = SOURCE,          \
                                     .link = LINK,              \
                                     .fields = FIELDS,          \
                                     .defaults = DEFAULTS,      \
                                     .build = NAME};

#endif /* GI_LOSS_H */
