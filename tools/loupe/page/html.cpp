#include "tools/loupe/page/html.h"

#include <map>
#include <nlohmann/json.hpp>
#include <ranges>

#include "engine/image/image.h"
#include "tools/loupe/page/embedded.h"
#include "tools/loupe/text.h"

namespace loupe {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : valid_utf8(text)) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  return out;
}

std::string data_url(std::span<const uint8_t> png) { return "data:image/png;base64," + base64(png); }

std::string script_json(const nlohmann::ordered_json& value) {
  std::string text = value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  for (size_t at = 0; (at = text.find('<', at)) != text.npos; at += 6) text.replace(at, 1, "\\u003c");
  return text;
}

std::string style_sheet(std::string_view file) {
  return std::string(embedded("page.css")).append(embedded(file));
}

std::string title(std::string_view name) {
  static const std::map<std::string_view, std::string_view> kWords{
      {"x", "×"},       {"cam", "CAM"},   {"xgrad", "XGrad"},       {"lrp", "LRP"},
      {"rise", "RISE"}, {"lime", "LIME"}, {"deeplift", "DeepLIFT"}, {"shap", "SHAP"}};
  std::string text;
  for (const auto& word : std::views::split(name, '_')) {
    const std::string_view w(word.begin(), word.end());
    const auto known = kWords.find(w);
    text += text.empty() ? "" : " ";
    text += known == kWords.end() ? w : known->second;
  }
  const auto replace = [&](std::string_view from, std::string_view to) {
    if (const size_t at = text.find(from); at != text.npos) text.replace(at, from.size(), to);
  };
  replace("grad CAM", "grad-CAM");
  replace(" plus plus", "++");
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return escaped(text);
}

}  // namespace loupe
