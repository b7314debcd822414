#include "engine/file/file_names.h"

#include <algorithm>

#include "kernels/common/draws.h"
#include "kernels/common/error.h"

namespace loupe {

namespace {

namespace fs = std::filesystem;

template <typename Body>
void walk(const fs::path& folder, const fs::path& except, const Body& body) {
  fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied), end;
  for (; at != end; ++at) {
    const fs::path& path = at->path();
    std::error_code error;
    if (path.filename().string().starts_with('.') ||
        (at->is_directory(error) && !except.empty() && fs::equivalent(path, except, error)))
      at.disable_recursion_pending();
    else if (!at->is_directory(error))
      body(path.lexically_relative(folder).generic_string());
  }
}

// The first `most` names from `from` on, sorted. `count`: how many there are from there on.
std::vector<std::string> next_names(const fs::path& folder, const fs::path& except, int64_t most,
                                    const std::string& from, int64_t& count) {
  std::vector<std::string> names;
  const auto keep = static_cast<size_t>(most);
  const std::string* last = nullptr;  // what comes after it cannot be one of the first
  std::string largest;
  const auto cut = [&] {
    if (names.size() <= keep) return;
    std::ranges::nth_element(names, names.begin() + static_cast<std::ptrdiff_t>(keep) - 1);
    names.resize(keep);
    largest = names.back();
    last = &largest;
  };
  count = 0;
  walk(folder, except, [&](std::string name) {
    if (name < from) return;
    ++count;
    if (last && name >= *last) return;
    names.push_back(std::move(name));
    if (names.size() >= 2 * keep) cut();
  });
  cut();
  std::ranges::sort(names);
  return names;
}

uint64_t digest_of(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += name + '\0';
  return fnv1a64(all);
}

}  // namespace

FileNames::FileNames(fs::path folder, fs::path except, int64_t stretch)
    : folder_(std::move(folder)), except_(std::move(except)), stretch_(stretch) {
  names_ = next_names(folder_, except_, stretch_, "", size_);
  now_ = 0;
  if (size_ > 0) stretches_.push_back({names_.front(), digest_of(names_)});
  while (std::ssize(stretches_) * stretch_ < size_) {
    int64_t rest = 0;
    const std::string next = names_.back() + '\0';  // nothing lies between the two
    names_ = next_names(folder_, except_, stretch_, next, rest);
    size_ = std::ssize(stretches_) * stretch_ + rest;  // the folder may have changed
    if (names_.empty()) break;
    now_ = std::ssize(stretches_);
    stretches_.push_back({names_.front(), digest_of(names_)});
  }
}

const std::string& FileNames::at(int64_t i) {
  const int64_t stretch = i / stretch_;
  if (i < 0 || i >= size_) throw Error("there is no file " + std::to_string(i));
  if (stretch != now_) {
    int64_t rest = 0;
    const Stretch& of = stretches_[static_cast<size_t>(stretch)];
    now_ = -1;
    names_ = next_names(folder_, except_, stretch_, of.first, rest);
    if (digest_of(names_) != of.digest)
      throw Error("the folder '" + folder_.string() + "' has other files now than when it was listed");
    now_ = stretch;
  }
  return names_[static_cast<size_t>(i % stretch_)];
}

}  // namespace loupe
