/* formats/hdf5.c - loading libhdf5; see hdf5.h. */
#include "formats/hdf5.h"

#ifdef GI_HAS_HDF5

#include <dlfcn.h>

static gi_hdf5 functions;

/* A pointer to a function, from one to an object, by way of its bytes: C has no other. */
static bool find(void *library, const char *name, void *out) {
  void *symbol = dlsym(library, name);
  memcpy(out, &symbol, sizeof symbol);
  return symbol != NULL;
}

/* Names may be macros for those of a version: they are expanded before they become text. */
#define TEXT(f) #f

static bool find_all(void *library) {
  bool all = true;
#define FIND(f) all &= find(library, TEXT(f), &functions.f);
  GI_HDF5_FUNCTIONS(FIND)
#undef FIND
  return all && find(library, "H5P_CLS_FILE_ACCESS_ID_g", &functions.file_access);
}

glia_status gi_hdf5_load(const gi_hdf5 **out) {
  void *library = dlopen(GI_HAS_HDF5, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL)
    return gi_fail(GLIA_UNSUPPORTED, "HDF5 cannot be loaded: %s; hint: install libhdf5",
                   dlerror());
  if (!find_all(library) || functions.H5open() < 0) {
    (void)dlclose(library);
    return gi_fail(GLIA_UNSUPPORTED, "HDF5 cannot be loaded: %s is another version",
                   GI_HAS_HDF5);
  }
  *out = &functions; /* the library stays until the program ends */
  return GLIA_OK;
}

#endif
