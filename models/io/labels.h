// Class names, and finding the class that a user means.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loupe {

/// One label a line, in class order; blank lines at the end do not count. Throws Error naming the file if it
/// cannot be read, holds no label or is not text.
std::vector<std::string> read_labels(const std::string& path);

/// The class that `text` names: an index below `classes`; or a whole label; or a part of exactly one label.
/// Case does not count. Throws UsageError for an index out of range, for text that fits several labels (it
/// lists them), and for text that fits none (it suggests labels). `labels` may be empty: then only an index
/// will do.
int64_t find_class(std::string_view text, std::span<const std::string> labels, int64_t classes);

}  // namespace loupe
