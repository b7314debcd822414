// Sequences of tokens from a JSON file.
#pragma once
#include <string>
#include <vector>

#include "models/text/text_model.h"

namespace loupe {

/// [[504, 3575], [282]], one list a sequence, or a single list. Throws Error, one line that names the file, for anything
/// else.
std::vector<Ids> read_ids(const std::string& path);
/// "504,3575,282". Throws UsageError naming the option.
Ids parse_ids(const std::string& option, const std::string& text);

}  // namespace loupe
