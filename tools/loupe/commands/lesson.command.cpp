// `loupe lesson`: what the engine does, shown with its own numbers. Each lesson is a file in lessons/.
#include <utility>
#include <vector>

#include "tools/loupe/arguments.h"
#include "tools/loupe/command.h"
#include "tools/loupe/lessons/lesson.h"

namespace loupe {

extern const Command lesson_command{
    "lesson", "Teaches how it works, with numbers from the engine's own kernels", [](CLI::App& app) {
      std::vector<std::pair<CLI::App*, std::function<void()>>> lessons;
      for (const Lesson* l : all_lessons()) {
        CLI::App& sub = subcommand(app, std::string(l->name), std::string(l->summary));
        lessons.emplace_back(&sub, l->setup(sub));
      }
      return [lessons = std::move(lessons)] {
        for (const auto& [sub, body] : lessons)
          if (was_named(*sub)) body();
      };
    }};

}  // namespace loupe
