/* loss.c - losses by name, from text. */
#include "train/loss.h"

const gi_field gi_loss_no_fields[] = {{.name = NULL}};

static const gi_loss *loss_at(int i) {
  for (int list = 0; gi_losses_table[list] != NULL; list++)
    for (int k = 0; gi_losses_table[list][k] != NULL; k++)
      if (i-- == 0) return gi_losses_table[list][k];
  return NULL;
}

/* "smooth-l1" is "smooth_l1". */
static bool same_name(const char *a, const char *b) {
  for (; *a != '\0' && (*a == '-' ? '_' : *a) == *b; a++) b++;
  return *a == '\0' && *b == '\0';
}

const gi_loss *gi_loss_find(const char *name) {
  for (int i = 0; loss_at(i) != NULL; i++)
    if (same_name(name, loss_at(i)->name)) return loss_at(i);
  return NULL;
}

static glia_status unknown(const char *name) {
  const char *names[64];
  int n = 0;
  for (; loss_at(n) != NULL && n < 64; n++) names[n] = loss_at(n)->name;
  const int near = gi_nearest(name, names, n);
  return gi_fail(GLIA_INVALID, "loss: none is called \"%s\"%s%s%s", name,
                 near >= 0 ? "; did you mean \"" : "", near >= 0 ? names[near] : "",
                 near >= 0 ? "\"?" : "");
}

glia_status glia_loss_resolve(glia_loss *o) {
  char who[64];
  const gi_loss *row = gi_loss_find(o->name != NULL ? o->name : "cross_entropy");
  if (row == NULL) return unknown(o->name);
  o->name = row->name;
  for (int i = 0; loss_at(i) != NULL; i++) {
    const gi_field *f = gi_fields_foreign(row->fields, loss_at(i)->fields, o);
    if (f != NULL)
      return gi_fail(GLIA_INVALID, "loss: %s has no option %s; %s has", row->name, f->name,
                     loss_at(i)->name);
  }
  snprintf(who, sizeof who, "loss: %s", row->name);
  if (row->defaults != NULL) row->defaults(o);
  return gi_fields_check(row->fields, who, o);
}

glia_status glia_loss_parse(const char *text, glia_loss *out) {
  gi_words words;
  glia_loss o = {0};
  GI_TRY(gi_words_read("loss", text, &words));
  const gi_loss *row = gi_loss_find(words.at[0]);
  if (row == NULL) return unknown(words.at[0]);
  if (gi_fields_parse_exact(row->fields, row->name, words.at + 1, words.n - 1, &o) != GLIA_OK)
    return gi_fail(GLIA_INVALID, "loss: %s", glia_error_message());
  o.name = row->name;
  GI_TRY(glia_loss_resolve(&o));
  *out = o;
  return GLIA_OK;
}
