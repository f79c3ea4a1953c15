/* print.c - a graph as text, one node a line:
 *     %4 = conv2d(%0, %2) stride=[1, 1] : f32 [64, 32, 26, 26]    # conv1
 * then the outputs and the assignments.
 */
#include <stdlib.h>

#include "graph/graph.h"

static void print_node(const glia_graph *g, const gi_node *n, gi_str *out) {
  char text[128];
  for (int k = 0; k < n->n_out; k++)
    gi_str_printf(out, k != 0 ? ", %%%u" : "%%%u", n->out + (uint32_t)k);
  gi_str_printf(out, " = %s(", n->op->name);
  for (int i = 0; i < n->n_in; i++) gi_str_printf(out, i != 0 ? ", %%%u" : "%%%u", n->in[i]);
  gi_str_puts(out, ")");
  if (n->attr != NULL) {
    gi_str_puts(out, " ");
    gi_attr_text(n->op, n->attr, out);
  }
  for (int k = 0; k < n->n_out; k++) {
    const gi_val *v = g->values.at[n->out + (uint32_t)k];
    gi_str_printf(out, k != 0 ? ", %s" : " : %s", gi_type_text(&v->type, text, sizeof text));
    if (v->layout != GI_PLAIN) gi_str_printf(out, " %s", gi_layout_name(v->layout));
  }
  if (n->path[0] != '\0') gi_str_printf(out, "    # %s", n->path);
  gi_str_puts(out, "\n");
}

void gi_graph_print(const glia_graph *g, gi_str *out) {
  for (size_t i = 0; i < g->nodes.n; i++) print_node(g, g->nodes.at[i], out);
  for (size_t i = 0; i < g->roots.n; i++) {
    const gi_root *r = &g->roots.at[i];
    if (r->variable == GI_NO_VALUE)
      gi_str_printf(out, "output %s = %%%u\n", r->name, r->value);
    else
      gi_str_printf(out, "assign %%%u := %%%u\n", r->variable, r->value);
  }
}

char *glia_graph_text(const glia_graph *g) {
  gi_str out = {0};
  gi_str_puts(&out, "");
  gi_graph_print(g, &out);
  char *text = out.failed ? NULL : strdup(out.s); /* the caller's: free() */
  gi_str_free(&out);
  return text;
}
