// What the methods deeplift and deeplift_shap share: they differ in their usual baselines.
#pragma once
#include <string>

#include "engine/run/method.h"

namespace loupe {

/// A method of that name, with the options `rule`, `baseline` (engine/methods/baseline.h; `usual` where not said) and
/// `noise`, and the map of its name.
Method deeplift_method_with(std::string_view name, std::string_view summary, std::string_view source,
                            const std::string& usual);

}  // namespace loupe
