/* train/utf8.h - text of unknown origin (class and file names) in plots, reports and terminals.
 *
 * Names come from folders and files, so that any bytes may turn up. What is not UTF-8 is shown
 * as U+FFFD, control characters as a blank; both cannot do harm in a terminal, SVG or HTML
 * then.
 */
#ifndef GI_UTF8_H
#define GI_UTF8_H

#include "base/base.h"

/* The character at *s, moving *s behind it; U+FFFD for each byte that is no UTF-8; U+0020 for
 * control and bidirectional formatting characters; 0 at the end, where *s stays. */
uint32_t gi_utf8_next(const char **s);
/* Adds the character. */
void gi_utf8_put(gi_str *out, uint32_t c);

/* Columns that a terminal takes for it: 0 for combining marks, 2 for wide East Asian characters
 * and emoji, else 1. */
int gi_utf8_columns_of(uint32_t c);
int gi_utf8_columns(const char *s);
/* Adds s, cut with "…" to at most `columns`, cleaned, and padded with blanks to exactly that if
 * pad is not 0: behind it for pad > 0, before it for pad < 0. */
void gi_utf8_fit(gi_str *out, const char *s, int columns, int pad);

/* Adds s, cleaned, as text or attribute value of SVG and HTML: & < > " ' are escaped. */
void gi_markup(gi_str *out, const char *s);

#endif /* GI_UTF8_H */
