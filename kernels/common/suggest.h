// "Did you mean": the names nearest to one that does not exist.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loupe {

/// At most `most` of `names`, nearest first, that are within a third of `wanted`'s length (at least 2) in
/// edit distance: insertions, deletions and changes of a character. Case does not count.
std::vector<std::string> nearest_names(std::string_view wanted, std::span<const std::string> names,
                                       size_t most = 3);

/// "; did you mean 'vgg16' or 'vgg19'?" for the end of an error, or "" if nothing is near.
std::string did_you_mean(std::string_view wanted, std::span<const std::string> names);

}  // namespace loupe
