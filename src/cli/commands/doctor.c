/* glia doctor: what this machine is, what it gives at most, and what stands in the way.
 *
 * The limits are measured by the backend and kept in the file of times, from which plans model
 * their kernels and `glia plan --time` tells each step's share of them.
 */
#include "cli/cli.h"
#include "cli/table.h"
#include "compile/times.h"

typedef struct problem {
  const char *text, *cure;
} problem;

typedef struct row { /* of one number of threads */
  int threads;
  gi_limits limits;
  bool measured;
} row;

typedef struct doctor {
  const gi_cli *c;
  const gi_backend *backend;
  gi_machine machine;
  gi_times times;
  char *path;   /* of the file of times; NULL: there is none */
  size_t known; /* rows of the file when it was read */
  gi_arena arena;
  GI_VEC(problem) problems;
  GI_VEC(row) rows;
  bool failed; /* a problem could not be kept */
} doctor;

/* ---- problems ---------------------------------------------------------------------------- */

static void say(void *user, const char *cure, const char *fmt, ...) {
  doctor *d = user;
  char line[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(line, sizeof line, fmt, args);
  va_end(args);
  const problem p = {gi_arena_strdup(&d->arena, line), gi_arena_strdup(&d->arena, cure)};
  if (p.text == NULL || p.cure == NULL || !gi_vec_push(&d->problems, p)) d->failed = true;
}

static void check_memory(doctor *d) {
  const int64_t least = (int64_t)256 << 20;
  if (d->machine.free > 0 && d->machine.free < least)
    say(d, "end other programs, or train with --memory-limit", "only %s of memory are free",
        gi_table_bytes((double)d->machine.free));
}

static void check_share(doctor *d) {
  const gi_machine *m = &d->machine;
  if (m->share > 0 && m->share < m->processors)
    say(d, "use --threads with no more than that",
        "there are %d processors, but this container is given the time of %.1f", m->processors,
        m->share);
}

static void check_backend(doctor *d) {
  const gi_backend *best = NULL;
  if (gi_backend_find("cpu", &best) != GLIA_OK)
    say(d, "install oneDNN 2.6 or later and SLEEF, and build again",
        "this build has the reference backend alone, which is hundreds of times slower");
  else if (d->backend != best)
    say(d, "unset GLIA_BACKEND, and leave --backend away",
        "the backend is %s, which is hundreds of times slower than cpu", d->backend->name);
  if (d->backend->check != NULL) d->backend->check(say, d);
}

/* Neighbours and hyperthreads: two threads that give no more than one. */
static void check_gain(doctor *d) {
  if (d->rows.n == 0) return;
  const row *first = &d->rows.at[0], *last = &d->rows.at[d->rows.n - 1];
  const double gain = last->limits.flops / first->limits.flops;
  if (first->measured && last->measured && gain < 0.6 * last->threads / first->threads)
    say(d, "see what else runs on this machine, and measure again; else use fewer threads",
        "%d threads compute %.1f times as much as %d", last->threads, gain, first->threads);
}

/* ---- measuring --------------------------------------------------------------------------- */

/* 1, 2, 3, 4, then 8, 16... and all. */
static glia_status list_threads(doctor *d, int most) {
  for (int n = 1; n <= most; n = n < 4 ? n + 1 : n < most ? GI_MIN(2 * n, most) : n + 1)
    if (!gi_vec_push(&d->rows, ((row){.threads = n}))) return gi_fail_nomem(sizeof(row));
  return GLIA_OK;
}

static glia_status measure(doctor *d) {
  for (size_t i = 0; i < d->rows.n; i++) {
    row *r = &d->rows.at[i];
    if (d->backend->measure == NULL || gi_cli_flag(d->c, "known")) break;
    if (gi_interrupted()) return gi_fail(GLIA_CANCELLED, "stopped");
    gi_cli_note(d->c, "measuring with %d thread%s", r->threads, r->threads > 1 ? "s" : "");
    GI_TRY(d->backend->measure(r->threads, &r->limits));
    GI_TRY(gi_times_put_limits(&d->times, d->backend, r->threads, &r->limits));
  }
  for (size_t i = 0; i < d->rows.n; i++) {
    row *r = &d->rows.at[i];
    r->limits = gi_times_limits(&d->times, d->backend, r->threads, &r->measured);
  }
  return GLIA_OK;
}

static void keep(doctor *d) {
  bool fresh = false;
  for (size_t i = 0; i < d->times.rows.n; i++) fresh |= d->times.rows.at[i].fresh;
  if (d->path == NULL)
    say(d, "set GLIA_CACHE to a folder",
        "there is no folder for what is measured: each run measures again");
  else if (fresh && gi_times_save(&d->times, d->path) != GLIA_OK)
    say(d, "make it writable, or set GLIA_CACHE to another folder",
        "what was measured cannot be kept: %s", glia_error_message());
}

static glia_status examine(doctor *d) {
  const int64_t asked = gi_cli_i64(d->c, "threads");
  gi_machine_look(&d->machine);
  GI_TRY(gi_backend_find(gi_cli_text(d->c, "backend"), &d->backend));
  d->path = gi_times_path();
  if (d->path != NULL) GI_TRY(gi_times_load(&d->times, d->path));
  d->known = d->times.rows.n;
  GI_TRY(list_threads(d, asked > 0 ? (int)asked : d->machine.processors));
  check_backend(d);
  check_share(d);
  check_memory(d);
  GI_TRY(measure(d));
  check_gain(d);
  keep(d);
  return d->failed ? gi_fail_nomem(1) : GLIA_OK;
}

/* ---- showing ----------------------------------------------------------------------------- */

static void setup_text(const doctor *d, gi_str *out) {
  if (d->backend->setup != NULL)
    d->backend->setup(out);
  else
    gi_str_puts(out, d->backend->name);
}

static void head_text(const doctor *d, gi_str *out) {
  const gi_machine *m = &d->machine;
  gi_str_printf(out, "machine  %s; %d processor%s\n", m->name, m->processors,
                m->processors > 1 ? "s" : "");
  gi_str_printf(out, "memory   %s", gi_table_bytes((double)m->memory));
  gi_str_printf(out, ", %s free; caches", gi_table_bytes((double)m->free));
  for (int i = 0; i < GI_COUNT(m->cache); i++)
    gi_str_printf(out, "%s %s", i > 0 ? "," : "", gi_table_bytes((double)m->cache[i]));
  gi_str_printf(out, "\nglia     %s, backend ", glia_version());
  setup_text(d, out);
  gi_str_printf(out, "\ntimes    %s; %zu known\n\n", d->path != NULL ? d->path : "not kept",
                d->known);
}

static void give(gi_table *t, double value, double scale) {
  if (value > 0)
    gi_table_cell(t, "%.1f", value * scale);
  else
    gi_table_cell(t, "-");
}

static void rows_text(const doctor *d, gi_str *out) {
  gi_table t;
  gi_table_begin(&t, "threads|GFLOP/s|memory GB/s|read GB/s|copy GB/s|start us|<limits are");
  for (size_t i = 0; i < d->rows.n; i++) {
    const row *r = &d->rows.at[i];
    gi_table_cell(&t, "%d", r->threads);
    give(&t, r->limits.flops, 1e-9);
    give(&t, r->limits.bytes, 1e-9);
    give(&t, r->limits.read, 1e-9);
    give(&t, r->limits.copy, 1e-9);
    give(&t, r->limits.start, 1e6);
    gi_table_cell(&t, "%s", r->measured ? "measured" : "assumed");
  }
  gi_table_print(&t, out);
  gi_table_free(&t);
}

static glia_status show_text(const doctor *d) {
  gi_str out = {0};
  head_text(d, &out);
  rows_text(d, &out);
  gi_str_puts(&out, d->problems.n > 0 ? "\nproblems:\n" : "\nno problems found\n");
  for (size_t i = 0; i < d->problems.n; i++)
    gi_str_printf(&out, "- %s; cure: %s\n", d->problems.at[i].text, d->problems.at[i].cure);
  return gi_cli_print_text(&out);
}

static gi_json *machine_json(const doctor *d) {
  const gi_machine *m = &d->machine;
  gi_json *j = gi_json_object(), *caches = gi_json_array();
  gi_json_set_str(j, "processor", m->name);
  gi_json_set_int(j, "processors", m->processors);
  gi_json_set_int(j, "memory", m->memory);
  gi_json_set_int(j, "free", m->free);
  for (int i = 0; i < GI_COUNT(m->cache); i++) gi_json_add_int(caches, m->cache[i]);
  gi_json_set(j, "caches", caches);
  return j;
}

static gi_json *row_json(const row *r) {
  gi_json *j = gi_json_object();
  gi_json_set_int(j, "threads", r->threads);
  gi_json_set_num(j, "flops", r->limits.flops);
  gi_json_set_num(j, "bytes", r->limits.bytes);
  if (r->limits.read > 0) gi_json_set_num(j, "read", r->limits.read);
  if (r->limits.copy > 0) gi_json_set_num(j, "copy", r->limits.copy);
  if (r->limits.start > 0) gi_json_set_num(j, "start_seconds", r->limits.start);
  gi_json_set_bool(j, "measured", r->measured);
  return j;
}

static glia_status show_json(const doctor *d) {
  gi_json *j = gi_json_object(), *limits = gi_json_array(), *problems = gi_json_array();
  gi_str setup = {0};
  setup_text(d, &setup);
  gi_json_set(j, "machine", machine_json(d));
  gi_json_set_str(j, "version", glia_version());
  gi_json_set_str(j, "backend", d->backend->name);
  gi_json_set_str(j, "setup", setup.failed ? NULL : setup.s);
  gi_json_set_str(j, "times", d->path);
  gi_json_set_int(j, "known", (int64_t)d->known);
  for (size_t i = 0; i < d->rows.n; i++) gi_json_add(limits, row_json(&d->rows.at[i]));
  gi_json_set(j, "limits", limits);
  for (size_t i = 0; i < d->problems.n; i++) {
    gi_json *one = gi_json_object();
    gi_json_set_str(one, "problem", d->problems.at[i].text);
    gi_json_set_str(one, "cure", d->problems.at[i].cure);
    gi_json_add(problems, one);
  }
  gi_json_set(j, "problems", problems);
  gi_str_free(&setup);
  return gi_cli_print_json(j);
}

/* ---- the command ------------------------------------------------------------------------- */

static glia_status run(gi_cli *c) {
  doctor d = {.c = c};
  glia_status s = examine(&d);
  if (s == GLIA_OK) s = c->json ? show_json(&d) : show_text(&d);
  gi_times_free(&d.times);
  gi_vec_free(&d.problems);
  gi_vec_free(&d.rows);
  gi_arena_free(&d.arena);
  gi_free(d.path);
  return s;
}

static const gi_option options[] = {
    {.name = "threads",
     .kind = GI_OPTION_I64,
     .min = 1,
     .max = 1024,
     .help = "measure with up to so many threads (default: all processors)"},
    {.name = "known", .help = "measure nothing, tell what is known of this machine"},
    GI_OPTION_BACKEND,
    {0},
};

static const gi_command doctor_row = {
    .name = "doctor",
    .group = GI_GROUP_PROGRAM,
    .summary = "measure this machine and look for what makes it slow",
    .help =
        "Prints what the machine is and what glia uses of it, and measures what it gives at "
        "most, with one thread and more: multiply-adds; memory traffic, of two streams read "
        "and one written, of reading alone and of copying; and the time that sharing a loop "
        "out to "
        "threads costs. It takes about a second for each number of threads, and wants a "
        "quiet machine.\n\n"
        "What was measured is kept for this machine: the times of kernels are modelled from "
        "it, "
        "and 'glia plan --time' says how near each kernel comes to it.\n\n"
        "Problems are told with their cure: variables that are set to something of no use, "
        "instructions that are missing or not used, a folder that cannot be written.",
    .example = "glia doctor\nglia doctor --json --threads 1",
    .options = options,
    .run = run,
};

const gi_command *const gi_commands_doctor[] = {&doctor_row, NULL};
