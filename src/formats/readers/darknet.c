/* readers/darknet.c - Darknet's weights, NAME.weights, with the network's text NAME.cfg beside
 * them; either is opened and finds the other. See formats/darknet.h. */
#include "formats/darknet.h"

enum { TEXT_MAX = 4 << 20 };

static bool ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), k = strlen(end);
  return n > k && strcmp(text + n - k, end) == 0;
}

/* Maps the file beside this one that ends so. */
static glia_status map_other(const glia_file *f, const char *mine, const char *other,
                             gi_map *out) {
  gi_str path = {0};
  gi_str_add(&path, f->path, strlen(f->path) - strlen(mine));
  gi_str_puts(&path, other);
  const glia_status s = path.failed ? gi_fail_nomem(path.n) : gi_map_open(out, path.s);
  gi_str_free(&path);
  return gi_where(s, "%s", f->what);
}

static glia_status open_darknet(glia_file *f) {
  const bool is_text = f->path != NULL && ends_with(f->path, ".cfg");
  if (f->path == NULL || (!is_text && !ends_with(f->path, ".weights")))
    return gi_fail(GLIA_FORMAT, "%s: wanted NAME.weights with NAME.cfg beside it", f->what);
  gi_map *other = gi_alloc(sizeof *other);
  if (other == NULL) return gi_fail_nomem(sizeof *other);
  f->own = other;
  GI_TRY(map_other(f, is_text ? ".cfg" : ".weights", is_text ? ".weights" : ".cfg", other));
  f->held += other->n;
  const unsigned char *text = is_text ? f->p : other->p;
  const unsigned char *weights = is_text ? other->p : f->p;
  const size_t n = is_text ? f->n : other->n, m = is_text ? other->n : f->n;
  if (n == 0 || n > TEXT_MAX)
    return gi_fail(GLIA_FORMAT, "%s: the network's text has %zu bytes, wanted 1 to %d", f->what,
                   n, TEXT_MAX);
  return gi_darknet_add(f, (const char *)text, n, weights, m);
}

static void close_darknet(glia_file *f) {
  if (f->own != NULL) gi_map_close(f->own);
  gi_free(f->own);
}

static const char *const suffixes[] = {".weights", ".cfg", NULL};

static const gi_reader darknet = {
    .name = "darknet",
    .title = "Darknet weights",
    .suffixes = suffixes,
    .open = open_darknet,
    .close = close_darknet,
};

const gi_reader *const gi_readers_darknet[] = {&darknet, NULL};
