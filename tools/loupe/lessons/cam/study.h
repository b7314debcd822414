// What `loupe lesson cam` finds, and its page.
#pragma once
#include <string>
#include <vector>

#include "tools/loupe/lessons/page.h"
#include "tools/loupe/lessons/subject.h"

namespace loupe {

/// A channel of the last maps: its mean, the class's weight, and their product.
struct Share {
  int64_t channel = 0;
  double mean = 0, weight = 0, product = 0;
};

struct CamLesson {
  std::string maps_of = {};
  Tensor maps = {};                // (1, K, h, w)
  Tensor map = {};                 // (h, w), of the method `cam`
  std::vector<Share> shares = {};  // the largest |product| first
  double of_channels = 0, of_map = 0, bias = 0, score = 0;
};
/// Of one class. Throws UsageError where the network's class maps are no sum of weighted maps.
CamLesson study_cam(ImageModel& network, const Subject& subject, const Verdict& asked);

/// The page, on which weights can be changed, of the class that was asked about and of others.
LessonPage cam_page(ImageModel& network, const Subject& subject, const Verdict& asked);

}  // namespace loupe
