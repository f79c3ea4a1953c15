/* glia plan NET: what a network becomes: its layers, then every scheduled kernel with its
 * place. */
#include <stdlib.h>

#include "cli/open.h"
#include "cli/show.h"
#include "cli/table.h"
#include "run/plan_view.h"
#include "train/learner.h"

/* The layers, and with them the width of the result, which stands for the number of classes. */
static glia_status summarise(glia_net *net, const glia_sample_spec *spec, glia_summary *out) {
  glia_store *store = NULL;
  GI_TRY(glia_store_new(&store));
  int64_t input[GLIA_MAX_RANK] = {1};
  memcpy(input + 1, spec->shape, (size_t)spec->rank * sizeof *input);
  const glia_status s =
      glia_summarise(glia_net_apply, net, store, 0, spec->rank + 1, input, out);
  glia_store_free(store);
  return s;
}

static glia_status make_learner(const gi_cli *c, glia_net *net, const glia_sample_spec *spec,
                                glia_learner **out) {
  glia_learner_opts opt = {
      .size = sizeof opt,
      .model = glia_net_apply,
      .user = net,
      .data = *spec,
      .backend = gi_cli_text(c, "backend"),
      .threads = (int)gi_cli_i64(c, "threads"),
      .memory_limit = gi_cli_i64(c, "memory-limit"),
      .precision = gi_cli_precision(c),
      .deterministic = gi_cli_flag(c, "deterministic"),
      .tune = gi_cli_f64(c, "tune"),
      .exact_conv = gi_cli_flag(c, "exact-conv"),
  };
  GI_TRY(glia_optimizer_parse(gi_cli_text(c, "optimizer"), &opt.optimizer));
  return glia_learner_new(&opt, out);
}

static glia_status show_json(const glia_plan *p, const glia_summary *s, int batch) {
  gi_plan_view view;
  const glia_status made = gi_plan_view_new(p, &view);
  gi_json *j = gi_json_object();
  gi_json_set_int(j, "batch", batch);
  gi_json_set(j, "layers", gi_show_summary_json(s));
  gi_json_set_int(j, "parameters", s->parameters);
  gi_json_set_num(j, "flops", s->flops * batch);
  gi_json_set_int(j, "bytes", (int64_t)glia_plan_bytes(p));
  if (made == GLIA_OK) gi_json_set(j, "plan", gi_plan_view_json(&view));
  gi_plan_view_free(&view);
  if (made == GLIA_OK) return gi_cli_print_json(j);
  gi_json_free(j);
  return made;
}

static glia_status show_text(const glia_plan *p, const glia_summary *s, int batch, bool infer) {
  gi_str text = {0};
  char *plan = glia_plan_text(p);
  if (plan == NULL) return gi_fail_nomem(1);
  gi_show_summary(&text, s, batch);
  gi_str_printf(&text, "%s of memory planned for a %s\n\n%s",
                gi_table_bytes((double)glia_plan_bytes(p)),
                infer ? "prediction" : "training step", plan);
  free(plan);
  return gi_cli_print_text(&text);
}

static glia_status show(const gi_cli *c, glia_learner *l, const glia_summary *s) {
  const int batch = (int)gi_cli_i64(c, "batch");
  const bool infer = gi_cli_flag(c, "infer");
  glia_plan *p = NULL;
  GI_TRY(gi_learner_plan(l, batch, gi_cli_text(c, "dump"), infer, &p));
  glia_status status = GLIA_OK;
  if (gi_cli_flag(c, "time")) status = glia_plan_time(p, 1);
  if (status == GLIA_OK)
    status = c->json ? show_json(p, s, batch) : show_text(p, s, batch, infer);
  glia_plan_free(p);
  return status;
}

static glia_status run(gi_cli *c) {
  glia_sample_spec spec = {.dtype = GLIA_F32};
  GI_TRY(gi_cli_shape(gi_cli_text(c, "input"), spec.shape, &spec.rank));
  glia_net *net = NULL;
  glia_learner *learner = NULL;
  glia_summary summary = {0};
  GI_TRY(glia_net_read(gi_cli_argument(c, "NET"), &net));
  glia_status s = summarise(net, &spec, &summary);
  if (s != GLIA_OK) goto out;
  const glia_summary_row *last = summary.n > 0 ? &summary.rows[summary.n - 1] : NULL;
  if (last == NULL || last->rank != 2) {
    s = gi_fail(GLIA_MODEL,
                "%s: the network ends in rank %d, wanted [N, outputs]; hint: end with "
                "flatten and dense",
                gi_cli_argument(c, "NET"), last != NULL ? last->rank : 0);
    goto out;
  }
  if (last->shape[1] > 1)
    spec.classes = (int)last->shape[1];
  else
    spec.targets = 1;
  s = make_learner(c, net, &spec, &learner);
  if (s == GLIA_OK) s = show(c, learner, &summary);
out:
  glia_learner_free(learner);
  glia_summary_clear(&summary);
  glia_net_free(net);
  return s;
}

static const gi_argument arguments[] = {
    {.name = "NET", .kind = GI_OPTION_PATH, .help = "the network, a .net file"},
    {0},
};

static const gi_option options[] = {
    {.name = "input",
     .kind = GI_OPTION_TEXT,
     .value = "SHAPE",
     .fallback = "1x28x28",
     .help = "shape of one sample: channels x rows x columns, or columns"},
    {.name = "batch",
     .letter = 'b',
     .kind = GI_OPTION_I64,
     .min = 1,
     .max = 1000000,
     .fallback = "64",
     .help = "samples in a step"},
    {.name = "infer", .help = "the plan of a prediction instead of a training step"},
    {.name = "time",
     .help = "run the plan for a second and show how long each kernel takes, and how near it "
             "comes to the machine's limits"},
    {.name = "optimizer",
     .kind = GI_OPTION_TEXT,
     .value = "RULE",
     .fallback = "adam",
     .help = "as in 'glia train'"},
    {.name = "dump",
     .kind = GI_OPTION_TEXT,
     .value = "PASSES",
     .help = "print the graph after these passes too: grad (as given), simplify, fuse..."},
    GI_OPTION_BACKEND,
    GI_OPTION_THREADS,
    GI_OPTION_MEMORY_LIMIT,
    GI_OPTION_PRECISION,
    GI_OPTION_TUNE("0"),
    GI_OPTION_DETERMINISTIC,
    GI_OPTION_EXACT_CONV,
    {0},
};

static const gi_command plan = {
    .name = "plan",
    .group = GI_GROUP_LOOK,
    .summary = "show what a network costs and how it is computed",
    .help =
        "Compiles a training step of NET and prints its layers with shapes, parameters and "
        "flops; then each scheduled kernel with layout, place in memory, bytes, flops and "
        "time, the kernels that were not taken with theirs, or why they do not fit, and the "
        "peak. Times with ~ are modelled, others were measured (--tune, --time). No data are "
        "read.",
    .example =
        "glia plan lenet.net --input 1x28x28 --batch 64\n"
        "glia plan lenet.net --tune 10 --time\n"
        "glia plan lenet.net --infer --batch 1 --dump fuse",
    .arguments = arguments,
    .options = options,
    .run = run,
};

const gi_command *const gi_commands_plan[] = {&plan, NULL};
