// Which layers' strips a folder holds, and of what.
#pragma once
#include "tools/loupe/features/features.h"

namespace loupe {

/// Before the first of them is drawn: what is there may be of something else.
void forget_strips(const std::filesystem::path& folder, const std::string& layer);
/// When all are there.
void note_strips(const Search& search, size_t layer, const std::vector<Way>& ways,
                 const std::filesystem::path& folder);

}  // namespace loupe
