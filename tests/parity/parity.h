/* parity.h - answers to questions that were worked out elsewhere.
 *
 * A manifest (JSON) lists cases: an op by the name that PyTorch or scikit-learn gives it, its
 * attributes in their words, a safetensors file. What is given lies in the file as "input.0",
 * "param.weight", "buffer.running_mean", "cotangent.0" (the gradient that flows into output 0);
 * what is asked is "output.0", "grad.input.0", "grad.param.weight", "buffer_after.running_mean"
 * and so on. glia-parity writes its answers to files of the same names.
 *
 * A row of tests/parity/rows answers one op. It builds the outputs as values of a graph; the
 * rest (gradients, running, writing, comparing) is common to all. What is no graph (metrics,
 * schedules, many steps of an optimiser) is answered tensor by tensor.
 */
#ifndef PARITY_H
#define PARITY_H

#include "base/json.h"
#include "glia/glia.h"
#include "graph/graph.h"

typedef struct question question;

typedef struct parity_row {
  const char *op;
  const char *group;                  /* in op's place: what no row of an op answers */
  void (*build)(question *q);         /* calls q_give for every output */
  glia_status (*answer)(question *q); /* in place of build: calls q_put for every answer */
} parity_row;

typedef struct parity_rows { /* of one file */
  int n;
  const parity_row *row;
} parity_rows;

extern const parity_rows *const *const gi_parity_table[]; /* generated: from the file names */

glia_graph *q_graph(const question *q);
bool q_training(const question *q); /* the case's mode */

/* A given tensor as an input of the graph; GLIA_NONE if the file has none of that name. */
glia_value q_tensor(question *q, const char *name);
glia_value q_input(question *q, int i);
/* "weight", also where another module is around the one that has it: "param.m.weight". */
glia_value q_param(question *q, const char *name);
/* That, or input i in the functions that take their weights as arguments. */
glia_value q_param_or(question *q, const char *name, int i);
/* The name of the module around "linear1.weight"; "" if there is none. */
const char *q_around(question *q, const char *name);
/* A scope whose parameters and buffers are the given ones, for rows that call layers or models.
 * Call it before q_param. */
glia_scope *q_scope(question *q);
/* An attribute that is "input.2": that input; else GLIA_NONE. */
glia_value q_named(question *q, const char *key);

/* Attributes; `fallback` where the case has none, or null. */
double q_num(const question *q, const char *key, double fallback); /* "inf" too */
int64_t q_int(const question *q, const char *key, int64_t fallback);
bool q_bool(const question *q, const char *key, bool fallback);
const char *q_str(const question *q, const char *key, const char *fallback);
bool q_null(const question *q, const char *key); /* it is there, and null */
/* A list of n numbers, or one number for all; what is missing keeps its value. */
void q_ints(const question *q, const char *key, int n, int64_t *out);
int q_count(const question *q, const char *key);            /* of a list; else 0 */
double q_num_at(const question *q, const char *key, int i); /* of a list, or the one number */

/* Answers. */
void q_give(question *q, const char *name, glia_value v); /* "output.0" */
void q_output(question *q, int i, glia_value v);
/* Without a graph: a given tensor (owned by the caller; NULL if the file has none) and an
 * answer (taken over). */
glia_tensor *q_read(const question *q, const char *name);
/* The case's i-th tensor, in the manifest's order; NULL past the last. */
const char *q_tensor_name(const question *q, int i);
void q_put(question *q, const char *name, glia_tensor *t);
const char *q_backend(const question *q);
const char *q_op(const question *q);
const gi_json *q_attributes(const question *q);
int64_t q_steps(const question *q); /* the case's number of steps */
double q_row_num(const question *q, const char *key, double fallback); /* of the case itself */
/* The case has something that this row cannot answer; it counts as unanswered, with the reason.
 */
void q_cannot(question *q, const char *why);

#endif /* PARITY_H */
