// The two forms in which `loupe lesson relu` shows its table.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/loupe/compare/compare.h"
#include "tools/loupe/lessons/page.h"

namespace loupe {

/// Lists of 16 numbers: "x", "forward", "signal", "gradient", "deconvnet", "guided_backprop".
nlohmann::ordered_json as_json(const RuleTable& table);
/// The page, on which the first table is shown; its script is compared with all of them.
LessonPage relu_page(const std::string& device, const std::vector<RuleTable>& examples);

}  // namespace loupe
