// `loupe tour`: one page that needs nothing but itself, and says what --json says.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/run/method.h"
#include "engine/training/telemetry.h"
#include "models/models.h"
#include "tests/support/command.h"

namespace loupe::test {
namespace {

using nlohmann::json;

Said tour(std::vector<std::string> words) {
  words.insert(words.begin(), "tour");
  return loupe(words);
}

size_t occurrences(const std::string& text, const std::string& of) {
  size_t count = 0;
  for (size_t at = text.find(of); at != text.npos; at = text.find(of, at + of.size())) ++count;
  return count;
}

std::string decimals(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", x);
  return text;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

void check_needs_nothing(const std::string& page) {
  CHECK(occurrences(page, "<script") == 0);
  CHECK(occurrences(page, "@import") == 0);
  for (const std::string address : {"src=", "href=", "url("})
    for (size_t at = page.find(address); at != page.npos; at = page.find(address, at + 1)) {
      size_t begin = at + address.size();
      if (page[begin] == '"') ++begin;
      const std::string start = page.substr(begin, 40);
      CAPTURE(address);
      CAPTURE(start);
      CHECK((start.starts_with("data:image/png;base64,") || start.starts_with("#")));
    }
}

// The cells of a method's row of the table: what stands between its tags, without tags.
std::vector<std::string> table_row(const std::string& page, size_t which) {
  size_t at = page.find("<tbody");
  for (size_t i = 0; i <= which; ++i) at = page.find("<tr>", at + 1);
  const std::string row = page.substr(at, page.find("</tr>", at) - at);
  std::vector<std::string> cells;
  for (size_t cell = row.find("<td"); cell != row.npos; cell = row.find("<td", cell + 1)) {
    const size_t begin = row.find('>', cell) + 1;
    cells.push_back(row.substr(begin, row.find('<', begin) - begin));
  }
  return cells;
}

}  // namespace

TEST_CASE("tour: the page stands alone and says what --json says") {
  const Folder folder;
  const std::string out = folder / "deep/er";
  const Said said =
      tour({"--weights", "formula", "--count", "3", "--scored", "2", "--seed", "5", "--out", out, "--json"});
  REQUIRE_MESSAGE(said.status == 0, said.err);
  CHECK(said.err.empty());
  std::set<std::string> files;
  for (const auto& entry : fs::directory_iterator(out)) files.insert(entry.path().filename().string());
  CHECK(files == std::set<std::string>{"report.html"});
  const json all = json::parse(said.out);
  CHECK(all["report"] == out + "/report.html");
  const std::string page = read_text(out + "/report.html");
  check_needs_nothing(page);
  CHECK(page.size() < (size_t{5} << 20));

  REQUIRE(all["alone"].size() == 3);
  REQUIRE(all["together"].size() == 1);
  const ImageModel network = models::load("zoo", "formula", Device::cpu());
  std::vector<std::string> suited;
  for (const Method* m : all_methods())
    if (!m->costly && !why_unsuited(*m, network, network.graph().input_shapes().at(0))) {
      suited.emplace_back(m->name);
      CHECK_MESSAGE(occurrences(page, escaped(m->source)) > 0, m->name);
    }

  size_t hits = 0, misses = 0, maps = 0;
  for (const json* pictures : {&all["alone"], &all["together"]})
    for (const json& picture : *pictures) {
      CHECK(picture["asked"].size() == (pictures == &all["alone"] ? 1 : 2));
      for (const json& asked : picture["asked"]) {
        std::vector<std::string> names;
        for (const json& map : asked["maps"]) {
          names.push_back(map["method"]);
          ++maps;
          if (map.contains("hit")) ++(map["hit"].get<bool>() ? hits : misses);
        }
        CHECK(names == suited);
      }
    }
  CHECK(occurrences(page, "class=hit>") == hits);
  CHECK(occurrences(page, "class=miss>") == misses);
  CHECK(occurrences(page, "class=mark ") == hits + misses);
  CHECK(hits + misses > 0);
  CHECK(maps == suited.size() * 5);

  CHECK(all["classes"].size() == 7);
  for (const json& c : all["classes"]) CHECK(c["after"] > c["before"]);
  CHECK(all["searched"] == 420);
  CHECK(!all["units"].empty());
  for (const json& unit : all["units"]) {
    const std::string caption =
        unit["layer"].get<std::string>() + ", channel " + unit["channel"].dump() + ": ";
    CHECK_MESSAGE(occurrences(page, caption) == 1, caption);
    CHECK(unit["of_class"] >= 1);
  }

  CHECK(all["induction"]["found"] == true);
  CHECK(occurrences(page, "aria-label=\"The induction circuit\"") == 1);

  const json& scores = all["scores"];
  CHECK(scores["count"] == 2);
  for (size_t i = 0; i < scores["methods"].size(); ++i) {
    const std::vector<std::string> cells = table_row(page, i);
    REQUIRE(cells.size() == scores["metrics"].size() + 2);
    for (size_t k = 0; k < scores["metrics"].size(); ++k) {
      const json& mean =
          scores["methods"][i]["scores"][scores["metrics"][k]["name"].get<std::string>()]["mean"];
      const std::string expected = mean.is_null() ? "–" : decimals(mean);
      CAPTURE(scores["methods"][i]["method"]);
      CAPTURE(scores["metrics"][k]["name"]);
      CHECK(cells[k + 1].substr(0, expected.size()) == expected);
    }
  }
  CHECK(all["training"].is_null());  // nothing is known of a formula's training, so nothing is said
  CHECK(occurrences(page, "Where the network comes from") == 0);
}

TEST_CASE("tour: threads change no map and no score") {
  const Folder folder;
  std::vector<json> found;
  for (const char* threads : {"1", "2"}) {
    const Said said = tour({"--weights", "formula", "--count", "1", "--scored", "1", "--threads", threads,
                            "--out", folder / threads, "--json"});
    REQUIRE_MESSAGE(said.status == 0, said.err);
    json all = json::parse(said.out);
    json scores;
    for (const json& m : all["scores"]["methods"]) scores.push_back(m["scores"]);
    found.push_back({{"alone", all["alone"]},
                     {"together", all["together"]},
                     {"classes", all["classes"]},
                     {"units", all["units"]},
                     {"scores", scores}});
  }
  CHECK(found[0] == found[1]);
}

TEST_CASE("tour: the built-in network, where there is one, with the record of its training") {
  if (!models::has_built_in_weights("zoo")) {
    MESSAGE("skipped: this build has no weights for zoo");
    return;
  }
  const Folder folder;
  const Said said = tour({"--count", "1", "--scored", "1", "--out", folder / "out", "--json"});
  REQUIRE_MESSAGE(said.status == 0, said.err);
  const models::TrainingRecord record = models::built_in_record("zoo");
  const json all = json::parse(said.out), training = all["training"];
  const std::string page = read_text(folder / "out/report.html");
  CHECK(occurrences(page, "class=line ") == (record.telemetry.empty() ? 0 : 2));
  CHECK(all["curve"].size() == training_curve(record.telemetry, 60).size());
  if (record.summary.empty()) {
    CHECK(training.is_null());
    return;
  }
  CHECK(training == json::parse(record.summary));
  CHECK(occurrences(page, "Where the network comes from") == 1);
  CHECK(occurrences(page, escaped(training["command"].get<std::string>())) >= 1);
}

TEST_CASE("tour: bad input is one line, and leaves nothing behind") {
  const Folder folder;
  write_text(folder / "file", "x");
  const std::string out = folder / "out";
  const auto fails = [&](std::vector<std::string> words, int status, const std::string& says) {
    const Said said = tour(std::move(words));
    CAPTURE(said.err);
    CHECK(said.status == status);
    CHECK(said.out.empty());
    CHECK(occurrences(said.err, "\n") == 1);
    CHECK(occurrences(said.err, says) >= 1);
    CHECK(!fs::exists(out));
  };
  fails({"--weights", "formula"}, 2, "--out");
  fails({"--weights", "formula", "--out", out, "--count", "0"}, 2, "--count");
  fails({"--weights", "formula", "--out", out, "--count", "-3"}, 2, "--count");
  fails({"--weights", "formula", "--out", out, "--scored", "0"}, 2, "--scored");
  fails({"--weights", "formula", "--out", out, "--seed", "first"}, 2, "--seed");
  fails({"--weights", folder / "none.safetensors", "--out", out}, 1, "none.safetensors");
  fails({"--weights", folder / "file", "--out", out}, 1, "file");
  fails({"--weights", "formula", "--out", folder / "file/out"}, 1, "file");
}

}  // namespace loupe::test
