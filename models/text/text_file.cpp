#include "models/text/text_file.h"

#include <charconv>
#include <cstdio>

#include "kernels/common/error.h"
#include "models/io/safetensors.h"
#include "models/text/check.h"

namespace loupe {
namespace {

constexpr std::string_view kPrefix = "loupe.text.";

// Every setting of a config by its name: visit(name, member).
template <typename Config, typename Visit>
void each_setting(Config& c, const Visit& visit) {
  visit("family", c.family);
  visit("layers", c.layers);
  visit("width", c.width);
  visit("heads", c.heads);
  visit("kv_heads", c.kv_heads);
  visit("head_width", c.head_width);
  visit("hidden", c.hidden);
  visit("vocabulary", c.vocabulary);
  visit("positions", c.positions);
  visit("types", c.types);
  visit("eps", c.eps);
  visit("rotary_base", c.rotary_base);
  visit("rotary_width", c.rotary_width);
  visit("rotary_interleaved", c.rotary_interleaved);
  visit("activation", c.activation);
  visit("tied", c.tied);
}

std::string as_text(const std::string& value) { return value; }
std::string as_text(int64_t value) { return std::to_string(value); }
std::string as_text(bool value) { return value ? "true" : "false"; }
std::string as_text(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

bool read(const std::string& text, std::string& to) {
  to = text;
  return true;
}
bool read(const std::string& text, bool& to) {
  to = text == "true";
  return to || text == "false";
}
template <typename Number>
bool read(const std::string& text, Number& to) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, to);
  return error == std::errc() && stop == end;
}

}  // namespace

void write_text_model(const std::string& path, const TextConfig& config,
                      const std::map<std::string, Tensor>& parameters, bool half,
                      const std::map<std::string, std::string>& more) {
  std::map<std::string, std::string> metadata = more;
  each_setting(config, [&](const char* name, const auto& value) {
    metadata[std::string(kPrefix) + name] = as_text(value);
  });
  const NamedTensors tensors(parameters.begin(), parameters.end());
  if (half) return write_safetensors_f16(path, tensors, metadata);
  write_safetensors(path, tensors, metadata);
}

std::map<std::string, JsonScalar, std::less<>> text_settings(
    const std::map<std::string, std::string>& metadata) {
  std::map<std::string, JsonScalar, std::less<>> settings;
  for (const auto& [key, value] : metadata)
    if (key.starts_with(kPrefix)) settings[key.substr(kPrefix.size())] = value;
  return settings;
}

TextConfig text_config(const std::map<std::string, JsonScalar, std::less<>>& settings,
                       const std::string& file) {
  TextConfig c;
  each_setting(c, [&](const char* name, auto& value) {
    const auto found = settings.find(name);
    const std::string* text = found == settings.end() ? nullptr : std::get_if<std::string>(&found->second);
    if (!text) throw Error(file + ": its setting '" + name + "' is missing");
    if (!read(*text, value)) throw Error(file + ": its setting '" + name + "' is not what it should be");
  });
  check_text_config(c, file);
  return c;
}

}  // namespace loupe
