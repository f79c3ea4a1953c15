/* times.c - the table of what was measured on this machine, and its file.
 *
 *     {"format": 1, "version": "0.1.0", "processor": "...", "kernels": "8d1f...",
 *      "values": {"conv_direct conv2d(...) ...; cpu avx2, ...": 0.00123, ...}}
 */
#include "compile/times.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"

enum { FORMAT = 1 };

/* ---- the table --------------------------------------------------------------------------- */

void gi_times_free(gi_times *t) {
  gi_vec_free(&t->rows);
  gi_arena_free(&t->arena);
}

static gi_times_row *find(const gi_times *t, const char *key) {
  const uint64_t hash = gi_hash_str(key, 0);
  for (size_t i = 0; i < t->rows.n; i++)
    if (t->rows.at[i].hash == hash && strcmp(t->rows.at[i].key, key) == 0)
      return &t->rows.at[i];
  return NULL;
}

double gi_times_get(const gi_times *t, const char *key) {
  gi_times_row *row = t != NULL ? find(t, key) : NULL;
  if (row != NULL) row->asked = true;
  return row != NULL ? row->value : 0;
}

static bool makes_sense(const char *key, double value) {
  return value > 0 && isfinite(value) && key[0] != '\0' && strlen(key) <= GI_TIMES_KEY;
}

static glia_status add(gi_times *t, gi_times_row row) {
  gi_times_row *known = find(t, row.key);
  if (!makes_sense(row.key, row.value) || (known != NULL && !row.instead)) return GLIA_OK;
  row.key = known != NULL ? known->key : gi_arena_strdup(&t->arena, row.key);
  if (row.key == NULL) return gi_fail_nomem(GI_TIMES_KEY);
  row.hash = gi_hash_str(row.key, 0);
  if (known != NULL)
    *known = row;
  else if (!gi_vec_push(&t->rows, row))
    return gi_fail_nomem(sizeof row);
  return GLIA_OK;
}

glia_status gi_times_add(gi_times *t, const char *key, double value) {
  return add(t, (gi_times_row){.key = key, .value = value, .fresh = true});
}
glia_status gi_times_put(gi_times *t, const char *key, double value) {
  return add(t, (gi_times_row){.key = key, .value = value, .fresh = true, .instead = true});
}

void gi_times_keep_asked(gi_times *t) {
  gi_times kept = {.rows = {.n = 0}};
  glia_status s = GLIA_OK;
  for (size_t i = 0; i < t->rows.n && s == GLIA_OK; i++)
    if (t->rows.at[i].asked) s = add(&kept, t->rows.at[i]);
  gi_times_free(s == GLIA_OK ? t : &kept);
  if (s == GLIA_OK) *t = kept;
}

/* The oldest rows go, down to as many as the file may hold. */
static void trim(gi_times *t) {
  if (t->rows.n <= GI_TIMES_MAX) return;
  const size_t surplus = t->rows.n - GI_TIMES_MAX;
  t->rows.n = GI_TIMES_MAX;
  memmove(t->rows.at, t->rows.at + surplus, t->rows.n * sizeof *t->rows.at);
}

/* ---- whose it is ------------------------------------------------------------------------- */

static bool hash_kernel(const gi_kernel *const *list, uint64_t *h) {
  for (; *list != NULL; list++) {
    *h = gi_hash_str((*list)->name, *h);
    for (int i = 0; i < GI_KERNEL_OPS && (*list)->ops[i] != NULL; i++)
      *h = gi_hash_str((*list)->ops[i], *h);
  }
  return true;
}

/* The best backend's kernels: another list of them, other choices. */
static void kernels_text(char *text, size_t n) {
  const gi_backend *b = NULL;
  uint64_t h = 0;
  if (gi_backend_find("cpu", &b) != GLIA_OK) b = &gi_backend_ref;
  for (const gi_kernel *const *const *list = b->kernels; *list != NULL; list++)
    hash_kernel(*list, &h);
  snprintf(text, n, "%016llx", (unsigned long long)h);
}

static bool is(const gi_json *j, const char *key, const char *want) {
  return strcmp(gi_json_str(gi_json_get(j, key), ""), want) == 0;
}

static bool is_own(const gi_json *j) {
  char kernels[32], processor[256];
  kernels_text(kernels, sizeof kernels);
  gi_processor_name(processor, sizeof processor);
  return gi_json_int(gi_json_get(j, "format"), 0) == FORMAT &&
         is(j, "version", glia_version()) && is(j, "processor", processor) &&
         is(j, "kernels", kernels);
}

/* ---- text -------------------------------------------------------------------------------- */

char *gi_times_text(const gi_times *t) {
  char kernels[32], processor[256];
  gi_json *j = gi_json_object(), *values = gi_json_object();
  kernels_text(kernels, sizeof kernels);
  gi_processor_name(processor, sizeof processor);
  gi_json_set_int(j, "format", FORMAT);
  gi_json_set_str(j, "version", glia_version());
  gi_json_set_str(j, "processor", processor);
  gi_json_set_str(j, "kernels", kernels);
  for (size_t i = 0; i < t->rows.n; i++)
    gi_json_set_num(values, t->rows.at[i].key, t->rows.at[i].value);
  gi_json_set(j, "values", values);
  char *text = gi_json_text(j, 1);
  gi_json_free(j);
  return text;
}

typedef struct reading {
  gi_times *t;
  glia_status status;
} reading;

static bool take_row(const char *key, const gi_json *value, void *user) {
  reading *r = user;
  r->status = add(r->t, (gi_times_row){.key = key, .value = gi_json_num(value, 0)});
  return r->status == GLIA_OK && r->t->rows.n < 2 * GI_TIMES_MAX;
}

glia_status gi_times_parse(gi_times *t, const char *text, size_t n, const char *what,
                           bool *own) {
  gi_json *j = NULL;
  reading r = {t, GLIA_OK};
  GI_TRY(gi_json_parse(text, n, what, &j));
  *own = is_own(j);
  const gi_json *values = gi_json_get(j, "values");
  if (gi_json_type(values) != GI_JSON_OBJECT)
    r.status = gi_fail(GLIA_FORMAT, "%s: \"values\" is missing", what);
  else
    gi_json_each(values, take_row, &r);
  gi_json_free(j);
  trim(t);
  return r.status;
}

/* ---- the file ---------------------------------------------------------------------------- */

glia_status gi_times_load(gi_times *t, const char *path) {
  char *text = NULL;
  size_t n = 0;
  bool own = false;
  if (!gi_exists(path)) return GLIA_OK;
  glia_status s = gi_read_file(path, GI_TIMES_BYTES, &text, &n);
  if (s == GLIA_OK) s = gi_times_parse(t, text, n, path, &own);
  gi_free(text);
  if (s != GLIA_OK || !own) {
    gi_times_free(t);
    *t = (gi_times){.rows = {.n = 0}};
  }
  if (s == GLIA_NOMEM) return s;
  if (s != GLIA_OK)
    gi_log(GLIA_LOG_WARN, "%s; it is not used, and will be written anew", glia_error_message());
  return GLIA_OK;
}

/* The folder of a file, made if it is not there. */
static glia_status make_folder(const char *path) {
  char *dir = gi_strdup(path);
  if (dir == NULL) return gi_fail_nomem(strlen(path));
  char *slash = strrchr(dir, '/');
  if (slash != NULL) *slash = '\0';
  const glia_status s = slash != NULL && slash != dir ? gi_make_dirs(dir) : GLIA_OK;
  gi_free(dir);
  return s;
}

static glia_status merge_and_write(const gi_times *t, gi_times *all, const char *path) {
  GI_TRY(make_folder(path));
  GI_TRY(gi_times_load(all, path));
  for (size_t i = 0; i < t->rows.n; i++)
    if (t->rows.at[i].fresh) GI_TRY(add(all, t->rows.at[i]));
  trim(all);
  char *text = gi_times_text(all);
  const glia_status s =
      text != NULL ? gi_write_file(path, text, strlen(text)) : gi_fail_nomem(1);
  gi_free(text);
  return s;
}

glia_status gi_times_save(gi_times *t, const char *path) {
  gi_times all = {.rows = {.n = 0}};
  const glia_status s = merge_and_write(t, &all, path);
  gi_times_free(&all);
  for (size_t i = 0; s == GLIA_OK && i < t->rows.n; i++) t->rows.at[i].fresh = false;
  return s;
}

char *gi_times_path(void) {
  const char *own = getenv("GLIA_CACHE"), *xdg = getenv("XDG_CACHE_HOME"),
             *home = getenv("HOME");
  const char *base = xdg != NULL && xdg[0] == '/' ? xdg : home; /* as the standard says */
  if (own != NULL) return own[0] != '\0' ? gi_path_join(own, "kernels.json") : NULL;
  if (base == NULL || base[0] != '/') return NULL;
  return gi_path_join(base, base == xdg ? "glia/kernels.json" : ".cache/glia/kernels.json");
}

/* ---- keys -------------------------------------------------------------------------------- */

void gi_setup_text(const gi_backend *b, int threads, gi_str *out) {
  if (b->setup != NULL)
    b->setup(out);
  else
    gi_str_puts(out, b->name);
  gi_str_printf(out, ", %d thread%s", threads, threads == 1 ? "" : "s");
}

static void value_text(const gi_type *t, gi_layout layout, bool known, gi_str *out) {
  char text[128];
  gi_str_puts(out, gi_type_text(t, text, sizeof text));
  if (layout != GI_PLAIN && gi_layout_matters(t))
    gi_str_printf(out, " %s", gi_layout_name(layout));
  if (known) gi_str_puts(out, " known");
}

void gi_time_key(const gi_kernel *k, const gi_problem *p, const char *setup, gi_str *out) {
  gi_str_printf(out, "%s %s(", k->name, p->op->name);
  for (int i = 0; i < p->n_in; i++) {
    if (i > 0) gi_str_puts(out, ", ");
    value_text(&p->in[i], p->in_layout[i], p->known != NULL && p->known[i] != NULL, out);
  }
  gi_str_puts(out, ")");
  for (int i = 0; i < p->n_out; i++) {
    gi_str_puts(out, i > 0 ? ", " : " ");
    value_text(&p->out[i], p->out_layout[i], false, out);
  }
  if (p->attr != NULL) {
    gi_str_puts(out, " ");
    gi_attr_text(p->op, p->attr, out);
  }
  gi_str_printf(out, "; %s", setup);
}

/* ---- limits ------------------------------------------------------------------------------ */

enum { LIMITS = 5, MODELLED = 2 };

/* By number: the limit's key, and where it stands; the first two are those that count. */
static double *limit_at(gi_limits *l, int i, const char **name) {
  static const char *const names[LIMITS] = {"operations a second; ", "bytes a second; ",
                                            "bytes read a second; ", "bytes copied a second; ",
                                            "seconds to start threads; "};
  double *const at[LIMITS] = {&l->flops, &l->bytes, &l->read, &l->copy, &l->start};
  *name = names[i];
  return at[i];
}

static void limit_key(const char *name, const gi_backend *b, int threads, gi_str *out) {
  out->n = 0;
  gi_str_puts(out, name);
  gi_setup_text(b, threads, out);
}

gi_limits gi_times_limits(const gi_times *t, const gi_backend *b, int threads, bool *measured) {
  gi_limits l = b->limits != NULL ? b->limits(threads) : gi_backend_ref.limits(threads);
  gi_str key = {0};
  int known = 0;
  for (int i = 0; i < LIMITS && t != NULL; i++) {
    const char *name;
    double *to = limit_at(&l, i, &name);
    limit_key(name, b, threads, &key);
    const double v = key.failed ? 0 : gi_times_get(t, key.s);
    if (v > 0) *to = v;
    known += v > 0 && i < MODELLED;
  }
  gi_str_free(&key);
  if (measured != NULL) *measured = known == MODELLED;
  return l;
}

glia_status gi_times_put_limits(gi_times *t, const gi_backend *b, int threads,
                                const gi_limits *limits) {
  gi_limits l = *limits;
  gi_str key = {0};
  glia_status s = GLIA_OK;
  for (int i = 0; i < LIMITS && s == GLIA_OK; i++) {
    const char *name;
    const double *from = limit_at(&l, i, &name);
    limit_key(name, b, threads, &key);
    s = key.failed ? gi_fail_nomem(1) : gi_times_put(t, key.s, *from);
  }
  gi_str_free(&key);
  return s;
}
