// Table: aligned columns for a terminal, as narrow as their contents.
#pragma once
#include <string>
#include <vector>

namespace loupe {

class Table {
 public:
  enum class Align : bool { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
  };

  /// indent: blanks before each row.
  explicit Table(std::vector<Column> columns, size_t indent = 0)
      : columns_(std::move(columns)), indent_(indent) {}
  /// One cell a column; missing ones at the end are empty.
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// A line across, such as before totals.
  void line() { rows_.emplace_back(); }
  /// Heading, line and rows, each ending in a line break.
  std::string str() const;

 private:
  std::vector<Column> columns_;
  size_t indent_;
  std::vector<std::vector<std::string>> rows_;  // an empty row is a line
};

}  // namespace loupe
