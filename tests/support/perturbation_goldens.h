// The goldens of methods that hide parts of a picture.
#pragma once
#include <doctest/doctest.h>

#include <string>

#include "tests/support/shared_maps.h"

namespace loupe::test {

/// RISE, feature ablation, KernelSHAP and LIME of a photograph, each with its scores, within `bound`.
inline void check_perturbations(const std::string& photo, Device device, double bound) {
  CAPTURE(photo);
  CAPTURE(device.str());
  const auto compare = [&](const Explanation& found, std::initializer_list<std::string> names) {
    for (const std::string& name : names) {
      const double distance = shared_distance(photo, name, map_of(found, name));
      MESSAGE(photo << " on " << device.str() << ", " << name << ": " << distance);
      CHECK(distance <= bound);
    }
  };
  compare(explain_shared(photo, device, "rise", {{"samples", "200"}}),
          {"rise", "rise.probability", "rise.logit"});
  compare(explain_shared(photo, device, "feature_ablation", {{"grid", "7"}}), {"feature_ablation"});
  compare(explain_shared(photo, device, "kernel_shap"), {"kernel_shap", "kernel_shap.value"});
  compare(explain_shared(photo, device, "lime"), {"lime", "lime.value", "lime.intercept"});
}

}  // namespace loupe::test
