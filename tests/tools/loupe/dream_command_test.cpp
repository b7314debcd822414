// `loupe dream` as its user sees it: files, bytes, zooms, interruptions, bad input.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/image/resize.h"
#include "models/zoo/zoo.h"
#include "tests/support/command.h"

namespace loupe::test {
namespace {

using nlohmann::json;

class Dream {
 public:
  Dream() { write_png(at("photo.png"), resize(zoo::draw(2, 0).image, 150, 120)); }
  Said run(std::vector<std::string> words, const std::string& out, const std::string& before = "") const {
    words.insert(words.begin(), {"dream", at("photo.png"), "--out", at(out)});
    for (const auto& [option, value] : {std::pair("--steps", "2"), {"--octaves", "2"}})
      if (std::ranges::count(words, option) == 0) words.insert(words.end(), {option, value});
    return loupe(words, before);
  }
  std::string bytes(const std::vector<std::string>& words) const {
    const Said said = run(words, "out.png");
    CAPTURE(said.err);
    REQUIRE(said.status == 0);
    return read_text(at("out.png"));
  }
  /// One line, that status, and nothing written.
  void refused(const std::vector<std::string>& words, const std::string& part, int status = 2,
               const std::string& before = "") const {
    said_and_nothing(run(words, "refused.png", before), part, status);
  }
  void said_and_nothing(const Said& said, const std::string& part, int status) const {
    CAPTURE(said.err);
    CHECK(said.status == status);
    CHECK(said.err.starts_with("loupe: "));
    CHECK(std::ranges::count(said.err, '\n') == 1);
    CHECK(contains(said.err, part));
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      CHECK(!contains(entry.path().filename().string(), "refused"));
  }
  std::string at(const std::string& file) const { return folder_ / file; }

 private:
  Folder folder_;
};

TEST_CASE("a picture of the photograph's size; the same seed gives the same bytes, whatever the memory") {
  const Dream d;
  const std::string first = d.bytes({});
  const Image image = read_image(d.at("out.png")), photo = read_image(d.at("photo.png"));
  CHECK(image.width == 150);
  CHECK(image.height == 120);
  CHECK(image.rgb != photo.rgb);
  CHECK(d.bytes({"--window", "64"}) == first);
  CHECK(d.bytes({"--memory", "72M", "--threads", "1"}) == first);
  CHECK(d.bytes({"--seed", "2"}) != first);
  d.bytes({"--longest", "60"});
  CHECK(read_image(d.at("out.png")).height == 48);
}

TEST_CASE("units, directions, guides and classes") {
  const Dream d;
  const std::string layer = "features.0";
  const std::string all = d.bytes({"--layer", layer}), unit = d.bytes({"--layer", layer, "--unit", "3"});
  CHECK(all != unit);
  CHECK(d.bytes({"--layer", layer, "--unit", "3", "--unit", "5"}) != unit);
  const Image other = resize(zoo::draw(3, 1).image, 90, 90);
  write_png(d.at("guide.png"), other);
  CHECK(d.bytes({"--layer", "features.8", "--guide", d.at("guide.png")}) !=
        d.bytes({"--layer", "features.8"}));
  CHECK(d.bytes({"--class", "husky"}) != d.bytes({"--class", "goose,husky"}));
  const json record = json::parse(d.run({"--class", "husky", "--json"}, "out.png").out);
  CHECK(record.at("goal") == "husky");
  CHECK(record.at("octaves")[1] == json({120, 150}));
}

TEST_CASE("a zoom: an animation, or numbered pictures that begin with the still one") {
  const Dream d;
  const std::string still = d.bytes({}), moving = d.bytes({"--zoom", "3"});
  CHECK(contains(moving, "acTL"));
  CHECK(read_image(d.at("out.png")).width == 150);
  REQUIRE(d.run({"--zoom", "3", "--stills"}, "many.png").status == 0);
  CHECK(read_text(d.at("many.0001.png")) == still);
  CHECK(read_image(d.at("many.0003.png")).rgb != read_image(d.at("many.0002.png")).rgb);
  CHECK(!fs::exists(d.at("many.png")));
}

TEST_CASE("what is stopped leaves nothing that is not whole") {
  const Dream d;
  const Said said = d.run({"--steps", "100000"}, "refused.png", "timeout --foreground --preserve-status -s INT 1");
  d.said_and_nothing(said, "nothing was written", 130);
}

TEST_CASE("bad input is one line") {
  const Dream d;
  d.refused({"--steps", "0"}, "--steps");
  d.refused({"--octaves", "60"}, "octaves leave nothing");
  d.refused({"--layer", "featuers.0"}, "features.0");
  d.refused({"--layer", "features.0", "--unit", "999"}, "there is no unit 999");
  d.refused({"--layer", "features.0", "--unit", "1,2,3"}, "over all places");
  d.refused({"--unit", "1"}, "--unit needs the --layer");
  d.refused({"--class", "huskie"}, "husky");
  d.refused({"--class", "husky", "--layer", "features.0"}, "without a layer");
  d.refused({"--layer", "features.0", "--unit", "1", "--guide", d.at("photo.png")}, "give one of them");
  d.refused({"--layer", "features.0", "--direction", d.at("nowhere.npy")}, "nowhere.npy", 1);
  d.refused({"--guide", d.at("nowhere.png")}, "nowhere.png", 1);
  d.refused({"--memory", "1M"}, "memory");
  d.refused({"--stills"}, "--zoom");
  d.refused({"--model", "zo"}, "zoo");
  d.refused({}, "File too large", 1, "trap '' XFSZ; ulimit -f 1;");  // what a full disk says
  d.said_and_nothing(loupe({"dream", d.at("nowhere.jpg"), "--out", d.at("refused.png")}), "nowhere.jpg", 1);
  write_text(d.at("text.jpg"), "no picture");
  d.said_and_nothing(loupe({"dream", d.at("text.jpg"), "--out", d.at("refused.png")}), "text.jpg", 1);
  d.said_and_nothing(loupe({"dream", d.at("photo.png"), "--out", d.at("no/refused.png")}), "refused.png", 1);
  d.said_and_nothing(loupe({"dream", d.at("photo.png"), "--out", d.at("refused.jpg")}), "FILE.png", 2);
}

}  // namespace
}  // namespace loupe::test
