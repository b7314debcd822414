#include "tools/loupe/help.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "tools/loupe/text.h"

namespace loupe {
namespace {

constexpr size_t kWidth = 100, kIndent = 2, kWidestLeft = 36;
constexpr const char* kGeneral = "Options";  // CLI11's group for --help; last

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

// Names on the left, what they mean on the right.
class Entries {
 public:
  void add(std::string left, std::string text) { rows_.emplace_back(std::move(left), std::move(text)); }
  std::string str() const {
    size_t width = 0;
    for (const auto& [left, text] : rows_)
      if (columns(left) <= kWidestLeft) width = std::max(width, columns(left));
    const size_t indent = kIndent + width + 2;
    std::string out;
    for (const auto& [left, text] : rows_) {
      const std::string line = std::string(kIndent, ' ') + left;
      out += columns(line) + 2 > indent ? line + "\n" + std::string(indent, ' ') : padded(line, indent);
      out += wrapped(text, indent) + "\n";
    }
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

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
    const auto commands = app->get_subcommands([](const CLI::App*) { return true; });
    std::string usage = commands.empty() ? "" : " COMMAND";
    for (const CLI::App* a = app; a->get_parent(); a = a->get_parent()) usage = " " + a->get_name() + usage;
    usage = "Usage: loupe" + usage;
    for (const CLI::Option* o : app->get_options())
      if (o->get_required()) usage += " " + flag(*o);
    std::string out = wrapped(app->get_description(), 0) + "\n\n" + usage + " [options]\n";

    Entries list;
    for (const CLI::App* c : commands) list.add(c->get_name(), c->get_description());
    if (!commands.empty()) out += "\nCommands\n" + list.str();

    std::vector<std::string> groups = app->get_groups();
    std::ranges::stable_partition(groups, [](const std::string& g) { return g != kGeneral; });
    for (const std::string& group : groups) {
      Entries entries;
      const auto options = app->get_options([&](const CLI::Option* o) { return o->get_group() == group; });
      for (const CLI::Option* o : options) entries.add(flag(*o), o->get_description());
      if (!options.empty() && !group.empty()) out += "\n" + group + "\n" + entries.str();
    }
    if (!parent && !app->get_footer().empty()) out += "\n" + app->get_footer() + "\n";
    return out;
  }
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() { return std::make_shared<Help>(); }

}  // namespace loupe
