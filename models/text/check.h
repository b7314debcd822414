// Whether a TextConfig makes a network.
#pragma once
#include <string>

#include "models/text/config.h"

namespace loupe {

/// Throws Error, one line that starts with `who`, for sizes that are none or do not fit each other.
void check_text_config(const TextConfig& config, const std::string& who);

}  // namespace loupe
