// `loupe visualize` as its user sees it: files, bytes, interruptions, bad input.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/image/apng.h"
#include "tests/support/command.h"

namespace loupe::test {
namespace {

using nlohmann::json;

class Visualize {
 public:
  Said run(std::vector<std::string> words, const std::string& out = "out",
           const std::string& before = "") const {
    words.insert(words.begin(), {"visualize", "--model", "zoo", "--out", folder_ / out});
    return loupe(words, before);
  }
  json record(const std::string& out = "out") const { return json::parse(text("visualize.json", out)); }
  std::string text(const std::string& file, const std::string& out = "out") const {
    return read_text(folder_ / out + "/" + file);
  }
  bool has(const std::string& file) const { return fs::exists(folder_ / "out/" + file); }
  /// One line, status 2, and nothing written.
  void refused(const std::vector<std::string>& words, const std::string& part) const {
    const Said said = run(words, "refused");
    CAPTURE(said.err);
    CHECK(said.status == 2);
    CHECK(said.err.starts_with("loupe: "));
    CHECK(std::ranges::count(said.err, '\n') == 1);
    CHECK(contains(said.err, part));
    CHECK(!fs::exists(folder_ / "refused"));
  }
  std::string at(const std::string& file) const { return folder_ / file; }

 private:
  Folder folder_;
};

TEST_CASE("classes and units: pictures, a record, a page; the same bytes alone and again") {
  const Visualize v;
  const Said said = v.run({"--class", "husky,goose,husky-goose", "--steps", "6", "--seed", "3"});
  CHECK(said.err.empty());
  REQUIRE(said.status == 0);
  CHECK(contains(said.out, "visualize.html shows it all"));
  const json record = v.record();
  REQUIRE(record.at("units").size() == 3);
  for (const json& unit : record.at("units")) {
    CHECK(unit.at("objective").size() == 6);
    CHECK(unit.at("after") > unit.at("before"));
    CHECK(!unit.at("dead").get<bool>());
    CHECK(read_image(v.at("out/" + unit.at("file").get<std::string>())).width == 64);
  }
  CHECK(record.at("units")[0].at("file") == "husky.png");
  CHECK(!v.has("visualize.state"));
  const std::string page = v.text("visualize.html");
  CHECK(!contains(page, "src=\"http"));
  CHECK(contains(v.text("visualize.ascent.png"), "acTL"));
  CHECK(read_image(v.at("out/visualize.ascent.png")).width > 64);  // a PNG to those who know no animation
  REQUIRE(v.run({"--class", "goose", "--steps", "6", "--seed", "3"}, "alone").status == 0);
  CHECK(v.text("goose.png", "alone") == v.text("goose.png"));
  REQUIRE(v.run({"--class", "goose", "--steps", "6", "--seed", "4"}, "other").status == 0);
  CHECK(v.text("goose.png", "other") != v.text("goose.png"));
}

TEST_CASE("units of a layer: one, ranges, all; blends, sets, and what makes weak") {
  const Visualize v;
  REQUIRE(v.run({"--layer", "features.0", "--unit", "3", "--unit", "5,2,1", "--steps", "2"}).status == 0);
  CHECK(v.has("3.png"));
  CHECK(v.record().at("units")[1].at("unit") == "5,2,1");
  REQUIRE(v.run({"--layer", "features.0", "--unit", "0-2", "--steps", "2"}, "range").status == 0);
  CHECK(v.record("range").at("units").size() == 3);
  REQUIRE(v.run({"--layer", "features.0", "--steps", "1"}, "all").status == 0);
  CHECK(v.record("all").at("units").size() > 3);
  REQUIRE(v.run({"--layer", "features.0", "--unit", "layer", "--steps", "3"}, "layer").status == 0);
  const json whole = v.record("layer").at("units")[0];
  CHECK(whole.at("after") > whole.at("before"));
  REQUIRE(v.run({"--class", "husky,goose", "--between", "3", "--steps", "2"}, "between").status == 0);
  CHECK(v.record("between").at("units")[1].at("unit") == "husky to goose 50");
  REQUIRE(v.run({"--class", "husky", "--diverse", "2", "--steps", "2"}, "diverse").status == 0);
  CHECK(v.text("husky 1.png", "diverse") != v.text("husky 2.png", "diverse"));
  REQUIRE(v.run({"--class", "husky", "--negative", "--steps", "4"}, "negative").status == 0);
  const json weak = v.record("negative").at("units")[0];
  CHECK(weak.at("after") > weak.at("before"));
}

TEST_CASE("ways to write pictures down, and the judge") {
  const Visualize v;
  for (const char* way : {"pixels", "maco"})
    CHECK(v.run({"--class", "husky", "--parameters", way, "--steps", "3"}, way).status == 0);
  CHECK(v.run({"--class", "husky", "--parameters", "pixels", "--blur-every", "2", "--clear-norms", "10",
               "--clear-contributions", "10", "--tv", "0.001", "--steps", "3"},
              "touched")
            .status == 0);
  const Said said = v.run({"--class", "husky", "--plain", "--steps", "3", "--judge", "zoo_fc"}, "judged");
  CHECK(said.status == 0);
  const json judge = v.record("judged").at("judge");
  CHECK(judge.at("right") == judge.at("plain_right"));  // the plain form beside itself
  CHECK(contains(said.out, "zoo_fc names right"));
}

TEST_CASE("a run that was stopped goes on to the same bytes") {
  const Visualize v;
  const std::vector<std::string> words{"--class", "husky", "--steps", "400", "--seed", "1", "--frames", "5"};
  const Said stopped = v.run(words, "out", "timeout --preserve-status -s INT 2");
  CAPTURE(stopped.err);
  if (stopped.status == 130) {  // else it was done before
    CHECK(contains(stopped.err, "the same command goes on from there"));
    CHECK(v.has("visualize.state"));
    const Said other = v.run({"--class", "goose", "--steps", "400"});
    CHECK(other.status == 1);
    CHECK(contains(other.err, "unfinished run with other settings"));
  }
  REQUIRE(v.run(words).status == 0);
  CHECK(!v.has("visualize.state"));
  REQUIRE(v.run(words, "whole").status == 0);
  for (const char* file : {"husky.png", "visualize.json", "visualize.html", "visualize.ascent.png"})
    CHECK(v.text(file) == v.text(file, "whole"));
}

TEST_CASE("bad input is one line") {
  const Visualize v;
  v.refused({}, "say what to visualise");
  v.refused({"--class", "husky", "--steps", "0"}, "--steps");
  v.refused({"--class", "huskie", "--steps", "1"}, "husky");
  v.refused({"--class", "99", "--steps", "1"}, "99");
  v.refused({"--layer", "featuers.0", "--steps", "1"}, "features.0");
  v.refused({"--layer", "features.0", "--unit", "999", "--steps", "1"}, "there is no unit 999");
  v.refused({"--layer", "features.0", "--unit", "1,99,0", "--steps", "1"}, "there is no place (99, 0)");
  v.refused({"--unit", "1"}, "--unit needs the --layer");
  v.refused({"--class", "husky", "--parameters", "pencil"}, "fourier, maco or pixels");
  v.refused({"--class", "husky", "--blur-every", "3"}, "pixels");
  v.refused({"--class", "husky", "--between", "3"}, "name two");
  v.refused({"--class", "husky", "--parameters", "maco", "--spectrum", v.at("nowhere")}, "nowhere");
  v.refused({"--class", "husky", "--judge", "zo"}, "zoo");
  const Said full = loupe({"visualize", "--class", "husky", "--steps", "1", "--out", "/dev/full/out"});
  CHECK(full.status == 1);
  CHECK(std::ranges::count(full.err, '\n') == 1);
}

TEST_CASE("an animation: frames in order, each chunk with its CRC; sizes that differ are an error") {
  const Image red{2, 1, {255, 0, 0, 255, 0, 0}}, blue{2, 1, {0, 0, 255, 0, 0, 255}};
  const std::vector<Image> frames{red, blue, red};
  const std::vector<uint8_t> file = encode_apng(frames, 40);
  const std::string text(file.begin(), file.end());
  std::vector<size_t> at;
  for (const char* kind : {"IHDR", "acTL", "fcTL", "IDAT", "fdAT", "IEND"}) at.push_back(text.find(kind));
  CHECK(std::ranges::is_sorted(at));
  CHECK(at.back() != text.npos);
  CHECK(decode_image(file).rgb == red.rgb);
  const std::vector<Image> wrong{red, Image{1, 1, {0, 0, 0}}};
  CHECK_THROWS_AS(encode_apng(wrong, 40), Error);
  CHECK_THROWS_AS(encode_apng({}, 40), Error);
}

}  // namespace
}  // namespace loupe::test
