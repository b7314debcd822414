#include "tools/loupe/targets.h"

#include <algorithm>
#include <charconv>

#include "models/io/labels.h"
#include "tools/loupe/options.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

struct Classes {
  std::span<const std::string> labels;
  int64_t count;

  // An index, or a label as a whole.
  std::optional<int64_t> exact(const std::string& text) const {
    try {
      const int64_t cls = find_class(text, labels, count);
      const auto same = [](std::string_view a, std::string_view b) {
        return std::ranges::equal(a, b, {}, lower, lower);
      };
      if (is_index(text)) return cls;
      return same(text, labels[static_cast<size_t>(cls)]) ? std::optional(cls) : std::nullopt;
    } catch (const UsageError&) {
      return std::nullopt;
    }
  }
  // That, or a part that one label alone has.
  std::optional<int64_t> near(const std::string& text) const {
    try {
      return find_class(text, labels, count);
    } catch (const UsageError&) {
      return std::nullopt;
    }
  }
  std::string name(int64_t cls) const {
    const auto i = static_cast<size_t>(cls);
    return i < labels.size() ? labels[i] : "class " + std::to_string(cls);
  }

 private:
  static char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
  static bool is_index(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  }
};

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == text.npos ? "" : text.substr(begin, end - begin + 1);
}

Asked one_class(int64_t cls, const std::string& text, const Classes& classes) {
  return {.target = Target(cls).called(classes.name(cls)), .text = text, .cls = cls};
}

// Every way to read "A-B" in which `find` knows both sides.
template <typename Find>
std::vector<std::pair<int64_t, int64_t>> differences(const std::string& text, const Find& find) {
  std::vector<std::pair<int64_t, int64_t>> found;
  for (size_t at = text.find('-', 1); at != text.npos; at = text.find('-', at + 1)) {
    const auto a = find(trimmed(text.substr(0, at))), b = find(trimmed(text.substr(at + 1)));
    if (a && b) found.emplace_back(*a, *b);
  }
  return found;
}

Asked parse_one(const std::string& text, const Classes& classes) {
  if (const auto cls = classes.exact(text)) return one_class(*cls, text, classes);
  const auto exact = [&](const std::string& part) { return classes.exact(part); };
  const auto near = [&](const std::string& part) { return classes.near(part); };
  std::vector<std::pair<int64_t, int64_t>> pairs = differences(text, exact);
  if (pairs.empty()) {
    if (const auto cls = classes.near(text)) return one_class(*cls, text, classes);
    pairs = differences(text, near);
  }
  if (pairs.size() > 1)
    throw UsageError("'" + text + "' is a difference of classes in " + std::to_string(pairs.size()) +
                     " ways; give their indices");
  if (pairs.empty()) {
    const size_t dash = text.find('-', 1);
    // Of a difference, the side that is none says what is wrong.
    if (dash != text.npos && dash == text.rfind('-'))
      for (const std::string& side : {trimmed(text.substr(0, dash)), trimmed(text.substr(dash + 1))})
        find_class(side, classes.labels, classes.count);
    return one_class(find_class(text, classes.labels, classes.count), text, classes);  // throws
  }
  const auto [a, b] = pairs[0];
  if (a == b) throw UsageError("'" + text + "' is the difference of a class and itself, which is 0");
  return {.target = Target::difference(a, b).called(classes.name(a) + " − " + classes.name(b)),
          .text = text,
          .minus = pairs[0]};
}

// Parts of a list: as many as are a label together, or else one.
std::vector<std::string> list_of(const std::string& text, const Classes& classes) {
  std::vector<size_t> ends;
  for (size_t at = text.find(','); at != text.npos; at = text.find(',', at + 1)) ends.push_back(at);
  ends.push_back(text.size());
  std::vector<std::string> parts;
  for (size_t first = 0, from = 0; first < ends.size();) {
    size_t last = ends.size() - 1;
    while (last > first && !classes.exact(trimmed(text.substr(from, ends[last] - from)))) --last;
    parts.push_back(trimmed(text.substr(from, ends[last] - from)));
    from = ends[last] + 1;
    first = last + 1;
  }
  return parts;
}

}  // namespace

std::vector<Asked> parse_classes(const std::string& text, std::span<const std::string> labels,
                                 int64_t count) {
  const Classes classes{labels, count};
  std::vector<Asked> all;
  for (const std::string& part : list_of(text, classes)) {
    Asked asked = parse_one(part, classes);
    for (const Asked& other : all)
      if (other.cls == asked.cls && other.minus == asked.minus)
        throw UsageError("--class names " + asked.target.words() + " twice: '" + other.text + "' and '" +
                         part + "'");
    all.push_back(std::move(asked));
  }
  return all;
}

std::pair<int64_t, std::optional<std::pair<int64_t, int64_t>>> parse_unit(const std::string& text) {
  std::vector<int64_t> numbers;
  for (const std::string& part : split_commas(text)) {
    int64_t n = -1;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), n);
    if (error != std::errc() || end != part.data() + part.size() || n < 0) break;
    numbers.push_back(n);
  }
  const bool whole = std::ranges::count(text, ',') + 1 == std::ssize(numbers);
  if (!whole || (numbers.size() != 1 && numbers.size() != 3))
    throw UsageError("--unit takes C, a channel, or C,y,x, a channel at a place, all counted from 0, not '" +
                     text + "'");
  if (numbers.size() == 1) return {numbers[0], std::nullopt};
  return {numbers[0], std::pair(numbers[1], numbers[2])};
}

void TargetChoice::add_to(CLI::App& app, const std::string& group) {
  value_option(
      app, "--class", classes, "C",
      "The class to explain: its index, its label, or a part that no other label has; A-B: what speaks for A "
      "rather than B; C,C: each of them, from one forward pass (the likeliest)",
      group);
  value_option(
      app, "--layer", layer, "L",
      "With --unit: the layer of the unit to explain. Alone: `layer` of the methods that have this option",
      group);
  value_option(
      app, "--unit", unit, "C[,y,x]",
      "In the place of a class, unit C of layer L: of maps at (y, x), or without them the sum over all "
      "places; of tokens, the sum over all of them",
      group);
}

void TargetChoice::check() const {
  if (unit.empty()) return;
  if (layer.empty()) throw UsageError("--unit needs --layer, the layer of the unit");
  if (!classes.empty()) throw UsageError("--unit and --class are two things to explain: give one of them");
  parse_unit(unit);
}

std::vector<Asked> TargetChoice::chosen(const Graph& graph, std::span<const std::string> labels,
                                        int64_t count) const {
  check();
  if (!classes.empty()) return parse_classes(classes, labels, count);
  if (unit.empty()) return {{}};
  const NodeId node = graph.find(layer);
  if (!graph.node(node).op) throw UsageError("--layer " + layer + " is no layer that computes something");
  const auto [channel, place] = parse_unit(unit);
  const Target target = Target::unit(channel, place).of(node);
  return {{.target = target.called(target.words() + " of " + layer), .text = unit, .layer = layer}};
}

}  // namespace loupe
