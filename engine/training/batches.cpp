#include "engine/training/batches.h"

#include <algorithm>
#include <utility>

namespace loupe {

Tensor smoothed_targets(std::span<const int64_t> classes, int64_t class_count, double smoothing) {
  if (!(smoothing >= 0 && smoothing < 1))
    throw UsageError("label smoothing must lie in [0, 1), not be " + std::to_string(smoothing));
  Tensor targets(Dtype::f32, {std::ssize(classes), class_count});
  const auto t = targets.values<float>();
  const double share = smoothing / static_cast<double>(class_count);
  std::ranges::fill(t, static_cast<float>(share));
  for (size_t n = 0; n < classes.size(); ++n) {
    if (classes[n] < 0 || classes[n] >= class_count)
      throw UsageError("there is no class " + std::to_string(classes[n]) + ": the network has " +
                       std::to_string(class_count) + ", counted from 0");
    t[n * static_cast<size_t>(class_count) + static_cast<size_t>(classes[n])] =
        static_cast<float>(1 - smoothing + share);
  }
  return targets;
}

Batches::Batches(Draw draw, int64_t first_step, size_t ahead)
    : draw_(std::move(draw)), ahead_(ahead), thread_([this, first_step] { run(first_step); }) {}

Batches::~Batches() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Batches::run(int64_t step) {
  try {
    for (;; ++step) {
      Batch batch = draw_(step);
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stop_ || ready_.size() < ahead_; });
      if (stop_) return;
      ready_.push_back(std::move(batch));
      changed_.notify_all();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failed_ = std::current_exception();
    changed_.notify_all();
  }
}

Batch Batches::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !ready_.empty() || failed_; });
  if (ready_.empty()) std::rethrow_exception(failed_);
  Batch batch = std::move(ready_.front());
  ready_.pop_front();
  changed_.notify_all();
  return batch;
}

}  // namespace loupe
