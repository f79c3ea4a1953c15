/* table.c - the loops of this instruction set, gathered for cpu.c to pick from at run time.
 */
#include "backend/cpu/isa/isa.h"

#define OF_ELEMENT(kind)                                               \
  {                                                                    \
    &GI_ISA(gi_fold_loops_##kind), &GI_ISA(gi_pool_loops_##kind),      \
        &GI_ISA(gi_norm_loops_##kind), &GI_ISA(gi_layer_loops_##kind), \
        &GI_ISA(gi_few_loops_##kind)                                   \
  }

const gi_isa GI_ISA(gi_isa) = {
    .name = GI_ISA_STRING(GI_ISA_NAME),
    .lanes = GI_ISA_BYTES / 4,
    .micro = GI_ISA(gi_micro_rows),
    .group_run = GI_ISA(gi_group_run),
    .move_rectangle = GI_ISA(gi_move_rectangle),
    .f32 = OF_ELEMENT(f32),
    .bf16 = OF_ELEMENT(bf16),
    .chance = &GI_ISA(gi_chance_loops),
    .row = &GI_ISA(gi_row_loops),
    .attention = &GI_ISA(gi_attention_loops),
    .narrow = &GI_ISA(gi_narrow_loops),
    .int8 = &GI_ISA(gi_int8_loops),
    .conv = &GI_ISA(gi_conv_loops),
    .product = &GI_ISA(gi_product_loops),
    .recurrent = &GI_ISA(gi_recurrent_loops),
    .limits = &GI_ISA(gi_limit_loops),
    .winograd = &GI_ISA(gi_winograd_loops),
};
