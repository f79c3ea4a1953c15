/* isa/isa.h - the vector loops of the cpu backend, as one table for each instruction set.
 *
 * Every file of this folder is compiled once for each set (cmake/isa.cmake): GI_ISA_NAME is the
 * set, GI_ISA_BYTES the width of its vectors, and GI_ISA(name) the symbol name with the set
 * behind it. Files of element/ are compiled for each kind of element too (element.h). Code
 * outside this folder reaches the loops only through a gi_isa.
 */
#ifndef GI_ISA_H
#define GI_ISA_H

#include "backend/cpu/isa/attention.h"
#include "backend/cpu/isa/chance.h"
#include "backend/cpu/isa/conv.h"
#include "backend/cpu/isa/few.h"
#include "backend/cpu/isa/fold.h"
#include "backend/cpu/isa/group.h"
#include "backend/cpu/isa/int8.h"
#include "backend/cpu/isa/layer.h"
#include "backend/cpu/isa/limits.h"
#include "backend/cpu/isa/move.h"
#include "backend/cpu/isa/narrow.h"
#include "backend/cpu/isa/norm.h"
#include "backend/cpu/isa/pool.h"
#include "backend/cpu/isa/product.h"
#include "backend/cpu/isa/recurrent.h"
#include "backend/cpu/isa/rows.h"
#include "backend/cpu/isa/winograd.h"

/* Loops over values that lie in memory as one kind of element. */
typedef struct gi_element_loops {
  const gi_fold_loops *fold;
  const gi_pool_loops *pool;
  const gi_norm_loops *norm;
  const gi_layer_loops *layer;
  const gi_few_loops *few;
} gi_element_loops;

typedef struct gi_isa {
  const char *name;          /* "base", "avx2", "avx512" */
  int lanes;                 /* floats in one vector */
  const gi_micro_row *micro; /* loops of elementwise ops by name; ends with name NULL */
  gi_group_run *group_run;
  gi_move_rectangle *move_rectangle;
  gi_element_loops f32, bf16;
  const gi_chance_loops *chance;
  const gi_row_loops *row;
  const gi_attention_loops *attention;
  const gi_narrow_loops *narrow;
  const gi_int8_loops *int8;
  const gi_conv_loops *conv;
  const gi_product_loops *product;
  const gi_recurrent_loops *recurrent;
  const gi_limit_loops *limits;
  const gi_winograd_loops *winograd;
} gi_isa;

extern const gi_isa gi_isa_base;
#if defined(__x86_64__)
extern const gi_isa gi_isa_avx2, gi_isa_avx512;
#endif

#ifdef GI_ISA_NAME
#define GI_ISA_JOIN(a, b)   a##_##b
#define GI_ISA_JOINED(a, b) GI_ISA_JOIN(a, b)
#define GI_ISA(name)        GI_ISA_JOINED(name, GI_ISA_NAME)
#define GI_ISA_TEXT(a)      #a
#define GI_ISA_STRING(a)    GI_ISA_TEXT(a)

extern const gi_micro_row GI_ISA(gi_micro_rows)[];
gi_group_run GI_ISA(gi_group_run);
gi_move_rectangle GI_ISA(gi_move_rectangle);
extern const gi_chance_loops GI_ISA(gi_chance_loops);
extern const gi_row_loops GI_ISA(gi_row_loops);
extern const gi_attention_loops GI_ISA(gi_attention_loops);
extern const gi_narrow_loops GI_ISA(gi_narrow_loops);
extern const gi_int8_loops GI_ISA(gi_int8_loops);
extern const gi_conv_loops GI_ISA(gi_conv_loops);
extern const gi_product_loops GI_ISA(gi_product_loops);
extern const gi_recurrent_loops GI_ISA(gi_recurrent_loops);
extern const gi_limit_loops GI_ISA(gi_limit_loops);
extern const gi_winograd_loops GI_ISA(gi_winograd_loops);

#define GI_OF_ELEMENT(kind)                                                                   \
  extern const gi_fold_loops GI_ISA(gi_fold_loops_##kind);                                    \
  extern const gi_pool_loops GI_ISA(gi_pool_loops_##kind);                                    \
  extern const gi_norm_loops GI_ISA(gi_norm_loops_##kind);                                    \
  extern const gi_layer_loops GI_ISA(gi_layer_loops_##kind);                                  \
  extern const gi_few_loops GI_ISA(gi_few_loops_##kind);                                      \
  void GI_ISA(gi_pool_extreme_plane_##kind)(const gi_pool *p, int64_t i, const void *image,   \
                                            float *y, uint8_t *position);                     \
  void GI_ISA(gi_pool_scatter_plane_##kind)(const gi_pool *p, int64_t i, const void *dy,      \
                                            const uint8_t *position, float *dx);              \
  void GI_ISA(gi_pool_average_plane_##kind)(const gi_pool *p, int64_t i, const void *image,   \
                                            float *y);                                        \
  void GI_ISA(gi_pool_average_grad_plane_##kind)(const gi_pool *p, int64_t i, const void *dy, \
                                                 float *dx);
GI_OF_ELEMENT(f32)
GI_OF_ELEMENT(bf16)
#undef GI_OF_ELEMENT
#endif

#endif /* GI_ISA_H */
