// Batches: what a step of training learns from, made ahead of it by a thread in the background.
#pragma once
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "engine/tensor/tensor.h"

namespace loupe {

struct Batch {
  Tensor images;                 // (N, 3, H, W), f32, preprocessed
  std::vector<int64_t> classes;  // of each image
};

/// A distribution a row, (N, classes) f32: 1 − smoothing at the image's class, and `smoothing` shared by all
/// (Szegedy et al. 2016, "Rethinking the Inception architecture", §7). Throws UsageError for a class that
/// does not exist or a smoothing outside [0, 1).
Tensor smoothed_targets(std::span<const int64_t> classes, int64_t class_count, double smoothing);

class Batches {
 public:
  /// The batch of a step, a function of the step alone, so that training can go on where it stopped. Runs in
  /// the background; parallel loops in it take the cores away from the step.
  using Draw = std::function<Batch(int64_t step)>;

  /// Draws the batches of first_step, first_step + 1 …, up to `ahead` before they are asked for.
  Batches(Draw draw, int64_t first_step, size_t ahead = 2);
  ~Batches();
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;

  /// The next one. Throws what drawing it threw.
  Batch next();

 private:
  void run(int64_t step);

  Draw draw_;
  size_t ahead_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> ready_;
  std::exception_ptr failed_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace loupe
