// Whole files in and out, with one-line errors.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace loupe {

/// All bytes of a regular file. Throws Error without the file's name ("there is no such file"), for the
/// caller to put "cannot read NAME: " in front.
std::vector<uint8_t> read_file(const std::filesystem::path& path);

/// Writes under a temporary name in the same folder, then renames: the file is complete or not there. Throws
/// Error, naming the file, where that fails (no such folder, no permission, a full disk).
void write_file(const std::filesystem::path& path, std::span<const uint8_t> bytes);
void write_text(const std::filesystem::path& path, std::string_view text);

}  // namespace loupe
