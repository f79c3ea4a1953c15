/* cli/progress.c - the progress bar, plain progress lines, and what a terminal can do. */
#include "cli/progress.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.1
#define PLAIN_SECONDS  10.0
enum { BAR_MIN = 8, BAR_MAX = 40 };

/* Guarded by the lock of stderr (flockfile), which also keeps lines whole. */
static struct {
  bool up;    /* between begin and end, and not --quiet */
  bool live;  /* redrawn in place; false: plain lines */
  bool drawn; /* the terminal's last line holds the bar */
  char title[48], unit[16], text[96];
  int64_t done, total, later; /* in units */
  double start, last;         /* seconds: of begin, of the latest drawing */
} bar;

/* ---- terminals --------------------------------------------------------------------------- */

bool gi_screen_is_live(int fd) {
  const char *term = getenv("TERM");
  return isatty(fd) && term != NULL && strcmp(term, "dumb") != 0;
}

bool gi_screen_has_color(int fd) {
  const char *no = getenv("NO_COLOR");
  return gi_screen_is_live(fd) && (no == NULL || *no == '\0');
}

bool gi_screen_has_utf8(void) {
  static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  for (int i = 0; i < GI_COUNT(names); i++) {
    const char *value = getenv(names[i]);
    if (value == NULL || *value == '\0') continue; /* the first that is set counts */
    return strstr(value, "UTF-8") != NULL || strstr(value, "utf8") != NULL;
  }
  return false;
}

int gi_screen_width(int fd) {
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

/* ---- drawing ----------------------------------------------------------------------------- */

/* "1:05 left", "2:03:10 left" into out. */
static void time_left(char *out, size_t n, double seconds) {
  if (!(seconds >= 0 && seconds < 1e8)) seconds = 0;
  const long s = (long)(seconds + 0.5);
  if (s >= 3600)
    snprintf(out, n, "%ld:%02ld:%02ld left", s / 3600, s / 60 % 60, s % 60);
  else
    snprintf(out, n, "%ld:%02ld left", s / 60, s % 60);
}

/* "loss 0.1234  5210 samples/s  0:12 left" into out. */
static void describe(char *out, size_t n, double now) {
  const double seconds = now - bar.start;
  const double rate = seconds > 0 ? (double)bar.done / seconds : 0;
  char left[40] = "";
  if (bar.total > 0 && rate > 0)
    time_left(left, sizeof left, (double)(bar.total - bar.done + bar.later) / rate);
  snprintf(out, n, "%s%s%.*f %s/s%s%s", bar.text, bar.text[0] != '\0' ? "  " : "",
           rate < 10 ? 1 : 0, rate, bar.unit, left[0] != '\0' ? "  " : "", left);
}

static void draw_cells(int width, double share) {
  const bool utf8 = gi_screen_has_utf8(), color = gi_screen_has_color(STDERR_FILENO);
  const int full = (int)(share * width + 0.5);
  if (color) fputs("\033[32m", stderr);
  for (int i = 0; i < full; i++) fputs(utf8 ? "\u2501" : "=", stderr);
  if (color) fputs("\033[90m", stderr);
  for (int i = full; i < width; i++) fputs(utf8 && color ? "\u2501" : utf8 ? " " : ".", stderr);
  if (color) fputs("\033[0m", stderr);
}

static void draw(double now) {
  char text[200];
  describe(text, sizeof text, now);
  bar.last = now;
  const double share = bar.total > 0 ? GI_MIN((double)bar.done / (double)bar.total, 1.0) : 0;
  if (!bar.live) {
    fprintf(stderr, "%s: %.0f%%  %s\n", bar.title, 100 * share, text);
    return;
  }
  /* title, blank, bar, blank, "100%", two blanks, text: never as wide as the terminal, which
   * would wrap and leave a trail of half bars. */
  const int room = gi_screen_width(STDERR_FILENO) - 1 - 8 - (int)strlen(bar.title);
  const int cells = GI_MIN(room - (int)strlen(text), (int)BAR_MAX);
  fprintf(stderr, "\r\033[K%s ", bar.title);
  if (cells >= BAR_MIN) draw_cells(cells, share);
  fprintf(stderr, " %3.0f%%  %.*s", 100 * share, GI_MAX(room, 0), text);
  fflush(stderr);
  bar.drawn = true;
}

static void clear(void) {
  if (bar.drawn) fputs("\r\033[K", stderr);
  bar.drawn = false;
}

/* ---- the interface ----------------------------------------------------------------------- */

void gi_progress_begin(const gi_cli *c, const char *title, const char *unit, int64_t total,
                       int64_t later) {
  flockfile(stderr);
  clear();
  bar.up = !c->quiet;
  bar.live = gi_screen_is_live(STDERR_FILENO);
  snprintf(bar.title, sizeof bar.title, "%s", title);
  snprintf(bar.unit, sizeof bar.unit, "%s", unit);
  bar.text[0] = '\0';
  bar.done = 0;
  bar.total = total;
  bar.later = later;
  bar.start = bar.last = gi_now();
  funlockfile(stderr);
}

void gi_progress_set(int64_t done, const char *fmt, ...) {
  flockfile(stderr);
  if (bar.up) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(bar.text, sizeof bar.text, fmt, args);
    va_end(args);
    bar.done = done;
    const double now = gi_now();
    if (now - bar.last >= (bar.live ? REDRAW_SECONDS : PLAIN_SECONDS)) draw(now);
  }
  funlockfile(stderr);
}

void gi_progress_end(void) {
  flockfile(stderr);
  clear();
  bar.up = false;
  funlockfile(stderr);
}

void gi_progress_line(const char *line) {
  flockfile(stderr);
  const bool again = bar.drawn;
  clear();
  fprintf(stderr, "%s\n", line);
  if (again) draw(gi_now());
  funlockfile(stderr);
}
