#include "models/zoo/zoo.h"

namespace loupe::zoo {

const std::vector<std::string>& labels() {
  static const std::vector<std::string> names{"husky",   "dalmatian",  "kit fox",   "cat",     "ant",
                                              "crab",    "iguana",     "goose",     "ostrich", "flamingo",
                                              "pelican", "hartebeest", "speedboat", "shirt"};
  return names;
}

}  // namespace loupe::zoo
