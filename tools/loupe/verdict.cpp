#include "tools/loupe/verdict.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace loupe {

std::vector<Verdict> rank(const ImageModel& network, const Tensor& logits) {
  std::vector<Verdict> all(static_cast<size_t>(logits.numel()));
  double largest = -INFINITY, sum = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].index = static_cast<int64_t>(i);
    all[i].score = logits.item(all[i].index);
    if (!std::isfinite(all[i].score))
      throw Error(network.name() + " gives class " + std::to_string(i) +
                  " a score that is not finite; are the weights sound?");
    largest = std::max(largest, all[i].score);
  }
  for (const Verdict& v : all) sum += std::exp(v.score - largest);
  for (Verdict& v : all) {
    v.probability = std::exp(v.score - largest) / sum;
    v.label = network.label(v.index);
  }
  std::ranges::stable_sort(all, std::ranges::greater(), &Verdict::score);
  return all;
}

}  // namespace loupe
