/* A program of somebody who has glia installed: the public headers, the library, nothing else.
 */
#include <glia/tensor.h>
#include <stdio.h>

int main(void) {
  glia_tensor *t = NULL;
  if (glia_tensor_new(GLIA_F32, 2, (const int64_t[]){2, 3}, &t) != GLIA_OK) return 1;
  printf("glia %s holds %d numbers\n", glia_version(), (int)glia_tensor_count(t));
  glia_tensor_free(t);
  return 0;
}
