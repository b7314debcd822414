#include "tools/loupe/help.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>

#include "tools/loupe/text.h"

namespace loupe {
namespace {

constexpr size_t kWidth = 100, kIndent = 2, kLeft = 36;

// Words of `text` from column `indent` on; the first line is already there up to that column.
std::string wrapped(const std::string& text, size_t indent) {
  std::string out, word;
  size_t column = indent;
  const auto flush = [&] {
    if (word.empty()) return;
    if (column > indent && column + 1 + columns(word) > kWidth) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    }
    if (column > indent) {
      out += " ";
      ++column;
    }
    out += word;
    column += columns(word);
    word.clear();
  };
  for (const char c : text) {
    if (c == ' ' || c == '\n')
      flush();
    else
      word += c;
    if (c == '\n') {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    }
  }
  flush();
  return out;
}

std::string entry(const std::string& left, const std::string& text) {
  std::string line = std::string(kIndent, ' ') + left;
  if (columns(line) + 2 > kLeft)
    line += "\n" + std::string(kLeft, ' ');
  else
    line = padded(line, kLeft);
  return line + wrapped(text, kLeft) + "\n";
}

std::string flag(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true);
  std::string name = option.get_name(false, true);
  for (size_t comma = name.find(",-"); comma != name.npos; comma = name.find(",-", comma + 2))
    name.replace(comma, 1, ", ");
  return option.get_type_size() == 0 ? name : name + " " + option.get_option_text();
}

class Help : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string /*name*/, CLI::AppFormatMode) const override {
    const CLI::App* parent = app->get_parent();
    std::string usage = "Usage: loupe " + (parent ? app->get_name() : "COMMAND");
    for (const CLI::Option* o : app->get_options())
      if (o->get_required()) usage += " " + flag(*o);
    std::string out = wrapped(app->get_description(), 0) + "\n\n" + usage + " [options]\n";

    const auto commands = app->get_subcommands([](const CLI::App*) { return true; });
    if (!commands.empty()) out += "\nCommands\n";
    for (const CLI::App* c : commands) out += entry(c->get_name(), c->get_description());

    for (const std::string& group : app->get_groups()) {
      const auto options = app->get_options([&](const CLI::Option* o) { return o->get_group() == group; });
      if (options.empty() || group.empty()) continue;
      out += "\n" + group + "\n";
      for (const CLI::Option* o : options) out += entry(flag(*o), o->get_description());
    }
    if (!app->get_footer().empty()) out += "\n" + app->get_footer() + "\n";
    return out;
  }
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() { return std::make_shared<Help>(); }

}  // namespace loupe
