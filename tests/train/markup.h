/* tests/train/markup.h - a strict look at SVG and HTML that we wrote. */
#ifndef GI_TEST_MARKUP_H
#define GI_TEST_MARKUP_H

#include "test.h"

/* Checks that tags close in order, attributes are quoted and no bare & or < stands anywhere;
 * returns how many elements have this name. HTML may begin with its doctype. */
static inline int well_formed(const char *text, const char *name) {
  char stack[16][32];
  int depth = 0, found = 0;
  assert_true(gi_is_utf8(text));
  static const char doctype[] = "<!DOCTYPE html>\n";
  if (strncmp(text, doctype, sizeof doctype - 1) == 0) text += sizeof doctype - 1;
  for (const char *p = text; *p != '\0';) {
    if (*p == '&') {
      const char *end = strchr(p, ';');
      assert_true(end != NULL && end - p <= 6);
    }
    assert_true((unsigned char)*p >= 0x20 || *p == '\n');
    if (*p++ != '<') continue;
    const bool closing = *p == '/';
    char tag[32];
    p += closing;
    const size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789");
    assert_true(n > 0 && n < sizeof tag);
    snprintf(tag, sizeof tag, "%.*s", (int)n, p);
    p += n;
    bool quoted = false, alone = false;
    for (; *p != '\0' && (quoted || *p != '>'); p++) {
      assert_true(*p != '<');
      if (*p == '"') quoted = !quoted;
      alone = *p == '/';
    }
    assert_int_equal(*p, '>');
    if (closing) {
      assert_true(depth > 0);
      assert_string_equal(stack[--depth], tag);
      continue;
    }
    found += strcmp(tag, name) == 0;
    if (alone || strcmp(tag, "meta") == 0 || strcmp(tag, "img") == 0) continue;
    assert_true(depth < 16);
    strcpy(stack[depth++], tag);
  }
  assert_int_equal(depth, 0);
  return found;
}

#endif /* GI_TEST_MARKUP_H */
