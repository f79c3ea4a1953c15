/* train/run.h - the inside of a run: the folder that keeps one training.
 *
 *     run.json                 settings, written before the first step
 *     kernels.json             which kernels each plan computes with, before its first step
 *     checkpoint.safetensors   after each epoch: parameters, buffers, optimiser state, history
 *     best.safetensors         the best epoch's parameters and buffers, where patience is set
 *     log.csv                  one row an epoch
 *     events.out.tfevents.*    the same for TensorBoard, with histograms of the parameters
 *     model.safetensors        the result, with all that is needed to use it
 *     *.png, report.html       at the end
 */
#ifndef GI_RUN_H
#define GI_RUN_H

#include "base/json.h"
#include "glia/formats.h"
#include "train/learner.h"
#include "train/log_csv.h"

/* What a model file says beside its tensors: enough to use the model on raw files. */
typedef struct gi_model_info {
  const char *net;          /* text of the network */
  const char *loss;         /* text of the loss; NULL: by the targets */
  glia_sample_spec spec;    /* of the stored samples */
  glia_normalise normalise; /* owned */
  char **classes;           /* [spec.classes], owned */
} gi_model_info;

struct glia_run {
  gi_arena arena; /* strings of the settings */
  glia_train_opts o;
  const char *model_path; /* of a run opened for use: the file with its weights; else NULL */
  gi_model_info info;
  glia_net *net;
  glia_learner *learner;
  glia_schedule schedule;                /* of the settings' text */
  glia_dataset *train, *test;            /* as opened; test may be NULL */
  glia_dataset *train_part, *valid_part; /* of train */
  glia_loader *train_loader, *valid_loader;
  glia_history history;
  glia_events *events; /* NULL before the first epoch that is trained */
  glia_status failed;  /* of saving inside a callback, with its message */
  char *failure;
  bool (*on_event)(const glia_progress *p, void *user);
  void *user;
  glia_tensor *input, *probabilities; /* of the last prediction */
  double *values;
};

/* ---- settings (run_settings.c) ---- */
glia_status gi_settings_write(const glia_run *r);
/* Reads dir/run.json into r->o (strings in r->arena) and the network's text. */
glia_status gi_settings_read(glia_run *r, const char *dir, const char **net);
glia_status gi_settings_check(const glia_train_opts *o);
/* The loss of a text (NULL: by the targets) with this label smoothing. */
glia_status gi_settings_loss(const char *text, double label_smoothing, glia_loss *out);
char *gi_run_file(const glia_run *r, const char *name); /* owned path in the folder */

/* ---- model files (model_file.c) ---- */
/* The info as the metadata text "glia" of a model file. Owned (gi_free). */
char *gi_info_text(const gi_model_info *info, const glia_history *h, int64_t steps,
                   uint64_t seed);
glia_status gi_info_parse(gi_arena *a, const char *text, const char *what, gi_model_info *out,
                          glia_history *history, int64_t *steps);
void gi_info_clear(gi_model_info *info);
glia_status gi_read_info(gi_arena *a, const char *path, gi_model_info *out,
                         glia_history *history, int64_t *steps);

/* ---- exporting (run_export.c, run_int8.c) ---- */
/* GLIA_INVALID if the run was not opened for use. */
glia_status gi_export_check(const glia_run *r);
/* A tensor as another dtype; GLIA_MODEL if an element becomes infinite. */
glia_status gi_export_copy(glia_store *to, const char *name, glia_store_kind kind,
                           const glia_tensor *t, glia_dtype dtype);
glia_status gi_export_write(const glia_run *r, const glia_store *tensors, const char *path);
/* Data for the model: the training part of the run's own, or all of `data` (a path). Borrowed
 * until the next call or the run is freed. */
glia_status gi_run_samples(glia_run *r, const char *data, const glia_dataset **out);

/* Text of a network that suits the data: a small convolutional one for pictures, a multi-layer
 * perceptron for rows of numbers. Owned (gi_free). */
char *gi_default_net(const glia_sample_spec *spec);

/* The history as a table, for log.csv and the report. Owned. */
glia_status gi_run_log(const glia_run *r, gi_log_csv **out);
/* The last row of the log, and the parameters, to the run's TensorBoard file. */
glia_status gi_run_events(glia_run *r, const gi_log_csv *log);
/* A PNG file of the run to it; nothing to do where no epoch was trained. */
glia_status gi_run_event_picture(const glia_run *r, const char *name, const char *path);
/* Curves, confusion matrix and examples as PNG, and report.html, at the end of a fit. */
glia_status gi_run_report(glia_run *r);

#endif /* GI_RUN_H */
