/* formats/pickle_names.h - the instructions and the global names of pickles that are data.
 *
 * Between pickle.c, which runs them, and pickle_scan.c, which looks through a pickle
 * beforehand.
 */
#ifndef GI_PICKLE_NAMES_H
#define GI_PICKLE_NAMES_H

#include "formats/pickle.h"

/* What follows an instruction's byte. */
typedef enum gi_operand {
  GI_OPERAND_NONE,
  GI_OPERAND_1, /* so many bytes */
  GI_OPERAND_2,
  GI_OPERAND_4,
  GI_OPERAND_8,
  GI_OPERAND_TEXT1, /* a length in so many bytes, then so many bytes */
  GI_OPERAND_TEXT4,
  GI_OPERAND_TEXT8,
  GI_OPERAND_LINE, /* up to the end of the line */
  GI_OPERAND_LINES /* two lines */
} gi_operand;

typedef struct gi_instruction {
  unsigned char code;
  const char *name; /* as pickletools calls it */
  gi_operand operand;
  bool data; /* does nothing but build plain values */
} gi_instruction;

/* NULL: no such instruction exists. */
const gi_instruction *gi_instruction_find(unsigned char code);

/* An instruction with what follows it. */
typedef struct gi_step {
  const gi_instruction *instruction;
  const unsigned char *p; /* operand */
  size_t n;               /* its bytes, without its length; of lines without their ends, joined
                             by one end */
  size_t bytes;           /* of the whole */
} gi_step;
/* The instruction at the beginning of n bytes. GLIA_FORMAT. */
glia_status gi_step_read(const unsigned char *p, size_t n, gi_step *out);

/* What a global name of the list is. */
typedef enum gi_global {
  GI_GLOBAL_FOREIGN = -1,
  GI_GLOBAL_DICT,      /* collections.OrderedDict */
  GI_GLOBAL_TENSOR,    /* torch._utils._rebuild_tensor_v2, _rebuild_tensor */
  GI_GLOBAL_PARAMETER, /* torch._utils._rebuild_parameter */
  GI_GLOBAL_SIZE,      /* torch.Size */
  GI_GLOBAL_DEVICE,    /* torch.device */
  GI_GLOBAL_DTYPE,     /* torch.float32 ... */
  GI_GLOBAL_STORAGE    /* torch.FloatStorage ...: this, plus its row in gi_storage_element */
} gi_global;
/* `name` is "module name", n bytes. */
gi_global gi_global_find(const char *name, size_t n);
const gi_element *gi_storage_element(const char *name, size_t n); /* NULL: not a storage */

/* Looks through a pickle and refuses one that holds more than data, naming all that is foreign.
 * *used: its bytes. */
glia_status gi_pickle_scan(const unsigned char *p, size_t n, const char *what, size_t *used);

#endif /* GI_PICKLE_NAMES_H */
