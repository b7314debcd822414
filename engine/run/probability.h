// The probability that a network's logits give a class.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

namespace loupe {

/// softmax(logits)_cls, computed in double. A network of one logit tells one class from all else, and its
/// probability is the sigmoid.
inline double class_probability(std::span<const double> logits, int64_t cls) {
  const double score = logits[static_cast<size_t>(cls)];
  if (logits.size() == 1)
    return score >= 0 ? 1 / (1 + std::exp(-score)) : std::exp(score) / (1 + std::exp(score));
  const double top = *std::ranges::max_element(logits);
  double sum = 0;
  for (const double x : logits) sum += std::exp(x - top);
  return std::exp(score - top) / sum;
}

}  // namespace loupe
