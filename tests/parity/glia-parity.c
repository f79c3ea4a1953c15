/* glia-parity.c - answers a manifest of cases (parity.h).
 *
 *     glia-parity MANIFEST --out DIR [--backend NAME] [--group NAME] [--case NAME] [--check]
 *
 * Writes DIR/<group>/<case>.safetensors for every case that a row knows; says which it does not
 * know, and what failed. --check compares with the answers in the cases' own files, within the
 * manifest's tolerances. Ends with "N answered, N failed, N unknown"; status 1 if any failed.
 */
#include "parity.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST = 512, NAME = 128 };

typedef struct options {
  const char *manifest, *out, *backend, *group, *one;
  bool check;
} options;

struct question {
  const options *o;
  const gi_json *row, *attributes, *tolerance;
  const char *group, *name, *op;
  glia_safetensors *file;
  glia_graph *graph;
  glia_store *store; /* of q_scope; NULL: none */
  int n_given, n_out;
  char given_name[MOST][NAME];
  char out_name[MOST][NAME];
  glia_tensor *given_tensor[MOST];
  glia_value given[MOST], out[MOST];
  glia_tensor *put[MOST]; /* answers without a graph, as out_name */
  char around[NAME];      /* of q_around */
  const char *why;        /* unanswered */
};

/* ---- what rows ask ------------------------------------------------------------------------
 */

glia_graph *q_graph(const question *q) { return q->graph; }

glia_tensor *q_read(const question *q, const char *name) {
  glia_tensor *t = NULL;
  const int at = glia_safetensors_find(q->file, name);
  if (at >= 0 && glia_safetensors_read(q->file, at, &t) != GLIA_OK) return NULL;
  return t;
}

const char *q_tensor_name(const question *q, int i) {
  return gi_json_str(gi_json_at(gi_json_get(q->row, "tensors"), (size_t)i), NULL);
}

glia_value q_tensor(question *q, const char *name) {
  for (int i = 0; i < q->n_given; i++)
    if (strcmp(q->given_name[i], name) == 0) return q->given[i];
  if (q->store != NULL && strncmp(name, "param.", 6) == 0)
    return glia_store_get(q->store, name + 6) != NULL ? gi_variable(q->graph, name + 6)
                                                      : GLIA_NONE;
  glia_tensor *t = q->n_given < MOST ? q_read(q, name) : NULL;
  if (t == NULL) return GLIA_NONE;
  const int i = q->n_given++;
  snprintf(q->given_name[i], NAME, "%s", name);
  q->given_tensor[i] = t;
  q->given[i] = glia_input(q->graph, q->given_name[i], glia_tensor_dtype(t),
                           glia_tensor_rank(t), glia_tensor_shape(t));
  return q->given[i];
}

/* Tensors "<kind>NAME" of the file as NAME of the store. */
static glia_status fill_store(question *q, const char *kind, glia_store_kind as) {
  const size_t n = strlen(kind);
  for (int i = 0; i < glia_safetensors_count(q->file); i++) {
    const char *name = glia_safetensors_name(q->file, i);
    glia_tensor *t = NULL;
    gi_entry *e = NULL;
    if (strncmp(name, kind, n) != 0) continue;
    GI_TRY(glia_safetensors_read(q->file, i, &t));
    const gi_type type = gi_tensor_type(t);
    const glia_status s = gi_store_add(q->store, name + n, as, &type, &e);
    for (int64_t k = 0; s == GLIA_OK && k < glia_tensor_count(t); k++)
      glia_tensor_set(e->tensor, k, glia_tensor_get(t, k));
    glia_tensor_free(t);
    GI_TRY(s);
  }
  return GLIA_OK;
}

glia_scope *q_scope(question *q) {
  const glia_scope_opts o = {.size = sizeof o, .train = q_training(q)};
  if (q->store == NULL && (glia_store_new(&q->store) != GLIA_OK ||
                           fill_store(q, "param.", GLIA_PARAMETER) != GLIA_OK ||
                           fill_store(q, "buffer.", GLIA_BUFFER) != GLIA_OK)) {
    q_cannot(q, glia_error_message());
    return NULL;
  }
  return glia_scope_new(q->graph, q->store, &o);
}

glia_value q_input(question *q, int i) {
  char name[NAME];
  snprintf(name, sizeof name, "input.%d", i);
  return q_tensor(q, name);
}
const char *q_around(question *q, const char *of) {
  const size_t begin = strlen("param."), n = strlen(of);
  for (int i = 0; i < glia_safetensors_count(q->file); i++) {
    const char *name = glia_safetensors_name(q->file, i);
    const size_t length = strlen(name);
    if (strncmp(name, "param.", begin) != 0 || length < begin + n + 2 ||
        name[length - n - 1] != '.' || strcmp(name + length - n, of) != 0)
      continue;
    snprintf(q->around, sizeof q->around, "%.*s", (int)(length - n - 1 - begin), name + begin);
    return q->around;
  }
  return "";
}

glia_value q_param(question *q, const char *of) {
  char name[NAME];
  snprintf(name, sizeof name, "param.%s", of);
  const glia_value v = q_tensor(q, name);
  if (v.graph != NULL || q_around(q, of)[0] == '\0') return v;
  snprintf(name, sizeof name, "param.%.60s.%.60s", q->around, of);
  return q_tensor(q, name);
}
glia_value q_param_or(question *q, const char *of, int i) {
  const glia_value v = q_param(q, of);
  return v.graph != NULL ? v : q_input(q, i);
}

static const gi_json *attribute(const question *q, const char *key) {
  return gi_json_get(q->attributes, key);
}
glia_value q_named(question *q, const char *key) {
  const char *name = gi_json_str(attribute(q, key), "");
  return strncmp(name, "input.", 6) == 0 ? q_tensor(q, name) : GLIA_NONE;
}
/* JSON has no infinity: "inf" is a number too. */
static double number(const gi_json *j, double fallback) {
  const char *text = gi_json_str(j, "");
  if (strcmp(text, "inf") == 0) return (double)INFINITY;
  return strcmp(text, "-inf") == 0 ? -(double)INFINITY : gi_json_num(j, fallback);
}
double q_num(const question *q, const char *key, double fallback) {
  return number(attribute(q, key), fallback);
}
int64_t q_int(const question *q, const char *key, int64_t fallback) {
  return gi_json_int(attribute(q, key), fallback);
}
bool q_bool(const question *q, const char *key, bool fallback) {
  return gi_json_bool(attribute(q, key), fallback);
}
const char *q_str(const question *q, const char *key, const char *fallback) {
  return gi_json_str(attribute(q, key), fallback);
}
bool q_null(const question *q, const char *key) {
  const gi_json *j = attribute(q, key);
  return j != NULL && gi_json_type(j) == GI_JSON_NULL;
}
int q_count(const question *q, const char *key) {
  const gi_json *j = attribute(q, key);
  return j != NULL && gi_json_type(j) == GI_JSON_ARRAY ? (int)gi_json_count(j) : 0;
}
void q_ints(const question *q, const char *key, int n, int64_t *out) {
  const gi_json *j = attribute(q, key);
  const int listed = q_count(q, key);
  for (int i = 0; i < n; i++)
    out[i] = gi_json_int(listed > 0 ? gi_json_at(j, (size_t)(i < listed ? i : listed - 1)) : j,
                         out[i]);
}
double q_num_at(const question *q, const char *key, int i) {
  const gi_json *j = attribute(q, key);
  return number(q_count(q, key) > 0 ? gi_json_at(j, (size_t)i) : j, 0);
}
bool q_training(const question *q) { return strcmp(q_str(q, "mode", ""), "train") == 0; }

void q_give(question *q, const char *name, glia_value v) {
  if (q->n_out == MOST) {
    q_cannot(q, "has too many results");
    return;
  }
  snprintf(q->out_name[q->n_out], sizeof q->out_name[0], "%.*s", NAME - 1, name);
  q->out[q->n_out] = glia_output(q->out_name[q->n_out], v);
  q->n_out++;
}
void q_output(question *q, int i, glia_value v) {
  char name[NAME];
  snprintf(name, sizeof name, "output.%d", i);
  q_give(q, name, v);
}
void q_cannot(question *q, const char *why) { q->why = why; }

void q_put(question *q, const char *name, glia_tensor *t) {
  if (q->n_out == MOST) {
    q_cannot(q, "has too many results");
    glia_tensor_free(t);
    return;
  }
  snprintf(q->out_name[q->n_out], sizeof q->out_name[0], "%.*s", NAME - 1, name);
  q->put[q->n_out++] = t;
}
const char *q_backend(const question *q) { return q->o->backend; }
const char *q_op(const question *q) { return q->op; }
const gi_json *q_attributes(const question *q) { return q->attributes; }
double q_row_num(const question *q, const char *key, double fallback) {
  return gi_json_num(gi_json_get(q->row, key), fallback);
}
int64_t q_steps(const question *q) { return gi_json_int(gi_json_get(q->row, "steps"), 0); }

/* ---- gradients ----------------------------------------------------------------------------
 */

/* The sum over all outputs of output times cotangent. */
static glia_value weighted_sum(question *q) {
  glia_value loss = GLIA_NONE;
  for (int i = 0, n = q->n_out; i < n; i++) {
    char name[NAME];
    if (strncmp(q->out_name[i], "output.", 7) != 0) continue;
    snprintf(name, sizeof name, "cotangent.%s", q->out_name[i] + 7);
    const glia_value c = q_tensor(q, name);
    if (c.graph == NULL) continue;
    const glia_value part = glia_sum(glia_mul(q->out[i], c));
    loss = loss.graph == NULL ? part : glia_add(loss, part);
  }
  return loss;
}

/* Every "grad.X" that is asked: the gradient in X. What the outputs do not depend on gets the
 * zeros that a term 0 X brings. */
static glia_status add_gradients(question *q) {
  const gi_json *tensors = gi_json_get(q->row, "tensors");
  glia_value of[MOST], grads[MOST], loss = weighted_sum(q);
  char names[MOST][NAME];
  int n = 0;
  for (size_t i = 0; i < gi_json_count(tensors) && n < MOST; i++) {
    const char *asked = gi_json_str(gi_json_at(tensors, i), "");
    if (strncmp(asked, "grad.", 5) != 0) continue;
    of[n] = q_tensor(q, asked + 5);
    if (of[n].graph == NULL || loss.graph == NULL) continue;
    snprintf(names[n++], NAME, "%s", asked);
  }
  if (n == 0) return GLIA_OK;
  for (int i = 0; i < n; i++)
    loss = glia_add(loss, glia_mul(glia_sum(of[i]), glia_scalar_like(loss, 0)));
  GI_TRY(glia_grad(loss, of, n, grads));
  for (int i = 0; i < n; i++) q_give(q, names[i], grads[i]);
  return glia_graph_status(q->graph);
}

/* ---- comparing ----------------------------------------------------------------------------
 */

static double tolerance(const question *q, const char *asked, const char *what, double dflt) {
  const char *kind = strncmp(asked, "grad.", 5) == 0 ? "grad" : "output";
  return gi_json_num(gi_json_get(gi_json_get(q->tolerance, kind), what), dflt);
}

/* What was wanted: in the file, or a number of the case itself. NULL: not known. */
static glia_tensor *wanted(const question *q, const char *name) {
  glia_tensor *t = q_read(q, name);
  const gi_json *number = gi_json_get(q->row, name);
  if (t != NULL || number == NULL || gi_json_type(number) < GI_JSON_INT ||
      gi_json_type(number) > GI_JSON_REAL || glia_tensor_new(GLIA_F64, 0, NULL, &t) != GLIA_OK)
    return t;
  glia_tensor_set(t, 0, gi_json_num(number, 0));
  return t;
}

/* Says the worst element that is too far off. */
static bool agrees(const question *q, const char *name, const glia_tensor *got) {
  glia_tensor *want = wanted(q, name);
  if (want == NULL) return true;
  const double rtol = tolerance(q, name, "rtol", 1e-5), atol = tolerance(q, name, "atol", 1e-6);
  bool good = glia_tensor_count(got) == glia_tensor_count(want) &&
              glia_tensor_rank(got) == glia_tensor_rank(want);
  if (!good) printf("%s/%s: %s has another shape\n", q->group, q->name, name);
  double worst = 0;
  int64_t at = -1;
  for (int64_t i = 0; good && i < glia_tensor_count(want); i++) {
    const double a = glia_tensor_get(got, i), b = glia_tensor_get(want, i);
    const double off =
        a == b || (isnan(a) && isnan(b)) ? 0 : fabs(a - b) / (atol + rtol * fabs(b));
    if (off > worst || isnan(off)) worst = isnan(off) ? INFINITY : off, at = i;
  }
  if (worst > 1)
    printf("%s/%s: %s[%lld] is %.9g, wanted %.9g: %.1f times the tolerance\n", q->group,
           q->name, name, (long long)at, glia_tensor_get(got, at), glia_tensor_get(want, at),
           worst);
  glia_tensor_free(want);
  return good && worst <= 1;
}

/* Is a tensor of the case an answer, not something given? The gradients that an optimiser is
 * handed begin like the gradients of a layer. */
static bool is_asked(const question *q, const char *name) {
  static const char *const begin[] = {"output.", "grad.",    "buffer_after.",
                                      "after.",  "clipped.", "total_norm",
                                      "value",   "lr",       "momentum"};
  if (strcmp(q->group, "optim") == 0 && strncmp(name, "grad.", 5) == 0) return false;
  for (int i = 0; i < GI_COUNT(begin); i++)
    if (strncmp(name, begin[i], strlen(begin[i])) == 0) return true;
  return false;
}

/* Says what was asked and has no answer. */
static bool complete(const question *q) {
  bool good = true;
  const char *name;
  for (int i = 0; (name = q_tensor_name(q, i)) != NULL; i++) {
    bool there = !is_asked(q, name);
    for (int k = 0; k < q->n_out && !there; k++) there = strcmp(name, q->out_name[k]) == 0;
    if (!there) printf("%s/%s: no %s\n", q->group, q->name, name);
    good = good && there;
  }
  return good;
}

/* ---- running ------------------------------------------------------------------------------
 */

static glia_status make_folder(const char *path) {
  if (mkdir(path, 0777) != 0 && errno != EEXIST)
    return gi_fail(GLIA_IO, "%s: %s", path, strerror(errno));
  return GLIA_OK;
}

static glia_status write_answers(const question *q, const glia_plan *plan, bool *good) {
  glia_named_tensor t[MOST];
  char path[1024];
  for (int i = 0; i < q->n_out; i++) {
    t[i] = (glia_named_tensor){
        q->out_name[i], plan != NULL ? glia_plan_output(plan, q->out_name[i]) : q->put[i]};
    if (q->o->check && !agrees(q, t[i].name, t[i].tensor)) *good = false;
  }
  if (q->o->check && !complete(q)) *good = false;
  snprintf(path, sizeof path, "%s/%s", q->o->out, q->group);
  GI_TRY(make_folder(path));
  snprintf(path, sizeof path, "%s/%s/%s.safetensors", q->o->out, q->group, q->name);
  return glia_safetensors_write(path, t, q->n_out, NULL, 0);
}

static glia_status compute(question *q, bool *good) {
  glia_plan *plan = NULL;
  GI_TRY(glia_graph_status(q->graph));
  GI_TRY(add_gradients(q));
  GI_TRY(glia_compile(q->graph, &plan, .backend = q->o->backend));
  glia_status s = GLIA_OK;
  for (int i = 0; i < q->n_given && s == GLIA_OK; i++)
    s = glia_plan_bind(plan, q->given_name[i], q->given_tensor[i]);
  if (s == GLIA_OK) s = glia_plan_run(plan);
  if (s == GLIA_OK) s = write_answers(q, plan, good);
  glia_plan_free(plan);
  return s;
}

static const parity_row *find_row(const question *q) {
  const parity_row *of_group = NULL;
  for (int i = 0; gi_parity_table[i] != NULL; i++)
    for (const parity_rows *const *file = gi_parity_table[i]; *file != NULL; file++)
      for (int k = 0; k < (*file)->n; k++) {
        const parity_row *row = &(*file)->row[k];
        if (row->op != NULL && strcmp(row->op, q->op) == 0) return row;
        if (row->group != NULL && strcmp(row->group, q->group) == 0) of_group = row;
      }
  return of_group;
}

static glia_status ask(question *q, const char *folder, bool *good) {
  char path[1024];
  const parity_row *row = find_row(q);
  if (row == NULL) return q_cannot(q, "is not known"), GLIA_OK;
  snprintf(path, sizeof path, "%s/%s", folder, gi_json_str(gi_json_get(q->row, "file"), ""));
  GI_TRY(glia_safetensors_open(path, &q->file));
  if (row->answer != NULL) {
    GI_TRY(row->answer(q));
    return q->why != NULL ? GLIA_OK : write_answers(q, NULL, good);
  }
  if (strcmp(q->group, "optim") != 0 && glia_safetensors_find(q->file, "input.0") < 0)
    return q_cannot(q, "has no input.0"), GLIA_OK;
  GI_TRY(glia_graph_new(&q->graph));
  row->build(q);
  return q->why != NULL ? GLIA_OK : compute(q, good);
}

typedef struct counts {
  int answered, failed, unknown;
} counts;

static void one_case(const options *o, const gi_json *manifest, const gi_json *row, counts *n) {
  char folder[512];
  question *q = calloc(1, sizeof *q);
  if (q == NULL) exit(1);
  q->o = o, q->row = row;
  q->attributes = gi_json_get(row, "attrs");
  q->tolerance = gi_json_get(manifest, "tolerance");
  q->group = gi_json_str(gi_json_get(row, "group"), "");
  q->name = gi_json_str(gi_json_get(row, "name"), "");
  q->op = gi_json_str(gi_json_get(row, "op"), "");
  const char *slash = strrchr(o->manifest, '/');
  snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - o->manifest) : 1,
           slash ? o->manifest : ".");
  bool good = true;
  const glia_status s = ask(q, folder, &good);
  if (s != GLIA_OK) {
    printf("%s/%s: %s\n", q->group, q->name, glia_error_message());
    good = false;
  } else if (q->why != NULL) {
    printf("%s/%s: %s %s\n", q->group, q->name, q->op, q->why);
  }
  if (q->why != NULL)
    n->unknown++;
  else
    good ? n->answered++ : n->failed++;
  for (int i = 0; i < q->n_given; i++) glia_tensor_free(q->given_tensor[i]);
  for (int i = 0; i < q->n_out; i++) glia_tensor_free(q->put[i]);
  glia_graph_free(q->graph);
  glia_store_free(q->store);
  if (q->file != NULL) glia_safetensors_close(q->file);
  free(q);
}

static void usage(void) {
  fprintf(stderr,
          "usage: glia-parity MANIFEST --out DIR [--backend NAME] [--group NAME]\n"
          "                   [--case NAME] [--check]\n");
  exit(2);
}

static options parse(int argc, char **argv) {
  static const struct option names[] = {
      {"out", required_argument, NULL, 'o'},   {"backend", required_argument, NULL, 'b'},
      {"group", required_argument, NULL, 'g'}, {"case", required_argument, NULL, 'c'},
      {"check", no_argument, NULL, 'k'},       {NULL, 0, NULL, 0}};
  options o = {0};
  for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) switch (c) {
      case 'o': o.out = optarg; break;
      case 'b': o.backend = optarg; break;
      case 'g': o.group = optarg; break;
      case 'c': o.one = optarg; break;
      case 'k': o.check = true; break;
      default: usage();
    }
  if (optind + 1 != argc || o.out == NULL) usage();
  o.manifest = argv[optind];
  return o;
}

static char *read_text(const char *path, size_t *n) {
  FILE *f = fopen(path, "rb");
  char *text = NULL;
  if (f != NULL && fseek(f, 0, SEEK_END) == 0) {
    const long size = ftell(f);
    rewind(f);
    text = size >= 0 ? malloc((size_t)size + 1) : NULL;
    *n = text != NULL ? fread(text, 1, (size_t)size, f) : 0;
  }
  if (f != NULL) fclose(f);
  return text;
}

/* Python writes NaN, Infinity and -Infinity, which are no JSON; in place, outside of strings:
 * "", "inf" and "-inf", and blanks. */
static void make_strict(char *text, size_t n) {
  static const char *const words[][2] = {
      {"NaN", "\"\" "}, {"-Infinity", "\"-inf\"   "}, {"Infinity", "\"inf\"   "}};
  bool inside = false;
  for (size_t i = 0; i < n; i++) {
    if (inside && text[i] == '\\') {
      i++;
      continue;
    }
    if (text[i] == '"') inside = !inside;
    for (int w = 0; w < GI_COUNT(words) && !inside; w++) {
      const size_t length = strlen(words[w][0]);
      if (n - i < length || strncmp(text + i, words[w][0], length) != 0) continue;
      memcpy(text + i, words[w][1], length);
      i += length - 1;
      break;
    }
  }
}

int main(int argc, char **argv) {
  const options o = parse(argc, argv);
  size_t size = 0;
  gi_json *manifest = NULL;
  char *text = read_text(o.manifest, &size);
  if (text != NULL) make_strict(text, size);
  if (text == NULL || gi_json_parse(text, size, o.manifest, &manifest) != GLIA_OK ||
      make_folder(o.out) != GLIA_OK) {
    fprintf(stderr, "glia-parity: %s\n", text == NULL ? strerror(errno) : glia_error_message());
    return 1;
  }
  counts n = {0};
  const gi_json *cases = gi_json_get(manifest, "cases");
  for (size_t i = 0; i < gi_json_count(cases); i++) {
    const gi_json *row = gi_json_at(cases, i);
    if (o.group != NULL && strcmp(gi_json_str(gi_json_get(row, "group"), ""), o.group) != 0)
      continue;
    if (o.one != NULL && strcmp(gi_json_str(gi_json_get(row, "name"), ""), o.one) != 0)
      continue;
    one_case(&o, manifest, row, &n);
  }
  printf("%d answered, %d failed, %d unknown\n", n.answered, n.failed, n.unknown);
  gi_json_free(manifest);
  free(text);
  return n.failed > 0;
}
