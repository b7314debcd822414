// Runs `loupe lesson`, and the scripts of its pages.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/command.h"

namespace loupe::test {

using nlohmann::json;
using Row = std::vector<double>;

inline json lesson(std::vector<std::string> words) {
  words.insert(words.begin(), "lesson");
  words.push_back("--json");
  const Said said = loupe(words);
  CAPTURE(said.err);
  REQUIRE(said.status == 0);
  return json::parse(said.out);
}

/// One line on standard error, status 2, and nothing else.
inline void refused(std::vector<std::string> words, const std::string& part) {
  words.insert(words.begin(), "lesson");
  const Said said = loupe(words);
  CAPTURE(said.err);
  CHECK(said.status == 2);
  CHECK(said.out.empty());
  CHECK(std::ranges::count(said.err, '\n') == 1);
  CHECK(contains(said.err, part));
}

inline Row flat(const json& list) {
  if (!list.is_array()) return {list.get<double>()};
  Row all;
  for (const json& item : list) {
    const Row part = flat(item);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

inline void same(const json& found, const Row& wanted, double tolerance) {
  const Row numbers = flat(found);
  REQUIRE(numbers.size() == wanted.size());
  double size = 1, worst = 0;
  for (const double v : wanted) size = std::max(size, std::abs(v));
  for (size_t i = 0; i < wanted.size(); ++i) worst = std::max(worst, std::abs(numbers[i] - wanted[i]));
  CHECK(worst <= tolerance * size);
}

// The pages' data, which their scripts are compared with.
inline json data_of(const std::string& page) {
  const std::string open = "<script type=\"application/json\" id=data>";
  const size_t begin = page.find(open) + open.size(), end = page.find("</script>", begin);
  REQUIRE(end != std::string::npos);
  return json::parse(page.substr(begin, end - begin));
}

// What a page's scripts say of themselves in Node.js with `check`, or nothing without Node.js.
inline std::string in_node(const std::string& page, const std::string& script, const Folder& folder) {
  if (std::system("command -v node >/dev/null 2>&1") != 0) {
    MESSAGE("Node.js is missing: the page's script does not run");
    return "";
  }
  write_text(folder / "data.json", data_of(page).dump());
  write_text(folder / "run.js",
             read_text(LOUPE_SOURCE_DIR "/tools/loupe/lessons/compare.js") +
                 read_text(LOUPE_SOURCE_DIR "/tools/loupe/lessons/" + script) +
                 "\nconst verdict = check(JSON.parse(require('fs').readFileSync(process.argv[2])));"
                 "\nprocess.stdout.write(verdict.ok + ' ' + verdict.numbers);\n");
  const std::string line = "node " + quoted(folder / "run.js") + " " + quoted(folder / "data.json") + " >" +
                           quoted(folder / "said") + " 2>&1";
  CHECK(std::system(line.c_str()) == 0);
  return read_text(folder / "said");
}

// The page's script made what the engine made, and notices where one number of the engine's is another.
inline void check_script(const json& data, const std::string& script, const Folder& folder,
                         const std::function<void(json&)>& spoil) {
  const auto page = [](const json& of) {
    return "<script type=\"application/json\" id=data>" + of.dump() + "</script>";
  };
  const std::string verdict = in_node(page(data), script, folder);
  if (verdict.empty()) return;
  CHECK(verdict.starts_with("true "));
  CHECK(std::stol(verdict.substr(5)) > 400);
  json wrong = data;
  spoil(wrong);
  CHECK(in_node(page(wrong), script, folder).starts_with("false "));
}

}  // namespace loupe::test
