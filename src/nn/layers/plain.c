/* plain.c - layers without parameters or options: flatten, activations under their names. */
#include "nn/layer.h"

static glia_value build_flatten(glia_scope *s, const char *name, glia_value x, const void *o) {
  const gi_entered e = gi_enter(s, name);
  (void)o;
  return gi_leave(&e, glia_flatten(x));
}

static const gi_layer flatten = {.name = "flatten",
                                 .doc = "[N, ...] -> [N, rest]",
                                 .nameless = true,
                                 .opts_size = sizeof(size_t),
                                 .build = build_flatten};

/* The activation's name stands in its options. */
typedef struct activation_opts {
  size_t size;
  const char *name;
} activation_opts;

static glia_value build_activation(glia_scope *s, const char *name, glia_value x,
                                   const void *o) {
  const gi_entered e = gi_enter(s, name);
  return gi_leave(&e, glia_activation(x, ((const activation_opts *)o)->name));
}

static const gi_field activation_fields[] = {
    GI_FIELD(NAME, activation_opts, name, .positional = true, .required = true,
             .doc = "which one", .choices = gi_activation_names),
    {.name = NULL},
};

static const gi_layer activation = {.name = "activation",
                                    .doc = "an elementwise function or softmax, by its name",
                                    .nameless = true,
                                    .opts_size = sizeof(activation_opts),
                                    .fields = activation_fields,
                                    .build = build_activation};

const gi_layer *const gi_layers_plain[] = {&flatten, &activation, NULL};
