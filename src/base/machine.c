/* machine.c - what this machine is, as far as the system tells. */
#include <sched.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/base.h"

/* A small file of the system, at most n - 1 bytes of it; "" if it cannot be read. */
static char *system_text(const char *path, char *text, size_t n) {
  FILE *f = fopen(path, "r");
  text[0] = '\0';
  if (f == NULL) return text;
  text[fread(text, 1, n - 1, f)] = '\0';
  fclose(f);
  return text;
}

/* The value of a line "name<tabs>: value", without its end; "" if it is not there. */
static void field(const char *text, const char *name, char *out, size_t n) {
  const size_t length = strlen(name);
  out[0] = '\0';
  for (const char *line = text; line != NULL && *line != '\0';) {
    const char *end = strchr(line, '\n'), *colon = strchr(line, ':');
    const bool same = strncmp(line, name, length) == 0 && strchr("\t :", line[length]) != NULL;
    if (same && colon != NULL && (end == NULL || colon < end)) {
      colon += 1 + strspn(colon + 1, " ");
      const size_t size = end != NULL ? (size_t)(end - colon) : strlen(colon);
      snprintf(out, n, "%.*s", (int)GI_MIN(size, n - 1), colon);
      return;
    }
    line = end != NULL ? end + 1 : NULL;
  }
}

void gi_processor_name(char *out, size_t n) {
  char text[8192], name[128], family[16], model[16];
  system_text("/proc/cpuinfo", text, sizeof text);
  field(text, "model name", name, sizeof name);
  field(text, "cpu family", family, sizeof family);
  field(text, "model", model, sizeof model);
  struct utsname u;
  if (name[0] == '\0' && uname(&u) == 0) snprintf(name, sizeof name, "%s", u.machine);
  /* Hypervisors hide the name but not the model. */
  snprintf(out, n, "%s%s%s%s%s", name, family[0] != '\0' ? ", family " : "", family,
           model[0] != '\0' ? " model " : "", model);
}

/* "32768K", "32 MB", "4096 kB" as bytes; 0 for anything else. */
static int64_t bytes_of(const char *text) {
  char *end = NULL;
  const long long n = strtoll(text, &end, 10);
  while (*end == ' ') end++;
  const int shift = *end == 'k' || *end == 'K' ? 10 : *end == 'M' ? 20 : 0;
  return n > 0 && n < INT64_C(1) << 40 ? (int64_t)n << shift : 0;
}

/* The caches of the first processor: files level, type and size in a folder for each. */
static void look_at_caches(gi_machine *m) {
  for (int i = 0; i < 8; i++) {
    char path[96], level[16] = "", type[32] = "", size[32] = "";
    const char *const names[] = {"level", "type", "size"};
    char *const to[] = {level, type, size};
    const size_t room[] = {sizeof level, sizeof type, sizeof size};
    for (int k = 0; k < 3; k++) {
      snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", i, names[k]);
      system_text(path, to[k], room[k]);
    }
    const int at = atoi(level) - 1;
    if (at >= 0 && at < GI_COUNT(m->cache) && strncmp(type, "Instruction", 11) != 0)
      m->cache[at] = bytes_of(size);
  }
}

/* What a container may use, where it is less: cpu.max is "200000 100000" (microseconds of
 * processor time in each so many) or "max 100000". */
static void look_at_shares(gi_machine *m) {
  char text[64];
  long long share = 0, period = 0;
  system_text("/sys/fs/cgroup/cpu.max", text, sizeof text);
  if (sscanf(text, "%lld %lld", &share, &period) == 2 && share > 0 && period > 0)
    m->share = (double)share / (double)period;
  system_text("/sys/fs/cgroup/memory.max", text, sizeof text);
  const int64_t most = bytes_of(text);
  if (most > 0 && most < m->memory) m->memory = most;
}

void gi_machine_look(gi_machine *out) {
  char text[4096], value[64];
  cpu_set_t allowed;
  *out = (gi_machine){.processors = (int)sysconf(_SC_NPROCESSORS_ONLN)};
  gi_processor_name(out->name, sizeof out->name);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    out->processors = CPU_COUNT(&allowed);
  out->processors = GI_MAX(out->processors, 1);
  system_text("/proc/meminfo", text, sizeof text);
  field(text, "MemTotal", value, sizeof value);
  out->memory = bytes_of(value);
  field(text, "MemAvailable", value, sizeof value);
  out->free = bytes_of(value);
  look_at_caches(out);
  look_at_shares(out);
}
