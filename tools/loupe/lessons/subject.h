// What lessons about a network look at: the network, and a picture.
#pragma once
#include <string>

#include "engine/run/image_model.h"
#include "tools/loupe/options.h"
#include "tools/loupe/verdict.h"

namespace loupe {

struct SubjectChoice {
  ModelChoice model;
  WeightsChoice weights;
  DeviceChoice device;
  void add_to(CLI::App& app);
  /// Throws UsageError before anything is loaded, and Error.
  ImageModel load() const;
};

/// A picture as the network takes it, with its name: the file, or where `path` is empty the zoo's picture of that class.
struct Subject {
  std::string name;
  Tensor x;                      // (1, C, H, W)
  std::vector<Verdict> ranking;  // its classes, the likeliest first
};
Subject read_subject(ImageModel& network, const std::string& path, int64_t drawn_class);

/// One class as --class says it, or the picture's likeliest where it says nothing. Throws UsageError.
Verdict chosen_class(const ImageModel& network, const Subject& subject, const std::string& text);

}  // namespace loupe
