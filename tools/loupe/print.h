// Standard output, where a failure to write (a full disk, a closed pipe) is an error like any other.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace loupe {

/// Throws Error if the text cannot be written.
void print(std::string_view text);
/// Indented, with a line break at the end. Text that is not UTF-8 is repaired.
void print_json(const nlohmann::ordered_json& document);

}  // namespace loupe
