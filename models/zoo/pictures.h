// The zoo's pictures as networks take them: batches to learn from, and how many of them a network names
// right.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/run/image_model.h"
#include "engine/run/passes.h"
#include "engine/training/batches.h"
#include "models/zoo/zoo.h"

namespace loupe::zoo {

/// The set that training with this seed draws from: a number far from those that people type, so that any
/// other set is held out.
uint64_t training_set(uint64_t seed);

/// Pictures first … first + count − 1 of a set, in one thread.
Batch batch(uint64_t set, int64_t first, int64_t count, const Preprocessing& how);

/// What a network called the pictures of a class.
struct Verdicts {
  int64_t count = 0;
  std::vector<std::vector<int64_t>> called;  // [true class][what the network said]
  std::vector<int64_t> said;                 // of each picture
  int64_t right() const;
  double accuracy() const { return static_cast<double>(right()) / static_cast<double>(count); }
};

/// Names pictures 0 … count − 1 of a set. Throws UsageError for a network without the zoo's classes or size,
/// and for a count below 1.
Verdicts test(ImageModel& model, uint64_t set, int64_t count, const Options& options,
              const Progress& progress);

}  // namespace loupe::zoo
