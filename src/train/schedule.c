/* schedule.c - schedules by name, from text, and their rates. */
#include "train/schedule.h"

enum { FIELDS = 24 };

static const gi_schedule_rule *rule_at(int i) {
  for (int list = 0; gi_schedules_table[list] != NULL; list++)
    for (int k = 0; gi_schedules_table[list][k] != NULL; k++)
      if (i-- == 0) return gi_schedules_table[list][k];
  return NULL;
}

/* "one-cycle" is "one_cycle". */
static bool same_name(const char *a, const char *b) {
  for (; *a != '\0' && (*a == '-' ? '_' : *a) == *b; a++) b++;
  return *a == '\0' && *b == '\0';
}

const gi_schedule_rule *gi_schedule_find(const char *name) {
  for (int i = 0; rule_at(i) != NULL; i++)
    if (same_name(name, rule_at(i)->name)) return rule_at(i);
  return NULL;
}

static glia_status unknown(const char *name) {
  const char *names[64];
  int n = 0;
  for (; rule_at(n) != NULL && n < 64; n++) names[n] = rule_at(n)->name;
  const int near = gi_nearest(name, names, n);
  return gi_fail(GLIA_INVALID, "schedule: none is called \"%s\"%s%s%s", name,
                 near >= 0 ? "; did you mean \"" : "", near >= 0 ? names[near] : "",
                 near >= 0 ? "\"?" : "");
}

/* The rule's options and what every schedule has. */
static void fields_of(const gi_schedule_rule *rule, gi_field out[FIELDS]) {
  int n = 0;
  for (const gi_field *f = rule->fields; f->name != NULL && n < FIELDS - 2; f++) out[n++] = *f;
  out[n++] = (gi_field)GI_FIELD(BOOL, glia_schedule, per_epoch, .doc = "count epochs");
  out[n] = (gi_field){.name = NULL};
}

static glia_status refuse_foreign(const gi_schedule_rule *rule, const gi_field *fields,
                                  const glia_schedule *s) {
  for (int i = 0; rule_at(i) != NULL; i++) {
    const gi_field *f = gi_fields_foreign(fields, rule_at(i)->fields, s);
    if (f != NULL)
      return gi_fail(GLIA_INVALID, "schedule: %s has no option %s; %s has", rule->name, f->name,
                     rule_at(i)->name);
  }
  return GLIA_OK;
}

glia_status glia_schedule_resolve(glia_schedule *s) {
  gi_field fields[FIELDS];
  char who[64];
  if (s->name == NULL) s->name = "constant";
  const gi_schedule_rule *rule = gi_schedule_find(s->name);
  if (rule == NULL) return unknown(s->name);
  s->name = rule->name;
  fields_of(rule, fields);
  GI_TRY(refuse_foreign(rule, fields, s));
  snprintf(who, sizeof who, "schedule: %s", s->name);
  if (rule->defaults != NULL) rule->defaults(s);
  GI_TRY(gi_fields_check(fields, who, s));
  const char *why = rule->refuse != NULL ? rule->refuse(s) : NULL;
  return why == NULL ? GLIA_OK : gi_fail(GLIA_INVALID, "%s: %s", who, why);
}

glia_status glia_schedule_parse(const char *text, glia_schedule *out) {
  gi_field fields[FIELDS];
  gi_words words;
  glia_schedule s = {0};
  GI_TRY(gi_words_read("schedule", text, &words));
  const gi_schedule_rule *rule = gi_schedule_find(words.at[0]);
  if (rule == NULL) return unknown(words.at[0]);
  fields_of(rule, fields);
  if (gi_fields_parse_exact(fields, rule->name, words.at + 1, words.n - 1, &s) != GLIA_OK)
    return gi_fail(GLIA_INVALID, "schedule: %s", glia_error_message());
  s.name = rule->name;
  GI_TRY(glia_schedule_resolve(&s));
  *out = s;
  return GLIA_OK;
}

glia_rates gi_schedule_rates(const glia_schedule *s, const glia_schedule_point *at) {
  return gi_schedule_find(s->name)->rates(s, at);
}

glia_status glia_schedule_rates(const glia_schedule *s, const glia_schedule_point *at,
                                glia_rates *out) {
  glia_schedule resolved = *s;
  GI_TRY(glia_schedule_resolve(&resolved));
  if (at->step < 0 || !(at->lr >= 0 && isfinite(at->lr)))
    return gi_fail(GLIA_INVALID, "schedule: step %lld, lr %g: wanted 0 or more",
                   (long long)at->step, at->lr);
  *out = gi_schedule_rates(&resolved, at);
  return GLIA_OK;
}
