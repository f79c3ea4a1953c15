/* report.c - report.html, part by part; see report.h. */
#include "train/report.h"

#include <math.h>

enum { ROWS_SHOWN = 15, WARNINGS_SHOWN = 5, SMALL = 100 };

/* ---- small things ----------------------------------------------------------------------- */

void gi_report_number(gi_str *out, double v) {
  if (isnan(v))
    gi_str_puts(out, "–");
  else if (isinf(v))
    gi_str_puts(out, v > 0 ? "∞" : "−∞");
  else if (v == floor(v) && fabs(v) < 1e6)
    gi_str_printf(out, "%.0f", v);
  else if (fabs(v) >= 1e5 || fabs(v) < 1e-4)
    gi_str_printf(out, "%.3g", v);
  else
    gi_str_printf(out, fabs(v) >= 100 ? "%.1f" : fabs(v) >= 10 ? "%.2f" : "%.4f", v);
}

void gi_report_score(gi_str *out, double v) {
  if (v >= 0 && v <= 1)
    gi_str_printf(out, "%.4f", v);
  else
    gi_report_number(out, v);
}

void gi_report_count(gi_str *out, int64_t v) {
  char digits[32];
  snprintf(digits, sizeof digits, "%lld", (long long)v);
  const size_t n = strlen(digits);
  for (size_t i = 0; i < n; i++) {
    if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-' && n > 4)
      gi_str_puts(out, "\u202f"); /* narrow no-break space */
    gi_str_add(out, digits + i, 1);
  }
}

/* 1.23 G, 456 k: flops */
static void large(gi_str *out, double v) {
  static const char *const units[] = {"", " k", " M", " G", " T", " P"};
  int u = 0;
  for (; v >= 1000 && u + 1 < GI_COUNT(units); u++) v /= 1000;
  gi_str_printf(out,
                u == 0 || v >= 100 ? "%.0f%s"
                : v >= 10          ? "%.1f%s"
                                   : "%.2f%s",
                v, units[u]);
}

static void duration(gi_str *out, double seconds) {
  if (!(seconds >= 0 && seconds < 1e9))
    gi_report_number(out, seconds);
  else if (seconds < 60)
    gi_str_printf(out, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
  else if (seconds < 3600)
    gi_str_printf(out, "%d min %02d s", (int)seconds / 60, (int)seconds % 60);
  else
    gi_str_printf(out, "%d h %02d min", (int)seconds / 3600, (int)seconds % 3600 / 60);
}

static void tile_begin(gi_str *out) { gi_str_puts(out, "<div class=\"tile\"><b>"); }

static void tile_end(gi_str *out, const char *label) {
  gi_str_puts(out, "</b><span>");
  gi_markup(out, label);
  gi_str_puts(out, "</span></div>\n");
}

glia_status gi_report_plot(gi_str *out, gi_picture *p) {
  /* a wide matrix scrolls at its own size rather than becoming too small to read */
  const bool wide = gi_picture_width(p) > 480;
  gi_str_printf(out, "<figure%s><div style=\"width:%dpx;%s\">", wide ? " class=\"wide\"" : "",
                (int)ceil(gi_picture_width(p)), wide ? "" : "max-width:100%");
  const glia_status s = gi_picture_svg(p, true, out);
  gi_str_puts(out, "</div></figure>\n");
  gi_picture_free(p);
  return s;
}

/* ---- head ------------------------------------------------------------------------------- */

static void colors(gi_str *out, bool dark) {
  for (int i = 0; i < GI_ROLES; i++)
    gi_str_printf(out, "--gi-%s:#%06x;", gi_role_table[i].name,
                  dark ? gi_role_table[i].dark : gi_role_table[i].light);
  gi_str_puts(out, dark ? "--gi-soft:#20252e" : "--gi-soft:#f4f5f7");
}

static void head(const gi_report *r, gi_str *out) {
  gi_str_puts(out,
              "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
              "style-src 'unsafe-inline'; img-src data:\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
              "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
  gi_markup(out, r->title);
  gi_str_puts(out, "</title>\n<style>:root{color-scheme:light dark;");
  colors(out, false);
  gi_str_puts(out, "}@media (prefers-color-scheme:dark){:root{");
  colors(out, true);
  gi_str_puts(out, "}}");
  gi_str_puts(out, gi_report_style);
  gi_str_puts(out, "</style>\n</head>\n<body>\n<h1>");
  gi_markup(out, r->title);
  gi_str_puts(out, "</h1>\n");
  if (r->summary != NULL) {
    gi_str_puts(out, "<p class=\"muted\">");
    gi_markup(out, r->summary);
    gi_str_puts(out, "</p>\n");
  }
  if (r->command != NULL) {
    gi_str_puts(out, "<pre>");
    gi_markup(out, r->command);
    gi_str_puts(out, "</pre>\n");
  }
}

static void metric_tile(const gi_report *r, const char *name, gi_str *out) {
  double v;
  if (glia_evaluation_value(r->evaluation, name, &v) != GLIA_OK) return;
  tile_begin(out);
  if (strcmp(name, "accuracy") == 0 && v >= 0)
    gi_str_printf(out, "%.2f %%", 100 * v);
  else
    gi_report_score(out, v);
  tile_end(out, name);
}

static void tiles(const gi_report *r, gi_str *out) {
  gi_str_puts(out, "<div class=\"tiles\">\n");
  if (r->evaluation != NULL && glia_evaluation_count(r->evaluation) > 0) {
    static const char *const shown[] = {"accuracy", "f1_macro", "log_loss", "r2",
                                        "mean_absolute_error"};
    for (int i = 0; i < GI_COUNT(shown); i++) metric_tile(r, shown[i], out);
  }
  if (r->model != NULL) {
    tile_begin(out);
    gi_report_count(out, r->model->parameters);
    tile_end(out, "parameters");
  }
  const int64_t rows = r->log != NULL ? gi_log_csv_rows(r->log) : 0;
  if (rows > 0) {
    tile_begin(out);
    gi_report_count(out, (int64_t)gi_log_csv_at(r->log, rows - 1, 0));
    tile_end(out, "epochs");
    const int time = gi_log_csv_find(r->log, "time");
    double seconds = 0;
    for (int64_t i = 0; i < rows; i++) seconds += gi_log_csv_at(r->log, i, time);
    if (time >= 0 && !isnan(seconds)) {
      tile_begin(out);
      duration(out, seconds);
      tile_end(out, "training");
    }
  }
  gi_str_puts(out, "</div>\n");
}

static void warnings(const gi_report *r, gi_str *out) {
  if (r->n_warnings == 0) return;
  gi_str_puts(out, "<div class=\"warn\"><strong>");
  const int64_t all = r->n_warnings + r->more_warnings;
  gi_report_count(out, all);
  gi_str_puts(out, all == 1 ? " warning</strong>\n<ul>" : " warnings</strong>\n<ul>");
  for (int i = 0; i < r->n_warnings; i++) {
    if (i == WARNINGS_SHOWN && r->n_warnings > WARNINGS_SHOWN)
      gi_str_puts(out, "</ul><details><summary>More</summary><ul>");
    gi_str_puts(out, "<li>");
    gi_markup(out, r->warnings[i]);
    gi_str_puts(out, "</li>\n");
  }
  if (r->more_warnings > 0) {
    gi_str_puts(out, "<li>and ");
    gi_report_count(out, r->more_warnings);
    gi_str_puts(out, " more</li>");
  }
  gi_str_puts(out,
              r->n_warnings > WARNINGS_SHOWN ? "</ul></details></div>\n" : "</ul></div>\n");
}

/* ---- training --------------------------------------------------------------------------- */

static bool has_numbers(const gi_log_csv *log, int column) {
  for (int64_t i = 0; i < gi_log_csv_rows(log); i++)
    if (isfinite(gi_log_csv_at(log, i, column))) return true;
  return false;
}

static bool ends_in(const char *name, const char *end) {
  const size_t n = strlen(name), k = strlen(end);
  return n >= k && strcmp(name + n - k, end) == 0;
}

typedef enum chart_kind { LOSSES, METRICS, OTHERS } chart_kind;

/* Losses go into one chart, what lies within 0 and 1 into another, the rest is not drawn. */
static chart_kind kind_of(const gi_log_csv *log, int column) {
  const char *name = gi_log_csv_name(log, column);
  if (column == 0 || strcmp(name, "time") == 0 || strcmp(name, "lr") == 0) return OTHERS;
  if (ends_in(name, "loss")) return LOSSES;
  for (int64_t i = 0; i < gi_log_csv_rows(log); i++) {
    const double v = gi_log_csv_at(log, i, column);
    if (isfinite(v) && (v < 0 || v > 1)) return OTHERS;
  }
  return METRICS;
}

static glia_status curves_of(const gi_report *r, chart_kind kind, const char *title,
                             gi_str *out) {
  gi_series series[GI_SERIES_COLORS];
  double *columns[1 + GI_SERIES_COLORS] = {gi_log_csv_column(r->log, 0)};
  glia_status s = columns[0] != NULL ? GLIA_OK : gi_fail_nomem(0);
  int n = 0;
  for (int c = 1; c < gi_log_csv_columns(r->log) && n < GI_SERIES_COLORS && s == GLIA_OK; c++) {
    if (kind_of(r->log, c) != kind || !has_numbers(r->log, c)) continue;
    columns[1 + n] = gi_log_csv_column(r->log, c);
    if (columns[1 + n] == NULL)
      s = gi_fail_nomem(0);
    else
      series[n] = (gi_series){.name = gi_log_csv_name(r->log, c),
                              .x = columns[0],
                              .y = columns[1 + n],
                              .n = gi_log_csv_rows(r->log)};
    n += s == GLIA_OK;
  }
  const gi_mark best = {(double)r->best_epoch, "best"};
  gi_picture *p;
  if (s == GLIA_OK && n > 0) {
    s = gi_plot_lines(&(gi_line_chart){.title = title,
                                       .x_label = "epoch",
                                       .series = series,
                                       .n = n,
                                       .marks = &best,
                                       .n_marks = r->best_epoch > 0,
                                       .whole_x = true,
                                       .width = 440,
                                       .height = 290},
                      &p);
    if (s == GLIA_OK) s = gi_report_plot(out, p);
  }
  for (int i = 0; i < GI_COUNT(columns); i++) gi_free(columns[i]);
  return s;
}

static void epoch_row(const gi_report *r, int64_t row, gi_str *out) {
  const bool best = (int64_t)gi_log_csv_at(r->log, row, 0) == r->best_epoch;
  gi_str_puts(out, best ? "<tr class=\"best\">" : "<tr>");
  for (int c = 0; c < gi_log_csv_columns(r->log); c++) {
    const double v = gi_log_csv_at(r->log, row, c);
    gi_str_puts(out, "<td>");
    const char *name = gi_log_csv_name(r->log, c);
    if (strcmp(name, "time") == 0)
      duration(out, v);
    else if (strcmp(name, "lr") == 0)
      gi_str_printf(out, "%.3g", v);
    else
      gi_report_number(out, v);
    gi_str_puts(out, "</td>");
  }
  gi_str_puts(out, "</tr>\n");
}

static void epochs(const gi_report *r, gi_str *out) {
  const int64_t rows = gi_log_csv_rows(r->log);
  const bool fold = rows > ROWS_SHOWN;
  if (fold)
    gi_str_printf(out, "<details><summary>All %lld epochs</summary>\n", (long long)rows);
  gi_str_puts(out, "<div class=\"scroll\"><table><tr>");
  for (int c = 0; c < gi_log_csv_columns(r->log); c++) {
    gi_str_puts(out, "<th>");
    gi_markup(out, gi_log_csv_name(r->log, c));
    gi_str_puts(out, "</th>");
  }
  gi_str_puts(out, "</tr>\n");
  for (int64_t i = 0; i < rows; i++) epoch_row(r, i, out);
  gi_str_puts(out, fold ? "</table></div></details>\n" : "</table></div>\n");
}

static glia_status training(const gi_report *r, gi_str *out) {
  if (r->log == NULL || gi_log_csv_rows(r->log) == 0) return GLIA_OK;
  gi_str_puts(out, "<h2>Training</h2>\n<div class=\"plots\">\n");
  GI_TRY(curves_of(r, LOSSES, "Loss", out));
  GI_TRY(curves_of(r, METRICS, "Metrics", out));
  gi_str_puts(out, "</div>\n");
  epochs(r, out);
  return GLIA_OK;
}

/* ---- model ------------------------------------------------------------------------------ */

static void model(const gi_report *r, gi_str *out) {
  const glia_summary *m = r->model;
  if (m == NULL || m->n == 0) return;
  gi_str_puts(out,
              "<h2>Model</h2>\n<div class=\"scroll\"><table><tr><th class=\"l\">layer</th>"
              "<th class=\"l\">op</th><th class=\"l\">output</th><th>parameters</th>"
              "<th>flops</th></tr>\n");
  for (int i = 0; i < m->n; i++) {
    const glia_summary_row *row = &m->rows[i];
    gi_str_puts(out, "<tr><td class=\"l\">");
    gi_markup(out, row->layer);
    gi_str_puts(out, "</td><td class=\"l\">");
    gi_markup(out, row->op);
    gi_str_puts(out, "</td><td class=\"l\">");
    for (int k = 0; k < row->rank; k++)
      gi_str_printf(out, "%s%lld", k > 0 ? " × " : "", (long long)row->shape[k]);
    gi_str_puts(out, "</td><td>");
    gi_report_count(out, row->parameters);
    gi_str_puts(out, "</td><td>");
    large(out, row->flops);
    gi_str_puts(out, "</td></tr>\n");
  }
  gi_str_puts(out, "<tr class=\"sum\"><td class=\"l\">total</td><td></td><td></td><td>");
  gi_report_count(out, m->parameters);
  gi_str_puts(out, "</td><td>");
  large(out, m->flops);
  gi_str_puts(out, "</td></tr>\n</table></div>\n");
}

/* ---- examples --------------------------------------------------------------------------- */

static glia_status picture(const gi_image *im, const char *name, gi_str *out) {
  gi_str png = {0};
  const glia_status s = gi_png_encode(im, "report", &png);
  if (s == GLIA_OK) {
    const bool small = im->width < SMALL && im->height < SMALL;
    gi_str_printf(out, "<img%s alt=\"", small ? " class=\"small\"" : "");
    gi_markup(out, name != NULL ? name : "sample");
    gi_str_puts(out, "\" src=\"data:image/png;base64,");
    gi_base64(out, png.s, png.n);
    gi_str_puts(out, "\">\n");
  }
  gi_str_free(&png);
  return s;
}

static void guesses(const gi_report_example *e, gi_str *out) {
  for (int i = 0; i < e->n && i < GI_REPORT_GUESSES; i++) {
    const double p = fmin(fmax(e->probabilities[i], 0), 1);
    gi_str_puts(out, "<div class=\"guess\"><span>");
    gi_markup(out, e->labels[i]);
    gi_str_printf(out,
                  "</span><span class=\"bar\"><i style=\"width:%d%%\"></i></span>"
                  "<span>%.1f %%</span></div>\n",
                  (int)lround(100 * p), 100 * p);
  }
}

static glia_status card(const gi_report_example *e, gi_str *out) {
  gi_str_puts(out, e->wrong ? "<div class=\"card wrong\">\n" : "<div class=\"card\">\n");
  if (e->image != NULL) GI_TRY(picture(e->image, e->name, out));
  gi_str_puts(out, "<b>");
  gi_markup(out, e->guess != NULL ? e->guess : "");
  gi_str_puts(out, "</b>\n");
  if (e->truth != NULL && !e->wrong) gi_str_puts(out, "<div class=\"muted\">right</div>\n");
  if (e->truth != NULL && e->wrong) {
    gi_str_puts(out, "<div class=\"is\">is ");
    gi_markup(out, e->truth);
    gi_str_puts(out, "</div>\n");
  }
  guesses(e, out);
  if (e->name != NULL) {
    gi_str_puts(out, "<div class=\"file\" title=\"");
    gi_markup(out, e->name);
    gi_str_puts(out, "\">");
    gi_markup(out, gi_path_name(e->name));
    gi_str_puts(out, "</div>\n");
  }
  gi_str_puts(out, "</div>\n");
  return GLIA_OK;
}

static glia_status cards(const char *title, const char *text, const gi_report_example *list,
                         int n, gi_str *out) {
  if (n == 0) return GLIA_OK;
  gi_str_printf(out, "<h2>%s</h2>\n<p class=\"muted\">%s</p>\n<div class=\"cards\">\n", title,
                text);
  for (int i = 0; i < n; i++) GI_TRY(card(&list[i], out));
  gi_str_puts(out, "</div>\n");
  return GLIA_OK;
}

/* ---- the rest --------------------------------------------------------------------------- */

static glia_status plots(const gi_report *r, gi_str *out) {
  if (r->n_plots == 0) return GLIA_OK;
  gi_str_puts(out, "<h2>Plots</h2>\n");
  for (int i = 0; i < r->n_plots; i++) {
    gi_str_puts(out, "<figure>");
    GI_TRY(gi_picture_svg(r->plots[i], true, out));
    gi_str_puts(out, "</figure>\n");
  }
  return GLIA_OK;
}

static void facts(const gi_report *r, gi_str *out) {
  if (r->n_facts == 0) return;
  gi_str_puts(out, "<h2>Settings</h2>\n<div class=\"scroll\"><table>\n");
  for (int i = 0; i < r->n_facts; i++) {
    gi_str_puts(out, "<tr><th class=\"l\">");
    gi_markup(out, r->facts[i].name);
    gi_str_puts(out, "</th><td class=\"l wrap\">");
    gi_markup(out, r->facts[i].value != NULL ? r->facts[i].value : "–");
    gi_str_puts(out, "</td></tr>\n");
  }
  gi_str_puts(out, "</table></div>\n");
}

glia_status gi_report_html(const gi_report *r, gi_str *out) {
  head(r, out);
  tiles(r, out);
  warnings(r, out);
  GI_TRY(training(r, out));
  GI_TRY(gi_report_evaluation(r, out));
  GI_TRY(cards("Predictions", "Some samples with the model's most likely classes.", r->examples,
               r->n_examples, out));
  GI_TRY(cards("Worst mistakes", "Wrong, and the most sure of it.", r->mistakes, r->n_mistakes,
               out));
  GI_TRY(plots(r, out));
  model(r, out);
  facts(r, out);
  gi_str_printf(out, "<footer>Made by glia %s.</footer>\n</body>\n</html>\n", glia_version());
  return out->failed ? gi_fail_nomem(out->n) : GLIA_OK;
}

glia_status gi_report_write(const gi_report *r, const char *path) {
  gi_str out = {0};
  glia_status s = gi_report_html(r, &out);
  if (s == GLIA_OK) s = gi_write_file(path, out.s, out.n);
  gi_str_free(&out);
  return s;
}
