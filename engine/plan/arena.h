// Arena: gives each slot an offset in one stretch of memory so that slots in use at the same time do not
// overlap.
#pragma once
#include <vector>

#include "engine/plan/plan.h"

namespace loupe {

/// Sets every slot's offset (64-byte aligned) and returns the size of the arena. Largest slots first, each
/// at the lowest place that is free during its lifetime (Pisarchyk & Lee 2020, "Efficient memory management
/// for deep neural net inference", greedy by size).
int64_t place_slots(std::vector<PlanSlot>& slots);

}  // namespace loupe
