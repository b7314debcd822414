#include "engine/plan/arena.h"

#include <algorithm>
#include <numeric>

namespace loupe {

int64_t place_slots(std::vector<PlanSlot>& slots) {
  std::vector<size_t> order(slots.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](size_t i) { return slots[i].bytes; });
  std::vector<size_t> placed;  // by offset
  int64_t total = 0;
  for (size_t i : order) {
    PlanSlot& b = slots[i];
    if (b.bytes == 0) continue;
    int64_t at = 0;
    for (size_t j : placed) {
      const PlanSlot& other = slots[j];
      if (other.last < b.first || b.last < other.first) continue;
      if (at + b.bytes <= other.offset) break;
      at = std::max(at, round_up(other.offset + other.bytes, 64));
    }
    b.offset = at;
    total = std::max(total, at + b.bytes);
    placed.insert(std::ranges::upper_bound(placed, at, {}, [&](size_t j) { return slots[j].offset; }), i);
  }
  return total;
}

}  // namespace loupe
