// Names of files and folders that are made from names of other things.
#pragma once
#include <string>
#include <string_view>

namespace loupe {

/// The text as the name of a file: what a file system, a shell's pattern or a list with commas would take for something
/// else (`/ \ : * ? " < > | , %`, control characters, a dot at the beginning) is written as %XX. Different texts have
/// different names. Longer than 120 bytes, a name is cut and ends with a digest of the whole. Every name of a file that
/// comes from a map, a layer, a class or a label goes through here.
std::string file_name(std::string_view text);
/// A path of such names as an address in a page: again %XX, so that a browser finds the name with its %XX.
std::string address(std::string_view path);

}  // namespace loupe
