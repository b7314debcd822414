// `loupe train --head pooled`: a network whose trunk stays as it is learns a new head, global average pooling and a
// linear layer, from the zoo's pictures or from those of a folder. Then `--method cam` suits it.
#pragma once
#include <cstdint>
#include <string>

#include "engine/training/trainer.h"
#include "tools/loupe/options.h"

namespace loupe {

struct HeadTraining {
  std::string network;
  std::string
      init;  // weights of the trunk: a file, a network whose are built in, "formula", or "" for its own
  std::string pictures;  // a folder with a folder of pictures for each class; empty: the zoo
  int64_t count;         // pictures of the zoo
  TrainingSettings settings;
  uint64_t seed;
  DeviceChoice device;
  std::string out;  // the folder of the results
  int64_t test;     // pictures of the zoo to test on; 0: none
  uint64_t test_seed;
  bool json;
};

/// Leaves NETWORK.safetensors, labels.txt and NETWORK.json in the folder, and prints what came of it. Throws UsageError
/// and Error, one line.
void train_pooled_head(const HeadTraining& s);

}  // namespace loupe
