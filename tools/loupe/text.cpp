#include "tools/loupe/text.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "kernels/common/error.h"

namespace loupe {
namespace {

template <typename... Args>
std::string format(const char* pattern, Args... args) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

}  // namespace

std::string with_commas(int64_t n) {
  std::string digits = std::to_string(n);
  for (auto i = static_cast<int64_t>(digits.size()) - 3; i > (n < 0 ? 1 : 0); i -= 3)
    digits.insert(static_cast<size_t>(i), 1, ',');
  return digits;
}

std::string short_count(int64_t n) {
  if (n < 1000) return std::to_string(n);
  double value = static_cast<double>(n);
  const char* unit = "";
  for (const char* next : {"k", "M", "G", "T"}) {
    if (value < 999.95) break;
    value /= 1000;
    unit = next;
  }
  return format("%.1f %s", value, unit);
}

std::string short_bytes(int64_t n) {
  if (n < 1024) return std::to_string(n) + " B";
  double value = static_cast<double>(n);
  const char* unit = "";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB"}) {
    if (value < 1023.95) break;
    value /= 1024;
    unit = next;
  }
  return format("%.1f %s", value, unit);
}

std::string short_seconds(double s) {
  if (s < 0.00995) return format("%.1f ms", s * 1e3);
  if (s < 0.9995) return format("%.0f ms", s * 1e3);
  if (s < 9.995) return format("%.2f s", s);
  if (s < 119.5) return format("%.1f s", s);
  const int64_t whole = std::llround(s), minutes = whole / 60;
  if (minutes < 120) return std::to_string(minutes) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
}

std::string short_number(double x) {
  const bool whole = x == std::floor(x) && std::abs(x) <= 1e6;
  return format(whole ? "%.0f" : "%.4g", x);
}

std::string percent(double part) {
  if (part > 0 && part < 0.00005) return "< 0.01 %";
  return format(part < 0.0005 ? "%.2f %%" : "%.1f %%", part * 100);
}

int64_t parse_whole(std::string_view option, std::string_view text, int64_t minimum, int64_t maximum) {
  const std::string_view digits = trim(text);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || value < minimum ||
      value > maximum)
    throw UsageError(std::string(option) + " takes a whole number from " + std::to_string(minimum) + " to " +
                     std::to_string(maximum) + ", not " + quoted(text));
  return value;
}

double parse_real(std::string_view option, std::string_view text, double minimum, double maximum) {
  const std::string_view digits = trim(text);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || !(value >= minimum && value <= maximum))
    throw UsageError(std::string(option) + " takes a number from " + short_number(minimum) + " to " +
                     short_number(maximum) + ", not " + quoted(text));
  return value;
}

int64_t parse_bytes(std::string_view option, std::string_view text) {
  const std::string_view all = trim(text);
  const auto fail = [&] {
    throw UsageError(std::string(option) + " takes a number of bytes such as 512M or 2G, not " +
                     quoted(text));
  };
  double value = 0;
  const auto [end, error] =
      std::from_chars(all.data(), all.data() + all.size(), value, std::chars_format::fixed);
  if (error != std::errc()) fail();
  std::string unit(trim(std::string_view(end, static_cast<size_t>(all.data() + all.size() - end))));
  for (char& c : unit) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  double scale = 0;
  for (const auto& [name, bytes] :
       {std::pair{"", 1.0}, {"k", 0x1p10}, {"m", 0x1p20}, {"g", 0x1p30}, {"t", 0x1p40}})
    if (unit == name || (*name && (unit == std::string(name) + "b" || unit == std::string(name) + "ib")))
      scale = bytes;
  if (unit == "b") scale = 1;
  const double bytes = value * scale;
  if (!(bytes >= 1) || bytes > 0x1p60) fail();
  return static_cast<int64_t>(bytes);
}

std::pair<int64_t, int64_t> parse_size(std::string_view option, std::string_view text) {
  constexpr int64_t kLargest = 65536;
  const size_t x = text.find('x');
  const int64_t height = parse_whole(option, text.substr(0, x), 1, kLargest);
  return {height, x == text.npos ? height : parse_whole(option, text.substr(x + 1), 1, kLargest)};
}

std::vector<std::string> split_commas(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t comma = text.find(',');
    parts.emplace_back(trim(text.substr(0, comma)));
    if (comma == text.npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

std::string join(std::span<const std::string> parts, std::string_view last) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += i + 1 == parts.size() ? last : ", ";
    text += parts[i];
  }
  return text;
}

std::string valid_utf8(std::string_view text) {
  using nlohmann::json;
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace)).get<std::string>();
}

std::string one_line(std::string_view text) {
  std::string line(text);
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  return line;
}

std::string shown_piece(std::string_view piece) {
  std::string out;
  for (const char c : piece) out += c == ' ' ? "␣" : c == '\n' ? "⏎" : c == '\t' ? "⇥" : std::string(1, c);
  if (valid_utf8(out) == out) return out;
  out.clear();
  char text[8];
  for (const char c : piece)
    std::snprintf(text, sizeof text, "<%02X>", static_cast<unsigned char>(c)), out += text;
  return out;
}

size_t columns(std::string_view text) {
  size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

std::string padded(std::string_view text, size_t width, bool right) {
  const std::string blanks(width > columns(text) ? width - columns(text) : 0, ' ');
  return right ? blanks + std::string(text) : std::string(text) + blanks;
}

}  // namespace loupe
