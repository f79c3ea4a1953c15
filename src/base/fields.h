/* base/fields.h - the schema of an options struct: one description for C, text files and the
 * command line.
 *
 * Text form: positional values in the order of the fields marked positional ("conv2d 32 3x3
 * relu"), then key=value in any order ("stride=2 padding=1"); a flag may stand alone by its
 * name ("same").
 */
#ifndef GI_FIELDS_H
#define GI_FIELDS_H

#include "base/base.h"

typedef enum gi_field_kind {
  GI_FIELD_I64,    /* int64_t */
  GI_FIELD_F64,    /* double */
  GI_FIELD_BOOL,   /* bool */
  GI_FIELD_PAIR,   /* int64_t[2]: "3x5", or one number for both */
  GI_FIELD_CHOICE, /* int: number of the choice */
  GI_FIELD_NAME,   /* const char *: one of the choices; static memory of the list */
  GI_FIELD_LIST,   /* int64_t[GI_LIST_MAX]: "3,5,9", rising, above 0; 0 ends it */
  GI_FIELD_TEXT    /* const char *: any word, as it is; it lies where the words do */
} gi_field_kind;

enum { GI_LIST_MAX = 16 };

typedef struct gi_field {
  const char *name; /* NULL ends the list */
  gi_field_kind kind;
  size_t offset;
  bool positional, required;
  double min, max;  /* of numbers; min == max: any */
  bool nan;         /* F64: NaN is a value too, "nan" */
  const char *dflt; /* text of the default */
  const char *doc;
  const char *const *choices; /* NULL-terminated; of choices and names */
} gi_field;

/* A row of a schema: GI_FIELD(PAIR, glia_conv2d_opts, stride, .min = 1, .dflt = "1", ...). */
#define GI_FIELD(KIND, struct_, field, ...) \
  { .name = #field, .kind = GI_FIELD_##KIND, .offset = offsetof(struct_, field), __VA_ARGS__ }

/* Reads words into the struct (zeroed by the caller, defaults stay zero). `who` leads messages
 * ("line 3: conv2d"). GLIA_MODEL: too many values, unknown keys and choices (nearest named,
 * and which there are), numbers out of range, options given twice, required ones missing. */
glia_status gi_fields_parse(const gi_field *fields, const char *who, char *const *words, int n,
                            void *out);
/* As gi_fields_parse, where 0 is a value like others: a number that is given as 0, though its
 * default is not 0, becomes the smallest one above 0, which computes like 0 and is not taken
 * for "left out". */
glia_status gi_fields_parse_exact(const gi_field *fields, const char *who, char *const *words,
                                  int n, void *out);
/* Numbers in range, names among their choices (and made theirs)? GLIA_INVALID: "WHO's FIELD is
 * VALUE, wanted ...". */
glia_status gi_fields_check(const gi_field *fields, const char *who, void *opts);
/* The first field of `theirs` that is set (not zero) and lies at no place of `mine`; NULL: none
 * is. Both describe the same struct. */
const gi_field *gi_fields_foreign(const gi_field *mine, const gi_field *theirs,
                                  const void *opts);

enum { GI_WORDS_MAX = 32, GI_WORDS_TEXT = 512 };
typedef struct gi_words { /* of a text such as "sgd momentum=0.9" */
  char text[GI_WORDS_TEXT], *at[GI_WORDS_MAX];
  int n; /* 1 or more */
} gi_words;
/* Splits at blanks and tabs. GLIA_INVALID where there are none, or too many; who leads. */
glia_status gi_words_read(const char *who, const char *text, gi_words *out);
/* The struct as text that gi_fields_parse reads back; zero fields are left out, but for
 * required ones. */
void gi_fields_text(const gi_field *fields, const void *opts, gi_str *out);

#endif /* GI_FIELDS_H */
