/* formats/hdf5.h - libhdf5, loaded when the first HDF5 file is opened.
 *
 * Debian's library brings thirty others with it (curl, Kerberos, LDAP), which every program
 * that links glia would load at its start: 12 ms on the machine where it was measured, twice
 * what the rest takes. So nothing links it; its headers say what its functions are, and CMake
 * which file they were installed with.
 */
#ifndef GI_HDF5_H
#define GI_HDF5_H

#ifdef GI_HAS_HDF5

#define H5_USE_110_API
#include <hdf5.h>

#include "base/base.h"

#define GI_HDF5_FUNCTIONS(X)      \
  X(H5open)                       \
  X(H5Aclose)                     \
  X(H5Aexists)                    \
  X(H5Aget_space)                 \
  X(H5Aget_type)                  \
  X(H5Aopen)                      \
  X(H5Aread)                      \
  X(H5Dget_create_plist)          \
  X(H5Dget_space)                 \
  X(H5Dget_type)                  \
  X(H5Dread)                      \
  X(H5Eset_auto2)                 \
  X(H5Fopen)                      \
  X(H5Gclose)                     \
  X(H5Gopen2)                     \
  X(H5Literate)                   \
  X(H5Oclose)                     \
  X(H5Oget_info)                  \
  X(H5Oopen)                      \
  X(H5Oopen_by_addr)              \
  X(H5PLset_loading_state)        \
  X(H5Pclose)                     \
  X(H5Pcreate)                    \
  X(H5Pget_external_count)        \
  X(H5Pget_filter2)               \
  X(H5Pget_layout)                \
  X(H5Pget_nfilters)              \
  X(H5Pset_fapl_core)             \
  X(H5Pset_file_image)            \
  X(H5Sclose)                     \
  X(H5Sget_simple_extent_dims)    \
  X(H5Sget_simple_extent_ndims)   \
  X(H5Sget_simple_extent_npoints) \
  X(H5Sget_simple_extent_type)    \
  X(H5Tclose)                     \
  X(H5Tcopy)                      \
  X(H5Tget_class)                 \
  X(H5Tget_fields)                \
  X(H5Tget_sign)                  \
  X(H5Tget_size)                  \
  X(H5Tis_variable_str)           \
  X(H5Tset_order)                 \
  X(H5Zfilter_avail)              \
  X(H5free_memory)

typedef struct gi_hdf5 {
#define GI_HDF5_MEMBER(f) __typeof__(&(f)) f;
  GI_HDF5_FUNCTIONS(GI_HDF5_MEMBER)
#undef GI_HDF5_MEMBER
  const hid_t *file_access; /* H5P_FILE_ACCESS, once the library is open */
} gi_hdf5;

/* The library's functions, static. GLIA_UNSUPPORTED where it cannot be loaded. Not to be called
 * by two threads at once. */
glia_status gi_hdf5_load(const gi_hdf5 **out);

#endif /* GI_HAS_HDF5 */
#endif /* GI_HDF5_H */
