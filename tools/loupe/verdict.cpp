#include "tools/loupe/verdict.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "engine/run/probability.h"

namespace loupe {

std::vector<Verdict> rank(const ImageModel& network, const Tensor& logits) {
  std::vector<Verdict> all(static_cast<size_t>(logits.numel()));
  const Tensor doubles = logits.to(Dtype::f64);
  const std::span<const double> scores = doubles.values<double>();
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].index = static_cast<int64_t>(i);
    all[i].score = scores[i];
    if (!std::isfinite(all[i].score))
      throw Error(network.name() + " gives class " + std::to_string(i) +
                  " a score that is not finite; are the weights sound?");
  }
  for (Verdict& v : all) {
    v.probability = class_probability(scores, v.index);
    v.label = network.label(v.index);
  }
  std::ranges::stable_sort(all, std::ranges::greater(), &Verdict::score);
  return all;
}

}  // namespace loupe
