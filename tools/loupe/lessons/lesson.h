// Lesson: something that the engine does, shown with its own numbers. A new one is a file
// tools/loupe/lessons/…/<name>.lesson.cpp that defines `extern const Lesson <name>_lesson` (a `-` of its name is a `_`
// there); the build lists it in all_lessons(), and `loupe lesson` has it as a command.
#pragma once
#include <functional>
#include <span>
#include <string_view>

namespace CLI {
class App;
}

namespace loupe {

struct Lesson {
  std::string_view name;
  std::string_view summary;  // one line
  /// Adds the options to `app`, and returns what is to run once they are parsed.
  std::function<std::function<void()>(CLI::App& app)> setup;
};

/// Every lesson, in alphabetical order. (Generated from the names of the files *.lesson.cpp.)
std::span<const Lesson* const> all_lessons();

}  // namespace loupe
