/* glia/glia.h - everything. */
#ifndef GLIA_GLIA_H
#define GLIA_GLIA_H

#include "glia/attention.h"
#include "glia/base.h"
#include "glia/boxes.h"
#include "glia/chance.h"
#include "glia/data.h"
#include "glia/dlpack.h"
#include "glia/formats.h"
#include "glia/graph.h"
#include "glia/index.h"
#include "glia/integers.h"
#include "glia/layers.h"
#include "glia/losses.h"
#include "glia/metrics.h"
#include "glia/models.h"
#include "glia/nn.h"
#include "glia/onnx.h"
#include "glia/optim.h"
#include "glia/run.h"
#include "glia/schedule.h"
#include "glia/spectrum.h"
#include "glia/store.h"
#include "glia/tensor.h"
#include "glia/train.h"
#include "glia/windows.h"

#endif /* GLIA_GLIA_H */
