#include "engine/neurons/statistics.h"

#include <algorithm>
#include <cmath>

#include "engine/run/passes.h"
#include "kernels/common/parallel.h"

namespace loupe {
namespace {

struct Seen {  // of one channel of one picture
  double mean = 0, inactive = 0;
};

template <typename T>
Seen see(std::span<const T> map) {
  double sum = 0;
  int64_t inactive = 0;
  for (const T v : map) {
    sum += static_cast<double>(v);
    inactive += v > 0 ? 0 : 1;
  }
  const auto cells = static_cast<double>(map.size());
  return {sum / cells, static_cast<double>(inactive) / cells};
}

std::span<double> numbers(const Tensor& t) { return t.values<double>(); }

}  // namespace

UnitStatistics::UnitStatistics(Network& network, std::vector<NodeId> layers, int64_t classes)
    : network_(network), layers_(std::move(layers)) {
  int64_t channels = 0;
  for (const NodeId n : layers_) {
    first_.push_back(channels);
    channels += network_.graph().node(n).shape()[1];
  }
  sums_ = Tensor::zeros(Dtype::f64, {channels, 3});
  means_ = Tensor::zeros(Dtype::f64, {classes, channels});
  counts_ = Tensor::zeros(Dtype::f64, {classes + 1});
}

void UnitStatistics::restore(const State& s) {
  if (s.channels.shape() != sums_.shape() || s.means.shape() != means_.shape() ||
      s.counts.shape() != counts_.shape())
    throw Error("these statistics are of other layers or classes");
  sums_ = s.channels.to(Dtype::f64).clone();
  means_ = s.means.to(Dtype::f64).clone();
  counts_ = s.counts.to(Dtype::f64).clone();
  count_ = numbers(counts_).back();
}

void UnitStatistics::add(const Tensor& pictures, std::span<const int64_t> classes) {
  expect_images(network_, pictures);
  if (!classes.empty() && std::ssize(classes) != pictures.shape()[0])
    throw UsageError("each picture needs a class");
  const NodeId result = network_.graph().output();
  Purpose purpose;
  for (const NodeId n : layers_) purpose.values.emplace_back(n);
  if (classes.empty() && !std::ranges::count(layers_, result)) purpose.values.emplace_back(result);
  in_batches(network_, pictures.shape().with(0, 1), pictures.shape()[0], purpose, {},
             [&](int64_t begin, int64_t end) {
               Execution& pass = network_.execution(pictures.shape().with(0, end - begin), purpose);
               pass.forward(pictures.slice(begin, end));
               std::vector<int64_t> of;
               if (classes.empty())
                 of = Target(top1).classes(pass.value(result));
               else
                 of.assign(classes.begin() + begin, classes.begin() + end);
               for (size_t l = 0; l < layers_.size(); ++l) look_at(l, pass.value(layers_[l]), of);
               for (const int64_t c : of) {
                 if (c >= 0) numbers(counts_)[static_cast<size_t>(c)] += 1;
                 numbers(counts_).back() = count_ += 1;
               }
             });
}

// Means are kept rather than sums (Welford 1962), so that nothing cancels.
void UnitStatistics::look_at(size_t layer, const Tensor& maps, std::span<const int64_t> classes) {
  const int64_t channels = maps.shape()[1];
  const auto sums = numbers(sums_), means = numbers(means_);
  const std::vector<double> known(numbers(counts_).begin(), numbers(counts_).end());
  parallel_for(channels, [&](int64_t c) {
    const auto at = static_cast<size_t>(first_[layer] + c);
    std::vector<double> of_class = known;
    for (size_t n = 0; n < classes.size(); ++n) {
      const Tensor map = maps.row(static_cast<int64_t>(n)).row(c);
      const Seen s =
          maps.dtype() == Dtype::f64 ? see(map.values<const double>()) : see(map.values<const float>());
      const double before = s.mean - sums[3 * at];
      sums[3 * at] += before / (count_ + static_cast<double>(n + 1));
      sums[3 * at + 1] += before * (s.mean - sums[3 * at]);
      sums[3 * at + 2] += s.inactive;
      if (classes[n] < 0) continue;
      const auto k = static_cast<size_t>(classes[n]);
      double& mean = means[k * static_cast<size_t>(sums_.shape()[0]) + at];
      mean += (s.mean - mean) / (of_class[k] += 1);
    }
  });
}

std::vector<std::vector<ChannelStatistics>> UnitStatistics::found() const {
  std::vector<std::vector<ChannelStatistics>> all;
  const auto sums = numbers(sums_), means = numbers(means_), counts = numbers(counts_);
  const auto channels = static_cast<size_t>(sums_.shape()[0]);
  for (size_t l = 0; l < layers_.size(); ++l) {
    const auto first = static_cast<size_t>(first_[l]),
               end = l + 1 < layers_.size() ? static_cast<size_t>(first_[l + 1]) : channels;
    auto& layer = all.emplace_back();
    for (size_t c = first; c < end && count_ > 0; ++c) {
      const double variance = sums[3 * c + 1] / count_;
      ChannelStatistics s{sums[3 * c], std::sqrt(variance), sums[3 * c + 2] / count_};
      for (size_t k = 0; k + 1 < counts.size() && variance > 0; ++k) {
        const double part = counts[k] / count_;
        if (part <= 0 || part >= 1) continue;
        const double r = part * (means[k * channels + c] - s.mean) / std::sqrt(variance * part * (1 - part));
        if (!s.cls || r > s.cls->second) s.cls = {static_cast<int64_t>(k), std::clamp(r, -1.0, 1.0)};
      }
      layer.push_back(s);
    }
    if (count_ == 0) layer.resize(end - first);
  }
  return all;
}

}  // namespace loupe
