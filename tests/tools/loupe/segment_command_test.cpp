// `loupe segment` as its user sees it, and that colours outline the zoo's objects better than the map itself does.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/zoo/zoo.h"
#include "tests/support/command.h"

namespace loupe::test {
namespace {

using nlohmann::json;

class Segment {
 public:
  Segment() { write_png(picture_, zoo::draw(1, 3).image); }
  Said run(std::vector<std::string> words) const {
    words.insert(words.begin(), {"segment", "--out", folder_ / "out"});
    return loupe(words);
  }
  /// One line, that status, and nothing written.
  void refused(const std::vector<std::string>& words, int status, const std::string& part) const {
    const Said said = run(words);
    CAPTURE(said.err);
    CHECK(said.status == status);
    CHECK(said.out.empty());
    CHECK(said.err.starts_with("loupe: "));
    CHECK(std::ranges::count(said.err, '\n') == 1);
    CHECK(contains(said.err, part));
    CHECK(!fs::exists(folder_ / "out"));
  }
  const Folder& folder() const { return folder_; }
  const std::string& picture() const { return picture_; }

 private:
  Folder folder_;
  std::string picture_ = folder_ / "thing.png";
};

}  // namespace

TEST_CASE("a picture is cut out, whole files come, and the same ones again") {
  const Segment segment;
  const Said said = segment.run({segment.picture(), "--from", "cam"});
  CHECK(said.status == 0);
  CHECK(said.err.empty());
  CHECK(contains(said.out, "of the picture; energy "));
  const std::string at = segment.folder() / "out/thing/";
  const Image mask = read_image(at + "mask.png"), cutout = read_image(at + "cutout.png");
  REQUIRE(mask.width == zoo::kSize);
  const Image photo = zoo::draw(1, 3).image;
  int64_t inside = 0;
  for (size_t i = 0; i < mask.rgb.size(); i += 3) {
    CHECK((mask.rgb[i] == 0 || mask.rgb[i] == 255));
    inside += mask.rgb[i] != 0;
    for (size_t c = i; c < i + 3; ++c) CHECK(cutout.rgb[c] == (mask.rgb[i] ? photo.rgb[c] : 0));
  }
  CHECK(inside > 100);
  CHECK(inside < zoo::kSize * zoo::kSize / 2);
  CHECK(read_image(at + "steps.png").width >= 5 * 224);
  std::vector<std::string> before;
  for (const char* name : {"mask.png", "cutout.png", "steps.png"}) before.push_back(read_text(at + name));
  CHECK(segment.run({segment.picture(), "--from", "cam", "--threads", "1"}).status == 0);
  size_t i = 0;
  for (const char* name : {"mask.png", "cutout.png", "steps.png"}) CHECK(read_text(at + name) == before[i++]);
}

TEST_CASE("--json says by how much the energy fell, and it never rises") {
  const Segment segment;
  const Said said = segment.run({segment.picture(), "--from", "gradient", "--rounds", "6", "--json"});
  REQUIRE(said.status == 0);
  const json document = json::parse(said.out);
  CHECK(document.at("method") == "gradient");
  const json& energy = document.at("images").at(0).at("energy");
  double last = energy.at("first_cut");
  CHECK(!energy.at("rounds").empty());
  for (const json& round : energy.at("rounds"))
    for (const char* part : {"assigned", "learned", "cut"}) {
      CHECK(round.at(part).get<double>() <= last);
      last = round.at(part);
    }
  CHECK(last < energy.at("first_cut").get<double>());
}

TEST_CASE("GrabCut beats the best threshold of the maps on the zoo's pictures") {
  const Segment segment;
  for (const char* method : {"cam", "gradient"}) {
    CAPTURE(method);
    const Said said = segment.run({"--zoo", "140", "--from", method, "--json"});
    REQUIRE(said.status == 0);
    const json scores = json::parse(said.out);
    const double cut = scores.at("iou").at("grab_cut"), threshold = scores.at("iou").at("best_threshold");
    MESSAGE(method << ": " << cut << " against " << threshold);
    CHECK(cut > threshold);
    CHECK(scores.at("classes").size() == zoo::labels().size());
    double sum = 0;  // ten pictures of each class
    for (const auto& [name, row] : scores.at("classes").items()) sum += row.at("grab_cut").get<double>() / 14;
    CHECK(sum == doctest::Approx(cut).epsilon(1e-9));
  }
  const Said text = segment.run({"--zoo", "14", "--from", "cam"});
  CHECK(text.status == 0);
  for (const std::string& label : zoo::labels()) CHECK(contains(text.out, label));
  CHECK(contains(text.out, "best threshold"));
}

TEST_CASE("segment: what cannot be done is said in one line") {
  const Segment segment;
  const std::string& picture = segment.picture();
  segment.refused({}, 2, "segment needs pictures, or --zoo N");
  segment.refused({picture, "--from", "cam,gradient"}, 2, "--from takes one method, not 2");
  segment.refused({picture, "--from", "camm"}, 2, "camm");
  segment.refused({picture, "--foreground", "0.2"}, 2, "--background 0.30 is not below --foreground 0.2");
  segment.refused({picture, "--foreground", "1.5"}, 2, "--foreground");
  segment.refused({picture, "--rounds", "-1"}, 2, "--rounds");
  segment.refused({picture, "--gamma", "many"}, 2, "--gamma");
  segment.refused({picture, "--components", "0"}, 2, "--components");
  segment.refused({picture, "--class", "unicorn"}, 2, "unicorn");
  segment.refused({picture, "--zoo", "3"}, 2, "not both");
  segment.refused({"--zoo", "0"}, 2, "--zoo");
  segment.refused({segment.folder() / "nowhere.png"}, 1, "nowhere.png");
  segment.refused({picture, "--from", "attention_rollout"}, 2, "--from attention_rollout does not suit");
  // The second picture is bad: neither is cut out.
  segment.refused({picture, segment.folder() / "nowhere.png"}, 1, "nowhere.png");
}

}  // namespace loupe::test
