// Arena: gives each block an offset in one stretch of memory so that blocks in use at the same time do not
// overlap.
#pragma once
#include <vector>

#include "engine/run/plan.h"

namespace loupe {

/// Sets every block's offset (64-byte aligned) and returns the size of the arena. Largest blocks first, each
/// at the lowest place that is free during its lifetime (Pisarchyk & Lee 2020, "Efficient memory management
/// for deep neural net inference", greedy by size).
int64_t place_blocks(std::vector<PlanBlock>& blocks);

}  // namespace loupe
