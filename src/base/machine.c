/* machine.c - what this machine is, as far as the system tells. */
#include <sys/utsname.h>

#include "base/base.h"

/* The value of a line "name<tabs>: value" of /proc/cpuinfo, without its end; "" if it is not
 * there. */
static void cpuinfo(const char *text, const char *name, char *out, size_t n) {
  const size_t length = strlen(name);
  out[0] = '\0';
  for (const char *line = text; line != NULL && *line != '\0';) {
    const char *end = strchr(line, '\n'), *colon = strchr(line, ':');
    const bool same = strncmp(line, name, length) == 0 && strchr("\t :", line[length]) != NULL;
    if (same && colon != NULL && (end == NULL || colon < end)) {
      colon += 1 + (colon[1] == ' ');
      const size_t size = end != NULL ? (size_t)(end - colon) : strlen(colon);
      snprintf(out, n, "%.*s", (int)GI_MIN(size, n - 1), colon);
      return;
    }
    line = end != NULL ? end + 1 : NULL;
  }
}

void gi_processor_name(char *out, size_t n) {
  char text[8192] = "", name[128], family[16], model[16];
  FILE *f = fopen("/proc/cpuinfo", "r");
  if (f != NULL) {
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
  }
  cpuinfo(text, "model name", name, sizeof name);
  cpuinfo(text, "cpu family", family, sizeof family);
  cpuinfo(text, "model", model, sizeof model);
  struct utsname u;
  if (name[0] == '\0' && uname(&u) == 0) snprintf(name, sizeof name, "%s", u.machine);
  /* Hypervisors hide the name but not the model. */
  snprintf(out, n, "%s%s%s%s%s", name, family[0] != '\0' ? ", family " : "", family,
           model[0] != '\0' ? " model " : "", model);
}
