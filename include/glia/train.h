/* glia/train.h - the learner (fit, evaluate, predict) and the run folder.
 *
 * A learner joins a model, a loss and an optimiser into compiled steps. A run is a folder that
 * keeps all of one training: settings, checkpoint, log, model, plots, report; it can be killed
 * at any moment and resumed to the same bits.
 */
#ifndef GLIA_TRAIN_H
#define GLIA_TRAIN_H

#include "glia/data.h"
#include "glia/formats.h"
#include "glia/metrics.h"
#include "glia/models.h"
#include "glia/optim.h"
#include "glia/run.h"
#include "glia/schedule.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the learner ------------------------------------------------------------------------- */

/* A loss by name, and its options: zero is the default of the named one; who wants 0 where the
 * default is another number gives DBL_MIN. Options that a loss does not have must be zero. The
 * learner's loss is the mean over the batch (and the K numbers) of these; x is the model's
 * result, t the target, [B] classes or [B, K] numbers; formulas in full: glia/losses.h.
 *
 *   classes   cross_entropy  -log softmax(x)[t]
 *             multi_margin   1 / C sum over c != t of max(0, margin - x[t] + x[c])
 *   numbers   mse            (x - t)^2
 *             mae            |x - t|
 *             huber          (x - t)^2 / 2 up to delta, then straight on
 *             smooth_l1      (x - t)^2 / (2 beta) up to beta, then straight on
 *             poisson_nll    e^x - t x: x the logarithm of the expected count
 *   yes or no bce            -(t log p + (1 - t) log(1 - p)), p = sigmoid(x), t in [0, 1]
 *             focal          alpha_t (1 - p_t)^gamma times that
 *             dice           1 - (2 sum p t + smooth) / (sum p + sum t + smooth)
 *             hinge          max(0, 1 - t x), t 1 or -1
 *             soft_margin    log(1 + e^(-t x)), t 1 or -1
 */
typedef struct glia_loss {
  const char *name;       /* NULL: cross_entropy for classes, mse for numbers */
  double label_smoothing; /* cross_entropy: targets are (1 - e) one-hot + e / C; below 1 */
  double margin;          /* multi_margin; 0 -> 1 */
  double delta;           /* huber; 0 -> 1 */
  double beta;            /* smooth_l1; 0 -> 1 */
  double gamma;           /* focal; 0 -> 2 */
  double alpha;           /* focal: weight of t = 1; 0 -> 0.25 */
  double smooth;          /* dice; 0 -> 1 */
} glia_loss;

/* Reads "huber delta=0.5"; "-" counts as "_" in the name; a number that is given as 0 is 0, not
 * the default. GLIA_INVALID names what is unknown or out of range, and the nearest name. */
GLIA_NODISCARD GLIA_API glia_status glia_loss_parse(const char *text, glia_loss *out);
/* Fills in the defaults and checks the ranges. */
GLIA_NODISCARD GLIA_API glia_status glia_loss_resolve(glia_loss *o);

typedef struct glia_learner_opts {
  size_t size;
  glia_model_fn model;      /* must be given */
  void *user;               /* the model's; kept until the learner is freed */
  glia_sample_spec data;    /* shape of a sample and kind of target; must be given */
  glia_loss loss;           /* must suit the targets */
  glia_optimizer optimizer; /* default adam */
  double clip_norm, clip_value;
  uint64_t seed;       /* of parameters and of dropout */
  const char *backend; /* as in glia_compile_opts */
  int threads;
  int64_t memory_limit; /* of training steps, as in glia_compile_opts */
  glia_dtype precision; /* as in glia_compile_opts */
  bool deterministic;  /* this and the next two as in glia_compile_opts; seconds are those of */
  double tune;         /* each plan, of which there is one for each shape of batch */
  const char *choices; /* kept until the learner is freed */
  bool fixed; /* for inference: weights keep their values from the first prediction on, so that
                 it gets faster; GLIA_INVALID if it is trained all the same */
  const char *weights; /* file that the parameters are loaded from, as by glia_load; NULL: they
                          begin as the initialisers make them */
  bool exact_conv;     /* as in glia_compile_opts */
} glia_learner_opts;

typedef struct glia_learner glia_learner;

/* Traces the model once on a batch of one, so that shapes that cannot fit, a result of the
 * wrong width ("the network ends in 10 outputs, the data has 12 classes") and losses without
 * gradient (unless it is fixed) are found before any data is read. Owned. */
GLIA_NODISCARD GLIA_API glia_status glia_learner_new(const glia_learner_opts *opt,
                                                     glia_learner **out);
GLIA_API void glia_learner_free(glia_learner *l);
/* Parameters, buffers and optimiser state. Borrowed until the learner is freed. */
GLIA_API glia_store *glia_learner_store(glia_learner *l);
/* Steps taken so far. */
GLIA_API int64_t glia_learner_steps(const glia_learner *l);
/* Bytes that a training step of this batch size works in, as planned. */
GLIA_NODISCARD GLIA_API glia_status glia_learner_plan_bytes(glia_learner *l, int batch,
                                                            size_t *out);
/* The plan of a training step as text. Owned, free(). */
GLIA_NODISCARD GLIA_API glia_status glia_learner_plan_text(glia_learner *l, int batch,
                                                           const char *dump, bool infer,
                                                           char **out);

/* One training step at learning rate lr (0: the optimiser's): x f32 [B, ...], y i64 [B] or f32
 * [B, K]. A loss that is not finite is GLIA_DIVERGED: it names the step and the first layer
 * whose result was not finite, and no parameter has changed. */
GLIA_NODISCARD GLIA_API glia_status glia_learner_step(glia_learner *l, const glia_tensor *x,
                                                      const glia_tensor *y, double lr,
                                                      double *loss);
/* The model's result in inference mode: borrowed until the next call on the learner. */
GLIA_NODISCARD GLIA_API glia_status glia_learner_forward(glia_learner *l, const glia_tensor *x,
                                                         const glia_tensor **out);
/* Probabilities [B, classes] (softmax), or the numbers of a regression: sigmoid of the result
 * for bce, focal and dice, e to its power for poisson_nll. Owned. */
GLIA_NODISCARD GLIA_API glia_status glia_predict(glia_learner *l, const glia_tensor *x,
                                                 glia_tensor **out);

typedef struct glia_result {
  double loss;                 /* mean over the samples */
  int64_t count;               /* samples */
  glia_evaluation *evaluation; /* owned; NULL after glia_result_clear */
} glia_result;
/* Runs one epoch of the loader (epoch 0) in inference mode. Owned: glia_result_clear. */
GLIA_NODISCARD GLIA_API glia_status glia_evaluate(glia_learner *l, glia_loader *data,
                                                  glia_result *out);
GLIA_API void glia_result_clear(glia_result *r);

/* ---- fitting ----------------------------------------------------------------------------- */

typedef enum glia_event {
  GLIA_FIT_BEGIN,
  GLIA_EPOCH_BEGIN,
  GLIA_STEP_END,
  GLIA_VALIDATE_BEGIN,
  GLIA_EPOCH_END, /* epoch holds the row; the checkpoint is written behind it */
  GLIA_FIT_END
} glia_event;

typedef struct glia_epoch {
  int64_t epoch;                 /* 1 for the first */
  double train_loss, valid_loss; /* NaN without validation data */
  double metric;                 /* accuracy, or R^2 of a regression; NaN without validation */
  double lr;                     /* at the end of the epoch */
  double seconds;
} glia_epoch;

typedef struct glia_progress { /* what callbacks see; borrowed for the call */
  glia_event event;
  int64_t epoch, epochs; /* 1-based */
  int64_t step, steps;   /* in this epoch, 1-based after GLIA_STEP_END */
  double loss;           /* of the last step */
  double mean_loss;      /* of the epoch so far */
  double lr;
  double samples_per_second; /* of this epoch so far */
  const glia_epoch *row;     /* GLIA_EPOCH_END; else NULL */
  bool best;                 /* GLIA_EPOCH_END: the monitored value was never better */
} glia_progress;

typedef enum glia_monitor { GLIA_MONITOR_VALID_LOSS, GLIA_MONITOR_METRIC } glia_monitor;

typedef struct glia_fit_opts {
  size_t size;
  int64_t epochs;         /* 0 -> 1 */
  double lr;              /* 0: the optimiser's; twice that as the peak of one_cycle */
  glia_schedule schedule; /* one that moves the momentum wants an optimiser with beta1, or
                             with momentum above 0; plateau is fed the monitored value of each
                             epoch, so mode "max" goes with GLIA_MONITOR_METRIC */
  glia_monitor monitor;   /* what "best" means */
  int64_t patience;       /* stop after so many epochs without a better value; 0: never */
  bool keep_best;         /* put the best epoch's weights back at the end; implied by patience
                             where no history is given */
  bool (*on_event)(const glia_progress *p, void *user); /* false stops: GLIA_CANCELLED */
  void *user;
} glia_fit_opts;

/* Trains in place. valid may be NULL. A history may be continued: it holds the epochs before.
 */
typedef struct glia_history {
  int64_t n;
  glia_epoch *rows; /* owned: glia_history_clear */
  int64_t best;     /* epoch number of the best monitored value; 0: none */
  double best_value;
} glia_history;
GLIA_NODISCARD GLIA_API glia_status glia_fit_opt(glia_learner *l, glia_loader *train,
                                                 glia_loader *valid, glia_history *history,
                                                 const glia_fit_opts *opt);
GLIA_API void glia_history_clear(glia_history *h);
#ifndef __cplusplus /* glia_fit(l, train, valid, .epochs = 3) */
#define GLIA_FIT_(l, train, valid, ...) \
  glia_fit_opt((l), (train), (valid), NULL, &(glia_fit_opts){__VA_ARGS__})
#define glia_fit(...) GLIA_FIT_(__VA_ARGS__, .size = sizeof(glia_fit_opts))
#endif

/* ---- model files ------------------------------------------------------------------------- */

/* All parameters (their means over the steps, where an optimiser keeps them: what evaluation
 * uses) and buffers under their names, with these strings in the metadata, as one safetensors
 * file, written atomically. */
GLIA_NODISCARD GLIA_API glia_status glia_save(const glia_store *store, const char *path,
                                              const glia_metadata *metadata, int n);
/* Fills the store's parameters and buffers from a file. GLIA_MODEL names what is missing in the
 * file or has another shape; with `partial`, what is missing keeps its value. */
GLIA_NODISCARD GLIA_API glia_status glia_load(glia_store *store, const char *path,
                                              bool partial);
/* The same with all state of optimisers, parameters as they are: a training that goes on from a
 * checkpoint ends in the same bits as one that was not stopped. Load where everything that has
 * state is made already (the step's graph, glia_lbfgs_new). */
GLIA_NODISCARD GLIA_API glia_status glia_checkpoint_save(const glia_store *store,
                                                         const char *path,
                                                         const glia_metadata *metadata, int n);
GLIA_NODISCARD GLIA_API glia_status glia_checkpoint_load(glia_store *store, const char *path);

/* ---- runs -------------------------------------------------------------------------------- */

typedef struct glia_train_opts { /* the settings of a run; kept in its folder as run.json */
  size_t size;
  const char *data;      /* path of the data; must be given */
  const char *net;       /* .net or .onnx file; NULL: a network chosen by the data (see docs) */
  const char *run;       /* folder of the run; must be given */
  int64_t epochs;        /* 0 -> 5 */
  int batch;             /* 0 -> 64 */
  const char *optimizer; /* "adam", "sgd momentum=0.9"...; NULL: adam */
  double lr;             /* as in glia_fit_opts */
  const char *loss;      /* "mae", "huber delta=0.5"...; NULL: by the targets */
  const char *schedule;  /* "cosine", "one_cycle max_lr=0.1"...; NULL: constant */
  double clip_norm;
  double label_smoothing; /* cross_entropy */
  double valid; /* share of the training samples held out for validation (test data are
                   only for glia_run_evaluate); 0 -> 0.1 */
  int64_t patience;
  const char *target; /* column of a CSV */
  bool regression;    /* the CSV's target is a number */
  uint64_t seed;
  int workers; /* loader threads; 0 -> 1 */
  bool strict; /* a corrupt sample stops the run */
  const char *backend;
  int threads;
  int64_t memory_limit; /* as in glia_compile_opts */
  glia_dtype precision; /* as in glia_compile_opts; who resumes the run has the same */
  bool deterministic;   /* as in glia_compile_opts */
  double tune; /* seconds at most, for each shape of batch, in which kernels that compete are
                  measured before the first step; 0 -> 10; below 0: none */
  bool exact_conv; /* as in glia_compile_opts; also when the run is opened for use */
} glia_train_opts;

typedef struct glia_run glia_run;

/* Makes the folder, opens the data, splits, normalises, builds the learner. GLIA_INVALID where
 * the folder holds a run already, with the cure. Owned. */
GLIA_NODISCARD GLIA_API glia_status glia_run_new(const glia_train_opts *opt, glia_run **out);
/* Opens a run that was stopped, from its last checkpoint (or its beginning). */
GLIA_NODISCARD GLIA_API glia_status glia_run_resume(const char *dir, glia_run **out);
typedef struct glia_run_open_opts {
  size_t size;
  bool exact_conv;      /* as in glia_compile_opts, whether the run was trained so or not */
  glia_dtype precision; /* as in glia_compile_opts, however the run was trained */
  int threads;          /* 0: all cores, however many the run was trained with */
  double tune;          /* seconds at most for each shape of batch, as in glia_compile_opts */
} glia_run_open_opts;
/* Opens a run for use: the model as it was saved, the data only when they are asked for. Also a
 * model file alone. opt may be NULL. */
GLIA_NODISCARD GLIA_API glia_status glia_run_open_opt(const char *dir,
                                                      const glia_run_open_opts *opt,
                                                      glia_run **out);
#ifndef __cplusplus /* glia_run_open(dir, &run, .exact_conv = true) */
#define GLIA_RUN_OPEN_(dir, out, ...) \
  glia_run_open_opt((dir), &(glia_run_open_opts){__VA_ARGS__}, (out))
#define glia_run_open(...) GLIA_RUN_OPEN_(__VA_ARGS__, .size = sizeof(glia_run_open_opts))
#endif
GLIA_API void glia_run_free(glia_run *r);
/* Trains to the last epoch; after each writes checkpoint and log, at the end model, plots,
 * report. */
GLIA_NODISCARD GLIA_API glia_status
glia_run_fit(glia_run *r, bool (*on_event)(const glia_progress *p, void *user), void *user);
GLIA_API const glia_train_opts *glia_run_opts(const glia_run *r); /* borrowed */
GLIA_API const glia_history *glia_run_history(const glia_run *r); /* borrowed */
GLIA_API glia_learner *glia_run_learner(glia_run *r);             /* borrowed */
GLIA_API int glia_run_classes(const glia_run *r);                 /* 0: regression */
GLIA_API const char *glia_run_class(const glia_run *r, int c);    /* borrowed */
/* Layers of the network for a batch of one. Owned: glia_summary_clear. */
GLIA_NODISCARD GLIA_API glia_status glia_run_summary(glia_run *r, glia_summary *out);
/* What a training takes, as planned: known before the first step. The program with its
 * libraries comes on top. */
typedef struct glia_memory {
  size_t store;   /* parameters, buffers and the optimiser's state */
  size_t step;    /* values of the largest step and its kernels' scratch */
  size_t batches; /* read ahead, to train on and to validate with */
  size_t data;    /* the data sets, where they lie in memory */
} glia_memory;
GLIA_NODISCARD GLIA_API glia_status glia_run_memory(glia_run *r, glia_memory *out);
/* Data of the run; NULL where they are not open. Borrowed. */
GLIA_API const glia_dataset *glia_run_train_data(const glia_run *r);
GLIA_API const glia_dataset *glia_run_valid_data(const glia_run *r);
/* Samples that could not be read so far; message i (borrowed; NULL past the last kept). */
GLIA_API int64_t glia_run_skipped(const glia_run *r);
GLIA_API const char *glia_run_skipped_message(const glia_run *r, int64_t i);
/* Measures the model on the run's own test (if there are none: validation) data, or on `data`
 * (a path). Owned. */
GLIA_NODISCARD GLIA_API glia_status glia_run_evaluate(glia_run *r, const char *data,
                                                      glia_result *out);

/* Writes the model of a run that was opened for use as one file, with all that is needed to use
 * it: parameters as dtype (GLIA_F32, GLIA_F16, GLIA_BF16), running means and the like as f32.
 * Files load back to f32. GLIA_MODEL names a parameter that f16 cannot hold; GLIA_INVALID for
 * other dtypes and for a run in training. */
GLIA_NODISCARD GLIA_API glia_status glia_run_export(glia_run *r, const char *path,
                                                    glia_dtype dtype);
/* The same tensors as arrays of a NumPy .npz file, under their names, and nothing else:
 * parameters as GLIA_F32 or GLIA_F16. */
GLIA_NODISCARD GLIA_API glia_status glia_run_export_npz(glia_run *r, const char *path,
                                                        glia_dtype dtype);
/* The same model with the weights of convolutions and dense layers as 8-bit whole numbers, a
 * scale for each row, and a scale for what each layer reads, as large as it gets on up to 512
 * samples of `data` (a path; NULL: the training part of the run's own). Whoever opens the file
 * computes these products in 8 bits. A layer that read zeros alone stays f32. A model that is
 * in 8 bits already is calibrated anew. GLIA_MODEL if there are no such layers, or if what one
 * reads is not finite; GLIA_DATA if there are fewer than 32 samples; GLIA_INVALID for a model
 * file alone without `data`, and for a run in training. */
GLIA_NODISCARD GLIA_API glia_status glia_run_export_int8(glia_run *r, const char *path,
                                                         const char *data);

/* The same as an ONNX model (opset 17) of what a prediction computes, up to the result in front
 * of the loss: input "x" [batch, ...], normalised as its metadata say (preprocessing, classes),
 * output "result". path NULL: nothing is written, and what could not be is told all the same.
 * GLIA_UNSUPPORTED names every layer and op that ONNX cannot hold; GLIA_INVALID for a run in
 * training. */
GLIA_NODISCARD GLIA_API glia_status glia_run_export_onnx(glia_run *r, const char *path);

typedef struct glia_prediction {
  int label;        /* class index */
  const char *name; /* of the class; borrowed from the run */
  double probability;
  int n;                /* classes, or numbers of a regression */
  const double *values; /* [n] probabilities or numbers; borrowed until the next prediction */
} glia_prediction;
/* Reads a picture, converts it as the training data were and predicts. GLIA_IO, GLIA_FORMAT
 * name the file. */
GLIA_NODISCARD GLIA_API glia_status glia_run_predict(glia_run *r, const char *file,
                                                     glia_prediction *out);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_TRAIN_H */
