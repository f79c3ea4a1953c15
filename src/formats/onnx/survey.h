/* formats/onnx/survey.h - what a model is made of, and what of it is not known here, before
 * anything is built or run. */
#ifndef GI_ONNX_SURVEY_H
#define GI_ONNX_SURVEY_H

#include "formats/onnx/model.h"

typedef struct gi_onnx_use { /* of one operator */
  const char *domain, *op;
  int count;   /* nodes, those in branches, bodies and functions once each */
  char *why;   /* why it cannot be built; NULL: it can, as far as one can tell. Owned */
  char *where; /* the first node that cannot. Owned */
} gi_onnx_use;

typedef struct gi_onnx_survey {
  GI_VEC(gi_onnx_use) uses; /* by name */
  int nodes, unsupported;   /* nodes */
  int64_t parameters;       /* numbers in initializers of floats */
} gi_onnx_survey;

glia_status gi_onnx_look(const gi_onnx_model *m, gi_onnx_survey *out);
void gi_onnx_survey_free(gi_onnx_survey *s);

/* GLIA_UNSUPPORTED lists the operators that are not known, with their nodes. */
glia_status gi_onnx_check_operators(const gi_onnx_model *m);
/* Can the model be built? GLIA_UNSUPPORTED lists operators that are not known, with their
 * nodes; else it is traced on zeros, open axes being 1. Where axes are open, or shapes follow
 * from the inputs' elements, shapes that do not agree there prove nothing, and are not held
 * against it. */
glia_status gi_onnx_judge(const gi_onnx_model *m);

#endif /* GI_ONNX_SURVEY_H */
