/* glia ops [NAME]: the ops that graphs are made of, from the table of ops. */
#include "backend/backend.h"
#include "cli/cli.h"
#include "cli/support.h"
#include "cli/table.h"
#include "ops/op.h"

/* How the op is differentiated. */
static const char *gradient_of(const gi_op *op) {
  return op->vjp != NULL ? "rule" : op->lower != NULL ? "by its lowering" : op->no_grad;
}

static void inputs_text(char *out, size_t room, const gi_op *op) {
  if (op->max_in < 0)
    snprintf(out, room, "%d or more", op->min_in);
  else if (op->max_in > op->min_in)
    snprintf(out, room, "%d to %d", op->min_in, op->max_in);
  else
    snprintf(out, room, "%d", op->min_in);
}

static const char *const attr_kinds[] = {
    [GI_ATTR_F64] = "number",       [GI_ATTR_I64] = "whole number",
    [GI_ATTR_BOOL] = "flag",        [GI_ATTR_DIMS] = "list of whole numbers",
    [GI_ATTR_DTYPE] = "dtype",      [GI_ATTR_U64] = "random stream",
    [GI_ATTR_NAME] = "name",        [GI_ATTR_TYPE] = "dtype and shape",
    [GI_ATTR_LITERAL] = "elements", [GI_ATTR_BLOB] = "program",
};

/* The kernels that the fast backend has for the op, joined by commas; the reference computes
 * every op. A kernel of no op in particular takes elementwise ones. Whether one fits depends on
 * shapes and dtypes; `glia plan` says. */
static void kernels_text(gi_str *out, const gi_op *op) {
  const gi_backend *backend;
  if (gi_backend_find("cpu", &backend) != GLIA_OK) return;
  for (const gi_kernel *const *const *list = backend->kernels; *list != NULL; list++)
    for (const gi_kernel *const *k = *list; *k != NULL; k++)
      if ((*k)->ops[0] != NULL ? gi_kernel_is_for(*k, op) : (op->flags & GI_ELEMENTWISE) != 0)
        gi_str_printf(out, out->n > 0 ? ", %s" : "%s", (*k)->name);
}

static gi_json *op_json(const gi_op *op) {
  gi_json *j = gi_json_object(), *attrs = gi_json_array();
  char inputs[32];
  inputs_text(inputs, sizeof inputs, op);
  gi_json_set_str(j, "name", op->name);
  gi_json_set_str(j, "doc", op->doc);
  gi_json_set_str(j, "inputs", inputs);
  gi_json_set_int(j, "outputs", op->n_out);
  gi_json_set_bool(j, "differentiable", op->vjp != NULL || op->lower != NULL);
  gi_json_set_str(j, "gradient", gradient_of(op));
  gi_str kernels = {0};
  kernels_text(&kernels, op);
  gi_json_set_str(j, "cpu_kernels", kernels.s);
  gi_str_free(&kernels);
  gi_json_set_str(j, "paper", op->paper);
  gi_json_set_str(j, "torch", op->torch);
  for (const gi_attr *a = op->attrs; a != NULL && a->name != NULL; a++) {
    gi_json *one = gi_json_object();
    gi_json_set_str(one, "name", a->name);
    gi_json_set_str(one, "kind", attr_kinds[a->kind]);
    gi_json_set_str(one, "doc", a->doc);
    gi_json_add(attrs, one);
  }
  gi_json_set(j, "attributes", attrs);
  return j;
}

static void op_text(gi_str *out, const gi_op *op) {
  char inputs[32];
  inputs_text(inputs, sizeof inputs, op);
  gi_str_printf(out, "%s: %s\n\ninputs    %s\noutputs   %d\ngradient  %s\n", op->name, op->doc,
                inputs, op->n_out, gradient_of(op));
  gi_str kernels = {0};
  kernels_text(&kernels, op);
  if (kernels.n > 0) gi_str_printf(out, "on cpu    %s\n", kernels.s);
  gi_str_free(&kernels);
  if (op->torch != NULL) gi_str_printf(out, "PyTorch   %s\n", op->torch);
  if (op->paper != NULL) gi_str_printf(out, "source    %s\n", op->paper);
  if (op->attrs == NULL || op->attrs->name == NULL) return;
  gi_table table;
  gi_table_begin(&table, "<attribute|<kind|<meaning");
  for (const gi_attr *a = op->attrs; a->name != NULL; a++) {
    gi_table_cell(&table, "%s", a->name);
    gi_table_cell(&table, "%s", attr_kinds[a->kind]);
    gi_table_cell(&table, "%s", a->doc);
  }
  gi_str_puts(out, "\n");
  gi_table_print(&table, out);
  gi_table_free(&table);
}

typedef struct names {
  const char *at[512];
  int n;
} names;

static bool add_name(const gi_op *op, void *user) {
  names *list = user;
  list->at[list->n++] = op->name;
  return list->n < GI_COUNT(list->at);
}

static glia_status unknown(const char *name) {
  names list = {.n = 0};
  gi_op_each(add_name, &list);
  const int near = gi_nearest(name, list.at, list.n);
  if (near < 0)
    return gi_fail(GLIA_INVALID, "there is no op '%s'; 'glia ops' lists them", name);
  return gi_fail(GLIA_INVALID, "there is no op '%s'; did you mean '%s'?", name, list.at[near]);
}

static bool add_json(const gi_op *op, void *user) {
  gi_json_add(user, op_json(op));
  return true;
}

static bool add_row(const gi_op *op, void *user) {
  gi_table_cell(user, "%s", op->name);
  gi_table_cell(user, "%s", op->no_grad != NULL ? "none" : gradient_of(op));
  gi_table_cell(user, "%s", op->doc);
  return true;
}

static bool add_markdown(const gi_op *op, void *user) {
  char inputs[32];
  inputs_text(inputs, sizeof inputs, op);
  gi_str kernels = {0};
  kernels_text(&kernels, op);
  gi_str_printf(user, "| `%s` | ", op->name);
  gi_markdown(user, op->doc);
  gi_str_printf(user, " | %s | %s | %s | ", inputs, gradient_of(op),
                kernels.s != NULL ? kernels.s : "");
  if (op->torch != NULL) gi_markdown_code(user, op->torch);
  gi_str_puts(user, " |\n");
  gi_str_free(&kernels);
  return true;
}

static glia_status run(gi_cli *c) {
  const char *name = gi_cli_argument(c, "NAME");
  const gi_op *op = name != NULL ? gi_op_find(name) : NULL;
  gi_str text = {0};
  if (name != NULL && op == NULL) return unknown(name);
  if (gi_cli_flag(c, "support")) return gi_support_print(c, op);
  if (op != NULL) {
    if (c->json) return gi_cli_print_json(op_json(op));
    op_text(&text, op);
  } else if (c->json) {
    gi_json *list = gi_json_array();
    gi_op_each(add_json, list);
    return gi_cli_print_json(list);
  } else if (gi_cli_flag(c, "markdown")) {
    gi_str_puts(&text,
                "| op | meaning | inputs | gradient | kernels on cpu | PyTorch |\n"
                "|---|---|---|---|---|---|\n");
    gi_op_each(add_markdown, &text);
  } else {
    gi_table table;
    gi_table_begin(&table, "<op|<gradient|<meaning");
    gi_op_each(add_row, &table);
    gi_table_print(&table, &text);
    gi_table_free(&table);
  }
  return gi_cli_print_text(&text);
}

static const gi_argument arguments[] = {
    {.name = "NAME", .kind = GI_OPTION_TEXT, .optional = true, .help = "one op; none: all"},
    {0},
};

static const gi_option options[] = {
    {.name = "support",
     .help = "which dtypes each takes, what computes them, and why no kernel of the backend "
             "does where it is the reference"},
    {.name = "markdown", .help = "the list as a table in Markdown, with more columns"},
    {0},
};

static const gi_command ops = {
    .name = "ops",
    .group = GI_GROUP_LOOK,
    .summary = "list the ops of graphs, or tell about one",
    .help =
        "Lists every op with the way it is differentiated. With a NAME: its inputs, outputs "
        "and attributes, what PyTorch calls it, and where it comes from.",
    .example = "glia ops\nglia ops conv2d --json\nglia ops --support",
    .arguments = arguments,
    .options = options,
    .run = run,
};

const gi_command *const gi_commands_ops[] = {&ops, NULL};
