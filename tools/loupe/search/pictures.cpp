#include "tools/loupe/search/pictures.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "engine/run/recall.h"
#include "models/zoo/zoo.h"
#include "tools/loupe/inputs.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDrawn = "zoo:";

std::string drawn_name(uint64_t seed, int64_t index) {
  char text[64];
  std::snprintf(text, sizeof text, "%s%llu:%09lld", kDrawn, static_cast<unsigned long long>(seed),
                static_cast<long long>(index));
  return text;
}

// Its seed and index.
std::optional<std::pair<uint64_t, int64_t>> drawn_one(const std::string& name) {
  unsigned long long seed = 0;
  long long index = 0;
  if (std::sscanf(name.c_str(), "zoo:%llu:%lld", &seed, &index) != 2) return std::nullopt;
  return std::pair(uint64_t{seed}, int64_t{index});
}

}  // namespace

PictureList::PictureList(std::string folder, int64_t drawn, uint64_t seed, const std::string& except)
    : folder_(std::move(folder)), drawn_(drawn), seed_(seed) {
  std::error_code error;
  if (!folder_.empty()) {
    if (fs::is_directory(folder_, error)) {
      try {
        files_ = FileNames(folder_, except);
      } catch (const fs::filesystem_error& e) {
        throw UsageError("cannot read the folder '" + folder_ + "': " + e.code().message());
      }
    } else if (fs::exists(folder_, error)) {
      file_ = fs::path(folder_).filename().string();
      folder_ = fs::path(folder_).parent_path().string();
    } else {
      throw UsageError("there is no folder '" + folder_ + "'");
    }
    if (files() == 0 && drawn_ == 0) throw UsageError("the folder '" + folder_ + "' holds no files");
  }
  Recall::Key key{};
  const auto add = [&](const auto& v) { Recall::add(key, std::as_bytes(std::span(v))); };
  for (int64_t i = 0; i < files(); ++i) {
    const std::string name = this->name(i);
    add(name);
    add(std::array<uint64_t, 1>{fs::file_size(fs::path(folder_) / name, error)});
  }
  add(std::array<uint64_t, 2>{static_cast<uint64_t>(drawn_), drawn_ ? seed_ : 0});
  digest_ = key[0];
}

std::string PictureList::name(int64_t i) {
  if (i >= files()) return drawn_name(seed_, i - files());
  return file_.empty() ? files_.at(i) : file_;
}

std::string PictureList::label(const std::string& name) const {
  if (const auto drawn = drawn_one(name); drawn && drawn_ > 0)
    return zoo::labels()[static_cast<size_t>(zoo::class_of(drawn->second))];
  const size_t slash = name.find('/');
  return slash == name.npos ? "" : name.substr(0, slash);
}

Tensor PictureList::read(const std::string& name, const Preprocessing& how, Orientation orientation) const {
  if (const auto drawn = drawn_one(name); drawn && drawn_ > 0)
    return preprocess(zoo::draw(drawn->first, drawn->second, {.masks = false}).image, how);
  return read_input((fs::path(folder_) / name).string(), how, orientation);
}

}  // namespace loupe
