// JSON files of settings, read flat: the scalars of objects by their path ("rope_parameters.rope_theta"). Arrays are
// left out, and what lies in them.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

namespace loupe {

using JsonScalar = std::variant<int64_t, double, bool, std::string>;

/// `null` is not there. Throws Error, one line that names the file, for what is no JSON object. Memory and stack are
/// bounded by the length of `json`, however deep its brackets go.
std::map<std::string, JsonScalar, std::less<>> flat_json(std::string_view json, const std::string& file);

}  // namespace loupe
