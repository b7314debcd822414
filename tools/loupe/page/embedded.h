// Data that the command carries: style sheets and scripts of pages.
#pragma once
#include <string_view>

namespace loupe {

/// The bytes of a file below tools/loupe, by its name without the folder. Throws Error where there is none.
/// (Generated from the names of the files.)
std::string_view embedded(std::string_view file);

}  // namespace loupe
