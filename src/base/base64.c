/* base64.c - bytes as text of 64 characters (RFC 4648), and back. */
#include "base/base.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void gi_base64(gi_str *out, const void *bytes, size_t n) {
  const unsigned char *p = bytes;
  for (size_t i = 0; i < n; i += 3) {
    const size_t left = n - i;
    const uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                       (left > 2 ? p[i + 2] : 0u);
    const char quad[4] = {digits[v >> 18], digits[v >> 12 & 63],
                          left > 1 ? digits[v >> 6 & 63] : '=',
                          left > 2 ? digits[v & 63] : '='};
    gi_str_add(out, quad, 4);
  }
}

bool gi_base64_decode(gi_str *out, const char *s) {
  const size_t n = strlen(s);
  if (n % 4 != 0) return false;
  for (size_t i = 0; i < n; i += 4) {
    uint32_t v = 0;
    size_t given = 0;
    for (; given < 4 && s[i + given] != '='; given++) {
      const char *at = strchr(digits, s[i + given]);
      if (at == NULL) return false;
      v = v << 6 | (uint32_t)(at - digits);
    }
    if (given < 2 || (given < 4 && i + 4 < n)) return false;
    for (size_t k = given; k < 4; k++)
      if (s[i + k] != '=') return false;
    v <<= 6 * (4 - given);
    const char bytes[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
    gi_str_add(out, bytes, given - 1);
  }
  return true;
}
