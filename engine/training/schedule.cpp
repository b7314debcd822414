#include "engine/training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "kernels/common/error.h"

namespace loupe {

double learning_rate(double rate, int64_t step, int64_t steps, int64_t warmup, double final_fraction) {
  const auto refuse = [](const std::string& what) { throw UsageError("learning rate: " + what); };
  if (!(std::isfinite(rate) && rate >= 0)) refuse("it cannot be " + std::to_string(rate));
  if (steps < 1) refuse("a training of " + std::to_string(steps) + " steps has none");
  if (step < 0 || step >= steps)
    refuse("there is no step " + std::to_string(step) + " among " + std::to_string(steps));
  if (warmup < 0 || warmup > steps)
    refuse("a warm-up takes from 0 to all of the " + std::to_string(steps) + " steps, not " +
           std::to_string(warmup));
  if (!(final_fraction >= 0 && final_fraction <= 1))
    refuse("at the last step it is a fraction from 0 to 1 of the highest, not " +
           std::to_string(final_fraction));

  const int64_t peak = std::max<int64_t>(warmup, 1) - 1, last = steps - 1;
  if (step <= peak) return rate * static_cast<double>(step + 1) / static_cast<double>(peak + 1);
  const double x = static_cast<double>(step - peak) / static_cast<double>(last - peak);
  return rate * (final_fraction + (1 - final_fraction) * (1 + std::cos(std::numbers::pi * x)) / 2);
}

}  // namespace loupe
