/* table.c - the loops of this instruction set, gathered for cpu.c to pick from at run time.
 */
#include "backend/cpu/isa/isa.h"

const gi_isa GI_ISA(gi_isa) = {
    .name = GI_ISA_STRING(GI_ISA_NAME),
    .lanes = GI_ISA_BYTES / 4,
    .micro = GI_ISA(gi_micro_rows),
    .group_run = GI_ISA(gi_group_run),
    .move_rectangle = GI_ISA(gi_move_rectangle),
    .fold = &GI_ISA(gi_fold_loops),
    .chance = &GI_ISA(gi_chance_loops),
    .pool = &GI_ISA(gi_pool_loops),
    .row = &GI_ISA(gi_row_loops),
    .narrow = &GI_ISA(gi_narrow_loops),
    .int8 = &GI_ISA(gi_int8_loops),
    .norm = &GI_ISA(gi_norm_loops),
    .conv = &GI_ISA(gi_conv_loops),
    .product = &GI_ISA(gi_product_loops),
    .limits = &GI_ISA(gi_limit_loops),
    .winograd = &GI_ISA(gi_winograd_loops),
};
