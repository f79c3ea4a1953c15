/* utf8.c - decoding, column widths, escaping; see utf8.h.
 *
 * The C library's wcwidth is not used: it depends on the process' locale, which a library must
 * not set, and knows nothing in the "C" locale.
 */
#include "train/utf8.h"

enum { REPLACEMENT = 0xfffd };

typedef struct range {
  uint32_t first, last;
} range;

/* Marks that are drawn over the character before (Unicode 15, categories Mn, Me, Cf, the common
 * blocks). */
static const range combining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489},   {0x0591, 0x05bd},   {0x05bf, 0x05c7},
    {0x0610, 0x061a}, {0x064b, 0x065f},   {0x0670, 0x0670},   {0x06d6, 0x06dc},
    {0x0900, 0x0902}, {0x093a, 0x093a},   {0x093c, 0x093c},   {0x0941, 0x0948},
    {0x094d, 0x094d}, {0x0951, 0x0957},   {0x0e31, 0x0e31},   {0x0e34, 0x0e3a},
    {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff},   {0x1dc0, 0x1dff},   {0x200b, 0x200d},
    {0x2060, 0x2064}, {0x20d0, 0x20ff},   {0xfe00, 0xfe0f},   {0xfe20, 0xfe2f},
    {0xfeff, 0xfeff}, {0x1f3fb, 0x1f3ff}, {0xe0100, 0xe01ef},
};

/* Two columns: East Asian wide and full-width, emoji. */
static const range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x25fd, 0x25fe},
    {0x2614, 0x2615},   {0x2648, 0x2653},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},
    {0x26ce, 0x26ce},   {0x26d4, 0x26d4},   {0x26f2, 0x26f5},   {0x26fa, 0x26fd},
    {0x2705, 0x2705},   {0x270a, 0x270b},   {0x2728, 0x2728},   {0x274c, 0x274c},
    {0x2753, 0x2757},   {0x2795, 0x2797},   {0x2b1b, 0x2b1c},   {0x2b50, 0x2b55},
    {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0xa4cf},
    {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
    {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
    {0x1f7e0, 0x1f7eb}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

/* Control characters, line separators, and those that turn the direction of writing around,
 * which can make a text look like another one. */
static const range unwanted[] = {
    {0x01, 0x1f},     {0x7f, 0x9f},     {0x200e, 0x200f}, {0x2028, 0x202e},
    {0x2066, 0x2069}, {0xfff9, 0xfffb}, {0xfffe, 0xffff}, {0x61c, 0x61c},
};

static bool within(const range *r, int n, uint32_t c) {
  for (int i = 0; i < n; i++)
    if (c >= r[i].first && c <= r[i].last) return true;
  return false;
}

uint32_t gi_utf8_next(const char **s) {
  const unsigned char *p = (const unsigned char *)*s;
  if (p[0] == '\0') return 0;
  const size_t n = gi_utf8_length(*s);
  *s += n > 0 ? n : 1;
  if (n == 0) return REPLACEMENT;
  uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
  for (size_t i = 1; i < n; i++) c = c << 6 | (p[i] & 0x3fu);
  return within(unwanted, GI_COUNT(unwanted), c) ? ' ' : c;
}

void gi_utf8_put(gi_str *out, uint32_t c) {
  char b[4];
  if (c < 0x80) {
    b[0] = (char)c;
    gi_str_add(out, b, 1);
    return;
  }
  const int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (int i = n - 1; i > 0; i--, c >>= 6) b[i] = (char)(0x80 | (c & 0x3f));
  b[0] = (char)((0xf00 >> n & 0xff) | c);
  gi_str_add(out, b, (size_t)n);
}

int gi_utf8_columns_of(uint32_t c) {
  if (c < 0x300) return 1;
  if (within(combining, GI_COUNT(combining), c)) return 0;
  return within(wide, GI_COUNT(wide), c) ? 2 : 1;
}

int gi_utf8_columns(const char *s) {
  int n = 0;
  for (uint32_t c; n < 1 << 20 && (c = gi_utf8_next(&s)) != 0;) n += gi_utf8_columns_of(c);
  return n;
}

void gi_utf8_fit(gi_str *out, const char *s, int columns, int pad) {
  const int all = gi_utf8_columns(s);
  const bool cut = all > columns;
  const int room = cut ? columns - 1 : columns; /* one for the ellipsis */
  const int blanks = pad != 0 && !cut ? columns - all : 0;
  if (pad < 0) gi_str_printf(out, "%*s", blanks, "");
  int used = 0;
  for (uint32_t c; (c = gi_utf8_next(&s)) != 0;) {
    if (used + gi_utf8_columns_of(c) > room) break;
    used += gi_utf8_columns_of(c);
    gi_utf8_put(out, c);
  }
  if (cut && columns > 0) gi_str_puts(out, "…");
  /* a wide character may have left one column over */
  if (cut && pad != 0) gi_str_printf(out, "%*s", GI_MAX(room - used, 0), "");
  if (pad > 0) gi_str_printf(out, "%*s", blanks, "");
}

void gi_markup(gi_str *out, const char *s) {
  for (uint32_t c; (c = gi_utf8_next(&s)) != 0;) {
    switch (c) {
      case '&': gi_str_puts(out, "&amp;"); break;
      case '<': gi_str_puts(out, "&lt;"); break;
      case '>': gi_str_puts(out, "&gt;"); break;
      case '"': gi_str_puts(out, "&quot;"); break;
      case '\'': gi_str_puts(out, "&#39;"); break;
      default: gi_utf8_put(out, c);
    }
  }
}
