#include "models/io/labels.h"

#include <algorithm>
#include <charconv>

#include "engine/file/mapped_file.h"
#include "kernels/common/error.h"
#include "kernels/common/suggest.h"

namespace loupe {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// "'crane' (134), 'crane' (517), …"
std::string list(const std::vector<size_t>& found, std::span<const std::string> labels) {
  constexpr size_t kMost = 5;
  std::string text;
  for (size_t i = 0; i < std::min(found.size(), kMost); ++i)
    text += (i ? ", '" : "'") + labels[found[i]] + "' (" + std::to_string(found[i]) + ")";
  return found.size() > kMost ? text + ", …" : text;
}

// A label is often a phrase, and what was mistyped one word of it.
std::string suggestion(std::string_view text, std::span<const std::string> labels) {
  const std::string whole = did_you_mean(text, labels);
  if (!whole.empty()) return whole;
  std::vector<std::string> words;
  for (std::string_view rest : labels)
    while (!rest.empty()) {
      const size_t end = std::min(rest.find_first_of(" ,"), rest.size());
      if (end > 0) words.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  return did_you_mean(text, words);
}

}  // namespace

std::vector<std::string> read_labels(const std::string& path) {
  const auto file = MappedFile::open(path);
  std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  if (text.find('\0') != text.npos) throw Error("'" + path + "' is not a text file of labels");
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // the byte order mark of some editors
  std::vector<std::string> labels;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    labels.emplace_back(trim(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  if (labels.empty()) throw Error("'" + path + "' holds no labels; it needs one a line, in class order");
  return labels;
}

int64_t find_class(std::string_view text, std::span<const std::string> labels, int64_t classes) {
  const std::string wanted = lower(trim(text));
  const std::string shown = "class '" + std::string(trim(text)) + "'";
  if (wanted.empty()) throw UsageError("the class is empty; give its index or its label");
  const std::string_view digits = std::string_view(wanted).substr(wanted[0] == '-');
  if (!digits.empty() && digits.find_first_not_of("0123456789") == digits.npos) {
    int64_t index = -1;
    const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), index);
    if (error != std::errc() || index < 0 || index >= classes)
      throw UsageError(shown + " is out of range; the model has classes 0 to " + std::to_string(classes - 1));
    return index;
  }
  if (labels.empty())
    throw UsageError(shown + " is not an index, and there are no labels; give --labels FILE");

  std::vector<size_t> whole, part;
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::string label = lower(labels[i]);
    if (label == wanted) whole.push_back(i);
    if (label.find(wanted) != label.npos) part.push_back(i);
  }
  const std::vector<size_t>& found = whole.empty() ? part : whole;
  if (found.empty()) throw UsageError("no " + shown + " among the labels" + suggestion(trim(text), labels));
  if (found.size() > 1)
    throw UsageError(shown + " fits " + std::to_string(found.size()) + " labels: " + list(found, labels) +
                     "; give the index");
  const auto index = static_cast<int64_t>(found[0]);
  if (index >= classes)
    throw UsageError(shown + " is label " + std::to_string(index) + ", but the model has only " +
                     std::to_string(classes) + " classes");
  return index;
}

}  // namespace loupe
