/* base/text.c - the nearest name to a misspelt one, numbers from text, UTF-8, hashing. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/base.h"

/* ---- nearest name ---------------------------------------------------------------------- */

enum { WORD_MAX = 63 }; /* longer words have no nearest name */

/* Insertions, deletions, substitutions and swaps of neighbours that turn a into b (the optimal
 * string alignment distance), by rows: row[0] is the newest of the three that are needed. */
static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb) {
  size_t rows[3][WORD_MAX + 1];
  size_t *row = rows[0], *last = rows[1], *before = rows[2];
  for (size_t j = 0; j <= nb; j++) row[j] = j;
  for (size_t i = 1; i <= na; i++) {
    size_t *free_row = before;
    before = last;
    last = row;
    row = free_row;
    row[0] = i;
    for (size_t j = 1; j <= nb; j++) {
      const size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
      row[j] = GI_MIN(change, GI_MIN(last[j], row[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = GI_MIN(row[j], before[j - 2] + 1);
    }
  }
  return row[nb];
}

int gi_nearest(const char *word, const char *const *names, int n) {
  const size_t length = strlen(word);
  if (length > WORD_MAX) return -1;
  size_t best = length / 3 + 2;
  int found = -1;
  for (int i = 0; i < n; i++) {
    const size_t other = strlen(names[i]);
    if (other > WORD_MAX) continue;
    const size_t d = edit_distance(word, length, names[i], other);
    /* A name that shares no letter is no suggestion, however short it is. */
    if (d < best && (d == 0 || d < GI_MAX(length, other))) {
      best = d;
      found = i;
    }
  }
  return found;
}

/* ---- numbers --------------------------------------------------------------------------- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool gi_parse_i64(const char *s, int64_t *out) {
  const char *first = s + (*s == '-' || *s == '+');
  if (!is_digit(*first)) return false;
  char *end = NULL;
  errno = 0;
  const long long v = strtoll(s, &end, 10);
  if (errno != 0 || *end != '\0') return false;
  *out = v;
  return true;
}

/* Numbers in files have a point, whatever the user's language writes. */
static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static void make_c_locale(void) { c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

bool gi_parse_f64(const char *s, double *out) {
  const char *first = s + (*s == '-' || *s == '+');
  if (!is_digit(*first) && !(*first == '.' && is_digit(first[1]))) return false;
  if (s[strspn(s, "0123456789+-.eE")] != '\0') return false; /* no hexadecimal, no nan(...) */
  pthread_once(&c_locale_once, make_c_locale);
  char *end = NULL;
  const double v = c_locale != (locale_t)0 ? strtod_l(s, &end, c_locale) : strtod(s, &end);
  if (*end != '\0' || !isfinite(v)) return false;
  *out = v;
  return true;
}

bool gi_parse_bytes(const char *s, int64_t *out) {
  static const char units[] = "KMGT";
  char number[32];
  double v = 0, unit = 1;
  size_t n = strlen(s);
  const char *u = n > 0 ? strchr(units, s[n - 1]) : NULL;
  for (; u != NULL && unit < 1e12; u--) {
    unit *= 1000;
    if (u == units) break;
  }
  n -= u != NULL;
  if (n == 0 || n >= sizeof number) return false;
  memcpy(number, s, n);
  number[n] = '\0';
  if (!gi_parse_f64(number, &v) || !(v >= 0 && v * unit < 9e18)) return false;
  *out = (int64_t)(v * unit);
  return true;
}

/* ---- UTF-8 ----------------------------------------------------------------------------- */

size_t gi_utf8_length(const char *text) {
  static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
  const unsigned char *s = (const unsigned char *)text;
  if (s[0] < 0x80) return 1;
  const size_t n = s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
  if (n == 0) return 0;
  uint32_t code = s[0] & (0x7fu >> n);
  for (size_t i = 1; i < n; i++) {
    if (s[i] >> 6 != 2) return 0;
    code = code << 6 | (s[i] & 0x3fu);
  }
  const bool bad = code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000);
  return bad ? 0 : n;
}

bool gi_is_utf8(const char *s) {
  for (size_t n = 0; *s != '\0'; s += n)
    if ((n = gi_utf8_length(s)) == 0) return false;
  return true;
}

/* ---- hashing -------------------------------------------------------------------------------
 * FNV-1a over the bytes, then a bijective mix (two xor-shift-multiply rounds), because FNV
 * alone leaves the high bits of short keys weak. Byte by byte, so the same on every machine. */

uint64_t gi_hash(const void *p, size_t n, uint64_t seed) {
  const unsigned char *b = p;
  uint64_t h = 0xcbf29ce484222325u ^ seed;
  for (size_t i = 0; i < n; i++) h = (h ^ b[i]) * 0x100000001b3u;
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
  return h ^ (h >> 33);
}

uint64_t gi_hash_str(const char *s, uint64_t seed) { return gi_hash(s, strlen(s), seed); }
