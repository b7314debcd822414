#include "tools/loupe/table.h"

#include <algorithm>

#include "tools/loupe/text.h"

namespace loupe {

std::string Table::str() const {
  std::vector<size_t> widths;
  std::vector<std::string> titles;
  for (const Column& c : columns_) {
    widths.push_back(columns(c.title));
    titles.push_back(c.title);
  }
  for (const auto& cells : rows_)
    for (size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], columns(cells[i]));

  std::string out;
  const auto print = [&](const std::vector<std::string>& cells) {
    std::string text(indent_, ' ');
    for (size_t i = 0; i < cells.size(); ++i)
      text += (i ? "  " : "") + padded(cells[i], widths[i], columns_[i].align == Align::right);
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  const auto rule = [&] {
    out += std::string(indent_, ' ');
    for (size_t i = 0; i < widths.size(); ++i) {
      if (i) out += "  ";
      for (size_t k = 0; k < widths[i]; ++k) out += "─";
    }
    out += "\n";
  };
  print(titles);
  rule();
  for (const auto& cells : rows_) cells.empty() ? rule() : print(cells);
  return out;
}

}  // namespace loupe
