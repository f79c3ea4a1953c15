/* cli/progress.h - what is going on, on stderr.
 *
 * On a terminal: one bar in the last line, redrawn at most ten times a second; notes are
 * written above it. Elsewhere (a file, a pipe): a plain line every ten seconds. There is one
 * stderr, so there is one bar: the functions keep its state themselves and lock it, since notes
 * of the library come from any thread.
 */
#ifndef GI_PROGRESS_H
#define GI_PROGRESS_H

#include "cli/cli.h"

/* Starts a bar of `total` units (samples, files; 0: not known), behind which `later` more will
 * come with other bars: the time left is that of all. Nothing is shown with --quiet. title
 * ("epoch 3/12") and unit ("samples") are copied. */
void gi_progress_begin(const gi_cli *c, const char *title, const char *unit, int64_t total,
                       int64_t later);
/* `done` units are finished; the text ("loss 0.1234") stands behind the bar. */
void gi_progress_set(int64_t done, const char *fmt, ...) GLIA_PRINTF(2, 3);
/* Takes the bar away. Without a bar, nothing. */
void gi_progress_end(void);

/* Writes one line to stderr, above the bar if one is up. Safe from any thread. */
void gi_progress_line(const char *line);

/* What the terminal of a stream can do. */
bool gi_screen_is_live(int fd);   /* lines can be redrawn: a terminal that is not "dumb" */
bool gi_screen_has_color(int fd); /* live, and NO_COLOR is not set */
bool gi_screen_has_utf8(void);    /* the locale says so */
int gi_screen_width(int fd);      /* columns; 80 where not known */

#endif /* GI_PROGRESS_H */
