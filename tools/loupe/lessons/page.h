// The pages of lessons: numbers that the engine made, and scripts that make more, compared with them.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace loupe {

struct LessonPage {
  std::string name;         // the lesson's: the page is <name>.html
  std::string title, lead;  // plain text
  std::string body;         // HTML
  /// What the scripts read: "examples", records of what the engine made, and "tolerance", how far the scripts may be off.
  nlohmann::ordered_json data;
  /// Embedded files, which come behind compare.js and draw.js. The first defines study() and check(data).
  std::vector<std::string> scripts;
};

/// Everything inline.
std::string lesson_page(const LessonPage& page);
/// Writes it into a folder, and returns where. Throws Error.
std::string publish_page(const LessonPage& page, const std::string& folder);

}  // namespace loupe
