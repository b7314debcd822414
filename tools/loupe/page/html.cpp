#include "tools/loupe/page/html.h"

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

std::string style_sheet(std::string_view file) {
  return std::string(embedded("page.css")).append(embedded(file));
}

std::string title(std::string_view name) {
  std::string text;
  for (const auto& word : std::views::split(name, '_')) {
    const std::string_view w(word.begin(), word.end());
    text += text.empty() ? "" : " ";
    text += w == "cam" ? "CAM" : w == "x" ? "×" : w;
  }
  if (text == "grad CAM") return "Grad-CAM";
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return escaped(text);
}

}  // namespace loupe
