/* base/file.c - files: mapping, reading, atomic writing, folders.
 *
 * Writing goes to ".NAME.tmp" beside the target. The name is fixed, so what a killed process
 * left behind is used again by the next writer instead of piling up; a lock on it keeps two
 * writers of one target apart (the second takes ".NAME.1.tmp", and so on).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

/* ---- reading --------------------------------------------------------------------------- */

static glia_status open_read(const char *path, int *fd, struct stat *st) {
  *fd = open(path, O_RDONLY | O_CLOEXEC);
  if (*fd < 0) return gi_fail_read(path, errno);
  int err = fstat(*fd, st) != 0 ? errno : 0;
  if (err == 0 && S_ISDIR(st->st_mode)) err = EISDIR;
  if (err == 0) return GLIA_OK;
  close(*fd);
  return gi_fail_read(path, err);
}

glia_status gi_map_open(gi_map *m, const char *path) {
  struct stat st;
  int fd = -1;
  *m = (gi_map){0};
  GI_TRY(open_read(path, &fd, &st));
  glia_status s = GLIA_OK;
  if (!S_ISREG(st.st_mode)) {
    s = gi_fail(GLIA_IO, "%s: is not a plain file, and only those can be mapped", path);
  } else if (st.st_size > 0) {
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
      s = gi_fail_read(path, errno);
    else
      *m = (gi_map){.p = p, .n = (size_t)st.st_size, .base = p};
  }
  close(fd);
  return s;
}

void gi_map_close(gi_map *m) {
  if (m->base != NULL) munmap(m->base, m->n);
  *m = (gi_map){0};
}

/* Pipes have no size, so what is read decides; one byte more than the limit is asked for, to
 * see that it is exceeded. */
glia_status gi_read_file(const char *path, size_t limit, char **out, size_t *n) {
  struct stat st;
  int fd = -1;
  GI_TRY(open_read(path, &fd, &st));
  const size_t size = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size : 0;
  char *text = NULL;
  size_t have = 0, cap = 0;
  glia_status s = GLIA_OK;
  for (;;) {
    const size_t want = GI_MAX(have + 4096, GI_MIN(size, limit) + 2);
    if (have + 1 >= cap && !gi_vec_grow((void **)&text, &cap, want, 1)) {
      s = gi_fail_nomem(want);
      break;
    }
    const ssize_t got = read(fd, text + have, cap - 1 - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) s = gi_fail_read(path, errno);
    if (got > 0) have += (size_t)got;
    if (s == GLIA_OK && have > limit)
      s = gi_fail(GLIA_FORMAT, "%s: is larger than the %zu bytes that are read of such a file",
                  path, limit);
    if (got <= 0 || s != GLIA_OK) break;
  }
  close(fd);
  if (s != GLIA_OK) {
    gi_free(text);
    return s;
  }
  text[have] = '\0';
  *out = text;
  *n = have;
  return GLIA_OK;
}

/* ---- writing --------------------------------------------------------------------------- */

/* ".NAME.tmp" beside the target, ".NAME.<i>.tmp" for i > 0. */
static char *temp_path(const char *path, int i) {
  const char *name = gi_path_name(path);
  gi_str b = {0};
  gi_str_add(&b, path, (size_t)(name - path));
  gi_str_printf(&b, i == 0 ? ".%s.tmp" : ".%s.%d.tmp", name, i);
  return gi_str_take(&b);
}

/* Opens, locks and empties one temporary file. *err is EWOULDBLOCK if somebody else has it. */
static int open_temp(const char *temp, int *err) {
  const int fd = open(temp, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  *err = fd < 0 ? errno : 0;
  if (fd < 0) return -1;
  struct stat mine, there;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    *err = EWOULDBLOCK;
  } else if (fstat(fd, &mine) != 0 || stat(temp, &there) != 0 || mine.st_ino != there.st_ino ||
             mine.st_dev != there.st_dev) {
    *err = EWOULDBLOCK; /* renamed by its former owner between open and lock */
  } else if (ftruncate(fd, 0) != 0) {
    *err = errno;
  }
  if (*err == 0) return fd;
  close(fd);
  return -1;
}

/* Devices and pipes are written to as they are: a rename would put a file in their place. */
static glia_status open_special(gi_writer *w, const char *path, mode_t mode) {
  if (S_ISDIR(mode)) return gi_fail_write(path, EISDIR);
  w->fd = open(path, O_WRONLY | O_CLOEXEC);
  return w->fd < 0 ? gi_fail_write(path, errno) : GLIA_OK;
}

glia_status gi_writer_open(gi_writer *w, const char *path) {
  *w = (gi_writer){.fd = -1};
  struct stat st;
  const bool exists = stat(path, &st) == 0;
  w->path = gi_strdup(path);
  if (w->path == NULL) {
    w->status = gi_fail_nomem(strlen(path) + 1);
  } else if (gi_path_name(path)[0] == '\0') {
    w->status = gi_fail_write(path, EISDIR);
  } else if (exists && !S_ISREG(st.st_mode)) {
    w->status = open_special(w, path, st.st_mode);
  } else {
    int err = EWOULDBLOCK;
    for (int i = 0; i < 1000 && err == EWOULDBLOCK; i++) {
      gi_free(w->temp);
      w->temp = temp_path(path, i);
      if (w->temp == NULL) break;
      w->fd = open_temp(w->temp, &err);
    }
    if (w->temp == NULL)
      w->status = gi_fail_nomem(strlen(path) + 16);
    else if (w->fd < 0)
      w->status = gi_fail_write(path, err);
    else if (exists)
      (void)fchmod(w->fd, st.st_mode & 0777); /* keeps who may read it; not worth failing */
  }
  const glia_status s = w->status;
  if (s != GLIA_OK) gi_writer_abort(w);
  w->status = s;
  return s;
}

glia_status gi_writer_add(gi_writer *w, const void *p, size_t n) {
  const char *at = p;
  while (w->status == GLIA_OK && n > 0) {
    const ssize_t put = write(w->fd, at, GI_MIN(n, (size_t)1 << 30));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      w->status = gi_fail_write(w->path, errno);
      break;
    }
    at += put;
    n -= (size_t)put;
  }
  return w->status;
}

/* Makes the rename itself last. Some file systems cannot sync a folder and say EINVAL. */
static int sync_folder(const char *path) {
  const char *name = gi_path_name(path);
  gi_str dir = {0};
  gi_str_add(&dir, path, (size_t)(name - path));
  if (dir.n == 0) gi_str_puts(&dir, ".");
  char *text = gi_str_take(&dir);
  if (text == NULL) return ENOMEM;
  int err = 0;
  const int fd = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0 && fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP) err = errno;
  if (fd >= 0) close(fd);
  gi_free(text);
  return err;
}

glia_status gi_writer_commit(gi_writer *w) {
  if (w->status == GLIA_OK && w->temp != NULL) {
    int err = fsync(w->fd) != 0 ? errno : 0;
    if (err == 0 && rename(w->temp, w->path) != 0) err = errno;
    if (err == 0) {
      gi_free(w->temp);
      w->temp = NULL;
      err = sync_folder(w->path);
    }
    if (err == ENOMEM)
      w->status = gi_fail_nomem(strlen(w->path));
    else if (err != 0)
      w->status = gi_fail_write(w->path, err);
  }
  const glia_status s = w->status;
  gi_writer_abort(w);
  w->status = s;
  return s;
}

/* Also the clean-up of a commit: by then `temp` is gone. The file is removed while it is still
 * locked, so that nobody else's is. */
void gi_writer_abort(gi_writer *w) {
  if (w->fd >= 0 && w->temp != NULL) unlink(w->temp);
  if (w->fd >= 0) close(w->fd);
  gi_free(w->path);
  gi_free(w->temp);
  *w = (gi_writer){.fd = -1, .status = GLIA_DISK};
}

glia_status gi_write_file(const char *path, const void *p, size_t n) {
  gi_writer w;
  GI_TRY(gi_writer_open(&w, path));
  (void)gi_writer_add(&w, p, n); /* latched; commit returns it */
  return gi_writer_commit(&w);
}

/* ---- folders and paths ----------------------------------------------------------------- */

bool gi_exists(const char *path) {
  struct stat st;
  return stat(path, &st) == 0;
}

bool gi_is_dir(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

glia_status gi_make_dirs(const char *path) {
  char *part = gi_strdup(path);
  if (part == NULL) return gi_fail_nomem(strlen(path) + 1);
  int err = 0;
  for (char *at = part + 1; err == 0 && part[0] != '\0'; at++) {
    if (*at != '/' && *at != '\0') continue;
    const char c = *at;
    *at = '\0';
    if (mkdir(part, 0777) != 0 && !gi_is_dir(part)) err = errno == EEXIST ? ENOTDIR : errno;
    *at = c;
    if (c == '\0') break;
  }
  gi_free(part);
  return err == 0 ? GLIA_OK : gi_fail_write(path, err);
}

static int by_bytes(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

glia_status gi_list_dir(const char *path, gi_names *out) {
  DIR *dir = opendir(path);
  if (dir == NULL) return gi_fail_read(path, errno);
  GI_VEC(char *) names = {0};
  glia_status s = GLIA_OK;
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (entry == NULL) {
      if (errno != 0) s = gi_fail_read(path, errno);
      break;
    }
    if (entry->d_name[0] == '.') continue;
    char *name = gi_strdup(entry->d_name);
    if (name == NULL || !gi_vec_push(&names, name)) {
      gi_free(name);
      s = gi_fail_nomem(strlen(entry->d_name) + 1);
      break;
    }
  }
  closedir(dir);
  gi_names list = {.at = names.at, .n = names.n};
  if (s != GLIA_OK) {
    gi_names_free(&list);
    return s;
  }
  if (list.n > 1) qsort(list.at, list.n, sizeof *list.at, by_bytes);
  *out = list;
  return GLIA_OK;
}

void gi_names_free(gi_names *l) {
  for (size_t i = 0; i < l->n; i++) gi_free(l->at[i]);
  gi_free(l->at);
  *l = (gi_names){0};
}

char *gi_path_join(const char *a, const char *b) {
  const size_t n = strlen(a);
  gi_str s = {0};
  if (b[0] != '/') {
    gi_str_add(&s, a, n);
    if (n > 0 && a[n - 1] != '/') gi_str_puts(&s, "/");
  }
  gi_str_puts(&s, b);
  return gi_str_take(&s);
}

const char *gi_path_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}
