/* models/architecture.h - a kind of transformer as a row: its name in config.json, the keys it
 * reads there, and how it is built.
 *
 * One file in src/models/architectures/ per kind, ending with `const gi_architecture *const
 * gi_architectures_<file>[]`. Keys, their defaults and the names of parameters are those of
 * Hugging Face's transformers, so that its checkpoints load as they are.
 */
#ifndef GI_ARCHITECTURE_H
#define GI_ARCHITECTURE_H

#include "base/json.h"
#include "glia/models.h"
#include "nn/scope.h"

typedef enum gi_key_kind {
  GI_KEY_INT,  /* int64_t */
  GI_KEY_NUM,  /* double */
  GI_KEY_BOOL, /* bool */
  GI_KEY_TEXT  /* char[GI_KEY_TEXT_MAX] */
} gi_key_kind;
enum { GI_KEY_TEXT_MAX = 48 };

typedef struct gi_key {
  const char *name; /* NULL ends the list */
  gi_key_kind kind;
  size_t offset;
  double number;    /* default, where the key is missing or null; of a BOOL too */
  double min, max;  /* of numbers; min == max: any */
  const char *text; /* default */
} gi_key;
#define GI_KEY(KIND, type, field, ...) \
  { .name = #field, .kind = GI_KEY_##KIND, .offset = offsetof(type, field), __VA_ARGS__ }

typedef struct gi_architecture {
  const char *name, *type; /* "LlamaForCausalLM", model_type "llama" */
  const char *doc;
  size_t size; /* of the struct that the keys fill in */
  const gi_key *keys;
  /* Fills in what depends on other keys, and refuses what cannot be built. May be NULL. */
  glia_status (*settle)(void *config, const gi_json *all);
  glia_value (*build)(glia_scope *s, const void *config, glia_value tokens,
                      const glia_transformer_opts *o);
} gi_architecture;

extern const gi_architecture *const *const gi_architectures_table[];

/* ---- what the architectures share (architecture.c) --------------------------------------- */

/* Activations by Hugging Face's names (ACT2FN); GLIA_MODEL names what is unknown. */
glia_status gi_check_act(const char *key, const char *name);
glia_value gi_act(glia_value x, const char *name);

/* Tokens [N, T] of an integer type, and T at most `most`? Latches what is wrong. */
bool gi_check_tokens(glia_value tokens, int64_t most);
/* o->positions; else, with a cache, o->place + 0 .. T - 1 as [T]; else GLIA_NONE: 0 .. T - 1.
 */
glia_value gi_positions(glia_value tokens, const glia_transformer_opts *o);
/* Rows of a learned table [rows, width] called "weight" in scope `name`, by token; the table
 * too, in *weight. */
glia_value gi_token_rows(glia_scope *s, const char *name, int64_t rows, int64_t width,
                         glia_value tokens, glia_value *weight);
/* Rows of a learned table [most, width] called "weight" in scope `name`, by position. */
glia_value gi_learned_positions(glia_scope *s, const char *name, int64_t most, int64_t width,
                                glia_value positions, int64_t t);
/* o->mask [N, S] as bool [N, 1, 1, S]; GLIA_NONE where there is none. */
glia_value gi_token_mask(const glia_transformer_opts *o);
/* Causal attention of q [N, H, T, D] to k, v [N, G, T, ..], and to what scope s has in its
 * cache before them, if one is asked for; they are put there. */
glia_value gi_causal(glia_scope *s, glia_value q, glia_value k, glia_value v, double scale,
                     double dropout, const glia_transformer_opts *o);
/* "h.3": element i of a list of modules. */
glia_scope *gi_scope_at(glia_scope *s, const char *list, int64_t i);

#endif /* GI_ARCHITECTURE_H */
