// What the pages of `loupe explain` begin and end with.
#pragma once
#include <string>

#include "tools/loupe/explain/explained.h"

namespace loupe {

/// The first bytes of every page, by which a later run knows it for one of Loupe's.
inline constexpr const char* kPageMark = "<!doctype html>\n<!-- loupe explain -->\n";

/// Up to the heading. `style`: more than report.css; `hint`: what the reader can do, HTML.
std::string page_begin(const Explained&, const std::string& style, const std::string& hint);
/// A map over its photograph, which is the background of the class `photo`, with its numbers for report.js. `input`:
/// (1, C, H, W). An empty heading is left out.
std::string map_figure(const DrawnMap& map, const std::string& heading, const std::string& photo,
                       const Shape& input);
/// What was left out, of the whole run which pictures too, and the end.
std::string page_end(const Explained&, bool whole_run = true);

}  // namespace loupe
