#include "engine/run/method.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernels/common/suggest.h"

namespace loupe {

namespace {
std::string number_text(double v) {
  char text[400];  // the shortest that reads back the same
  return {text, std::to_chars(text, text + sizeof text, v, std::chars_format::fixed).ptr};
}

std::string value_text(const OptionSpec::Value& v) {
  if (const auto* i = std::get_if<int64_t>(&v)) return std::to_string(*i);
  if (const auto* d = std::get_if<double>(&v)) return number_text(*d);
  return std::get<std::string>(v);
}

// "a whole number from 1 to 10000"
std::string allowed(const OptionSpec& spec) {
  std::string text = std::holds_alternative<int64_t>(spec.standard) ? "a whole number" : "a number";
  const bool low = spec.minimum > -1e300, high = spec.maximum < 1e300;
  if (low && high) return text + " from " + number_text(spec.minimum) + " to " + number_text(spec.maximum);
  if (low) return text + " of at least " + number_text(spec.minimum);
  if (high) return text + " of at most " + number_text(spec.maximum);
  return text;
}

template <typename T>
std::optional<T> parse(const std::string& text) {
  T v{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return v;
}

template <typename T>
std::optional<OptionSpec::Value> parse_within(const OptionSpec& spec, const std::string& text) {
  const auto v = parse<T>(text);
  if (!v || !std::isfinite(static_cast<double>(*v))) return std::nullopt;
  if (static_cast<double>(*v) < spec.minimum || static_cast<double>(*v) > spec.maximum) return std::nullopt;
  return *v;
}
}  // namespace

Options::Options(std::string method, std::vector<OptionSpec> specs)
    : method_(std::move(method)), specs_(std::move(specs)) {
  for (const OptionSpec& spec : specs_) values_[spec.name] = spec.standard;
}

void Options::set(const std::string& name, const std::string& text) {
  const auto spec = std::ranges::find(specs_, name, &OptionSpec::name);
  if (spec == specs_.end()) {
    std::vector<std::string> known;
    for (const OptionSpec& s : specs_) known.push_back(s.name);
    const std::string near = did_you_mean(name, known);
    throw UsageError("the method " + method_ + " has no option '" + name + "'" +
                     (known.empty()  ? " (it has none)"
                      : near.empty() ? " (`loupe explain --help` lists them)"
                                     : near));
  }
  std::optional<OptionSpec::Value> value;
  if (std::holds_alternative<int64_t>(spec->standard))
    value = parse_within<int64_t>(*spec, text);
  else if (std::holds_alternative<double>(spec->standard))
    value = parse_within<double>(*spec, text);
  else
    value = text;
  if (!value)
    throw UsageError("--" + method_ + "." + name + " takes " + allowed(*spec) + ", not '" + text + "'");
  values_[name] = *value;
  given_.insert(name);
}

void Options::suggest(const std::string& name, OptionSpec::Value value) {
  if (!given_.contains(name)) values_[name] = std::move(value);
}

std::map<std::string, std::string> Options::all() const {
  std::map<std::string, std::string> texts;
  for (const auto& [name, value] : values_) texts[name] = value_text(value);
  return texts;
}

const OptionSpec::Value& Options::value(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end())
    throw Error("the method " + method_ + " asks for its option '" + name + "', which it does not declare");
  return found->second;
}

const Method& find_method(const std::string& name) {
  std::vector<std::string> known;
  for (const Method* m : all_methods()) {
    if (m->name == name) return *m;
    known.emplace_back(m->name);
  }
  const std::string near = did_you_mean(name, known);
  if (!near.empty()) throw UsageError("there is no method '" + name + "'" + near);
  std::string list;
  for (const std::string& k : known) list += (list.empty() ? "" : ", ") + k;
  throw UsageError("there is no method '" + name + "'; there are " + list);
}

std::optional<std::string> why_unsuited(const Method& method, const ImageModel& model, const Shape& input,
                                        const Options* given) {
  Options options = given ? *given : Options(std::string(method.name), method.options);
  if (method.fit) method.fit(model, input, options);
  return method.unsuited ? method.unsuited(model, input, options) : std::nullopt;
}

}  // namespace loupe
