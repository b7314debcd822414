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
  Tensor input;  // images (N, 3, H, W), f32, preprocessed; or tokens (N, L), i32
  std::vector<int64_t>
      classes;  // what is right: of each image its class, of each token, in turn, the next one
};

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
