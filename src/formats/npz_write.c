/* formats/npz_write.c - NumPy's .npz: a zip of stored members NAME.npy, as numpy.savez writes.
 */
#include "formats/npy.h"
#include "formats/zip.h"

static glia_status add_entry(gi_zip_writer *w, const glia_file *f, int i) {
  const char *name = f->entries.at[i].name;
  gi_npy_bytes b;
  gi_str member = {0};
  GI_TRY(gi_npy_encode(f, i, &b));
  gi_str_printf(&member, "%s.npy", name);
  glia_status s = GLIA_OK;
  if (member.failed)
    s = gi_fail_nomem(member.n);
  else if (!gi_zip_name_is_safe(member.s, member.n))
    s = gi_fail(GLIA_INVALID, "tensor \"%.80s\": cannot be the name of a zip's member", name);
  else
    gi_zip_add(w, member.s, b.head.s, b.head.n, b.elements.data, b.elements.bytes);
  gi_str_free(&member);
  gi_npy_bytes_clear(&b);
  return s == GLIA_OK ? w->file.status : s;
}

glia_status gi_npz_write_file(const char *path, const glia_file *f) {
  gi_zip_writer w;
  GI_TRY(gi_zip_create(&w, path));
  glia_status s = GLIA_OK;
  for (int i = 0; i < glia_file_count(f) && s == GLIA_OK; i++) s = add_entry(&w, f, i);
  if (s == GLIA_OK) return gi_zip_commit(&w);
  gi_zip_abort(&w);
  return gi_where(s, "%s", path);
}

glia_status glia_npz_write(const char *path, const glia_named_tensor *tensors, int n) {
  for (int i = 0; i < n; i++)
    for (int k = 0; k < i; k++)
      if (tensors[i].name != NULL && tensors[k].name != NULL &&
          strcmp(tensors[i].name, tensors[k].name) == 0)
        return gi_fail(GLIA_INVALID, "%s: two tensors are called \"%.80s\"", path,
                       tensors[i].name);
  glia_file *f = NULL;
  GI_TRY(gi_file_of(path, tensors, n, NULL, 0, &f));
  const glia_status s = gi_npz_write_file(path, f);
  glia_file_close(f);
  return s;
}
