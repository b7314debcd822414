// `loupe lesson`: what the engine does, shown with its own numbers. Each lesson is a file in lessons/.
#include <CLI/CLI.hpp>
#include <utility>
#include <vector>

#include "tools/loupe/command.h"
#include "tools/loupe/lessons/lesson.h"

namespace loupe {

extern const Command lesson_command{
    "lesson", "Teaches how it works, with numbers from the engine's own kernels", [](CLI::App& app) {
      app.require_subcommand(1);
      std::vector<std::pair<CLI::App*, std::function<void()>>> lessons;
      for (const Lesson* l : all_lessons()) {
        CLI::App* sub = app.add_subcommand(std::string(l->name), std::string(l->summary));
        sub->set_help_flag("-h,--help", "This page");
        std::function<void()> body = l->setup(*sub);
        lessons.emplace_back(sub, std::move(body));
      }
      return [lessons = std::move(lessons)] {
        for (const auto& [sub, body] : lessons)
          if (sub->parsed()) body();
      };
    }};

}  // namespace loupe
