// The two forms in which `loupe lesson deconv` shows its numbers.
#pragma once
#include <string>
#include <vector>

#include "tools/loupe/lessons/deconv/study.h"
#include "tools/loupe/lessons/page.h"

namespace loupe {

/// What was asked for, and all that is made of it.
struct DeconvLesson {
  std::string device = {};
  DeconvStudy row = {};
  DeconvPicture picture = {};
  UnpoolStudy unpooling = {};
  std::vector<FilterCheck> filters = {};
};

/// For a terminal.
std::string deconv_text(const DeconvLesson&);
/// The page. `examples`: what the page's script is compared with; the first one is shown.
LessonPage deconv_page(const DeconvLesson&, const std::vector<DeconvStudy>& examples);

}  // namespace loupe
