// `loupe explain --checks`: the same numbers and words in --json, in maps.safetensors, in the page and on the terminal.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "models/io/safetensors.h"
#include "tests/support/command.h"

namespace loupe::test {

using nlohmann::json;

TEST_CASE(
    "explain --checks: every map has its checks, wherever it is told; without it only the method's own") {
  const Folder folder;
  REQUIRE(loupe({"zoo", "render", "--count", "1", "--seed", "7", "--out", folder / "zoo"}).status == 0);
  const auto explain = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"explain",  folder / "zoo/000000.png",
                                   "--model",  "zoo",
                                   "--method", "cam,gradient,integrated_gradients,deconvnet",
                                   "--out",    folder / "out"};
    words.insert(words.end(), more.begin(), more.end());
    const Said said = loupe(words);
    REQUIRE_MESSAGE(said.status == 0, said.err);
    return said.out;
  };
  const json all = json::parse(explain({"--checks", "--json"}));
  const auto metadata = SafetensorsFile::open(folder / "out/000000/maps.safetensors").metadata();
  const std::string page = read_text(folder / "out/report.html");
  std::map<std::string, std::set<std::string>> names;
  for (const json& method : all.at("images").at(0).at("methods"))
    for (const json& check : method.at("checks")) {
      const std::string of = method.at("method"), name = check.at("name"), meaning = check.at("meaning");
      CAPTURE(of);
      CAPTURE(name);
      names[of].insert(name);
      const std::string key = "check." + of + "." + name;
      CHECK(std::stod(metadata.at(key)) == check.at("value").get<double>());
      if (name == "completeness_residual") continue;
      const bool passes = check.at("passes");
      CHECK(metadata.at(key + ".passes") == (passes ? "yes" : "no"));
      CHECK(meaning.starts_with("fails: ") == !passes);
      CHECK(metadata.contains(key + ".why") == !passes);
      if (name == "infidelity") {
        CHECK(check.at("interval").at(0) <= check.at("value"));
        CHECK(check.at("interval").at(1) >= check.at("value"));
      }
      CHECK(page.find(passes ? "passes</b>" : "fails</b>") != std::string::npos);
      CHECK(page.find(meaning.substr(0, meaning.find('\''))) != std::string::npos);
    }
  CHECK(names.at("cam") == std::set<std::string>{"cam_identity", "infidelity", "randomisation"});
  CHECK(names.at("gradient") ==
        std::set<std::string>{"directional_difference", "infidelity", "randomisation"});
  CHECK(names.at("integrated_gradients") ==
        std::set<std::string>{"completeness_residual", "completeness_share", "infidelity", "randomisation"});
  CHECK(metadata.at("check.cam.cam_identity.passes") == "yes");
  CHECK(metadata.at("check.gradient.directional_difference.passes") == "yes");
  // deconvnet hardly looks at what was learned.
  CHECK(metadata.at("check.deconvnet.randomisation.passes") == "no");
  const std::string text = explain({"--checks"});
  CHECK(text.find("cam_identity") != std::string::npos);
  CHECK(text.find("randomisation") != std::string::npos);
  CHECK(text.find("fails: ") != std::string::npos);
  CHECK(explain({}).find("randomisation") == std::string::npos);
}

}  // namespace loupe::test
