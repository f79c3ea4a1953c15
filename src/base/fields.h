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
  GI_FIELD_NAME    /* const char *: one of the choices; static memory of the list */
} gi_field_kind;

typedef struct gi_field {
  const char *name; /* NULL ends the list */
  gi_field_kind kind;
  size_t offset;
  bool positional, required;
  double min, max;  /* of numbers; min == max: any */
  const char *dflt; /* text of the default */
  const char *doc;
  const char *const *choices; /* NULL-terminated; of choices and names */
} gi_field;

/* A row of a schema: GI_FIELD(PAIR, glia_conv2d_opts, stride, .min = 1, .dflt = "1", ...). */
#define GI_FIELD(KIND, struct_, field, ...) \
  { .name = #field, .kind = GI_FIELD_##KIND, .offset = offsetof(struct_, field), __VA_ARGS__ }

/* Reads words into the struct (zeroed by the caller, defaults stay zero). `who` leads messages
 * ("line 3: conv2d"). GLIA_MODEL: too many values, unknown keys and choices (nearest named),
 * numbers out of range, options given twice, required ones missing. */
glia_status gi_fields_parse(const gi_field *fields, const char *who, char *const *words, int n,
                            void *out);
/* The struct as text that gi_fields_parse reads back; zero fields are left out, but for
 * required ones. */
void gi_fields_text(const gi_field *fields, const void *opts, gi_str *out);

#endif /* GI_FIELDS_H */
