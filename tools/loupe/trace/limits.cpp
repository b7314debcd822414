// What an H100 needs at least for what was counted.
#include <algorithm>
#include <cmath>

#include "tools/loupe/text.h"
#include "tools/loupe/trace/trace.h"

namespace loupe {

// NVIDIA's data sheet and white paper of the H100 SXM. The clock is the one at which the data sheet's 67
// TFLOP/s are 132 · 128 multiply-adds a cycle.
namespace h100 {
constexpr double kMultiprocessors = 132, kFmaLanes = 128;
constexpr double kClock = 1.98e9, kDramBytes = 3.35e12;  // a second
}  // namespace h100

Limits limits_of(const Trace& t) {
  int64_t l1_cycles = 0, dram_bytes = 0;
  for (const TracedLaunch& l : t.launches) {
    l1_cycles += l.l1_cycles;
    dram_bytes += l.distinct_bytes;
  }
  const auto each = [](int64_t n) { return static_cast<double>(n) / h100::kMultiprocessors; };
  return {.fma = each(t.multiply_adds) / h100::kFmaLanes,
          .shared = each(t.wavefronts()),
          .shared_and_l1 = each(t.wavefronts() + l1_cycles),
          .dram = static_cast<double>(dram_bytes) * (h100::kClock / h100::kDramBytes)};
}

double Limits::largest() const { return std::max({fma, shared_and_l1, dram}); }

std::string Limits::binding() const {
  if (largest() == fma) return "FMA";
  return largest() == dram ? "DRAM" : "shared memory and L1";
}

std::string cycles_text(double cycles) {
  if (cycles == 0) return "–";
  return cycles < 10 ? short_number(cycles) : with_commas(std::llround(cycles));
}

std::vector<std::string> limits_explained() {
  return {
      "FMA: multiply-adds / (132 · 128). They are those of the op's formula, padding and all, not counted "
      "in the kernel, which may do more at the edge of a tile.",
      "Shared memory: wavefronts / 132. With L1: (wavefronts + L1 cycles) / 132, since one memory is both; "
      "a request for global memory takes an L1 cycle for every four sectors, at least one.",
      "DRAM: bytes / 1692, of every sector that a launch touches, once: as if the L2 cache had nothing "
      "before and kept everything after. How fast L2 is NVIDIA does not say.",
      "Each part alone, as if nothing ever waited and the work were spread evenly, for which it takes 132 "
      "blocks or more. NVIDIA's figures of the H100 SXM, not measured: 132 multiprocessors, each with 128 "
      "float32 lanes and 128 bytes a cycle from shared memory and L1; 3.35 TB/s from DRAM, at 1.98 GHz "
      "1692 bytes a cycle."};
}

}  // namespace loupe
