// What Loupe's pages share.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

namespace loupe {

/// Text for a page, also inside an attribute's quotation marks. Valid UTF-8 whatever comes in.
std::string escaped(std::string_view text);
/// The bytes of a PNG as an address.
std::string data_url(std::span<const uint8_t> png);
/// A method, map or check as a heading, escaped: "guided_backprop" is "Guided backprop".
std::string title(std::string_view name);

/// The value for a script element of a page, which holds no end tag.
std::string script_json(const nlohmann::ordered_json& value);

/// page.css, which all pages share, and the style sheet of one: style_sheet("tour.css").
std::string style_sheet(std::string_view file);

/// A magnifying glass, in the text's colour.
inline constexpr const char* kMark =
    R"(<svg viewBox="0 0 48 48" fill="none" stroke="currentColor" stroke-linecap="round" aria-hidden="true"><circle cx="20" cy="20" r="14" stroke-width="4"/><path d="M30.5 30.5 43 43" stroke-width="5"/><path d="M12 20a8 8 0 0 1 8-8" stroke-width="2.5" opacity=".55"/></svg>)";

}  // namespace loupe
