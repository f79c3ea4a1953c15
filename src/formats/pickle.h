/* formats/pickle.h - the part of Python's pickles that is data: what torch.save writes of
 * tensors.
 *
 * A pickle is a program for a stack machine, one of whose instructions calls any function by
 * its name. This machine has no such instruction. It builds plain values (numbers, strings,
 * tuples, lists, dictionaries) and knows a closed list of names, each of which stands for a
 * thing that it builds itself: a dictionary in order, a tensor on a storage, a size. Before
 * anything is built the whole program is looked through; one that names anything else, or has
 * an instruction from outside the list, is refused, and the message says all that it would have
 * run.
 *
 * https://docs.python.org/3/library/pickletools.html says what the instructions are.
 */
#ifndef GI_PICKLE_H
#define GI_PICKLE_H

#include "formats/element.h"

typedef enum gi_pickle_kind {
  GI_PICKLE_NONE,
  GI_PICKLE_BOOL,
  GI_PICKLE_INT,
  GI_PICKLE_FLOAT,
  GI_PICKLE_TEXT,    /* str and bytes */
  GI_PICKLE_TUPLE,   /* items */
  GI_PICKLE_LIST,    /* items */
  GI_PICKLE_DICT,    /* items: key, value, key, value... in order */
  GI_PICKLE_GLOBAL,  /* a name of the list */
  GI_PICKLE_STORAGE, /* what tensors lie in */
  GI_PICKLE_TENSOR,
  GI_PICKLE_OTHER, /* a device, a dtype */
  GI_PICKLE_BIG    /* a whole number that no int64_t holds; text: its bytes, little-endian */
} gi_pickle_kind;

/* Memory that tensors share, by its key. One is made each time that a pickle names it. */
typedef struct gi_storage {
  const char *key;
  const gi_element *element;
  int64_t count;    /* elements */
  bool view;        /* a part of another one (old files) */
  const void *data; /* found later, by who reads the file around the pickle */
  struct gi_storage *next;
} gi_storage;

typedef struct gi_value gi_value;
struct gi_value {
  gi_pickle_kind kind;
  int64_t i;        /* bool, int; of a global its number */
  double f;         /* float */
  const char *text; /* with a NUL behind; may hold NULs itself */
  size_t n, room;   /* bytes of text, or items */
  gi_value **item;
  const gi_storage *storage; /* of storages and tensors */
  int64_t offset;            /* tensor: of its first element in the storage */
  int rank;                  /* tensor */
  const int64_t *shape, *strides;
};

typedef struct gi_pickle {
  gi_value *root;
  gi_storage *storages; /* all that it names */
  size_t n_storages;
  size_t bytes; /* that it takes of what was given */
} gi_pickle;

/* Runs the pickle at the beginning of n bytes. Values live as long as the arena. `what` leads
 * messages. GLIA_FORMAT. */
glia_status gi_pickle_read(const unsigned char *p, size_t n, const char *what, gi_arena *arena,
                           gi_pickle *out);

#endif /* GI_PICKLE_H */
