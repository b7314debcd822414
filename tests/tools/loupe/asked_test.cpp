// What `loupe explain` can be asked: several classes, a difference, a unit of a layer; and `loupe compare`.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "models/io/safetensors.h"
#include "tests/support/command.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

using nlohmann::json;

std::string animal(const Folder& folder) {
  const Said said = loupe({"zoo", "render", "--count", "1", "--out", folder / "animals"});
  REQUIRE_MESSAGE(said.status == 0, said.err);
  return folder / "animals/000000.png";
}

Said explain(std::vector<std::string> words) {
  words.insert(words.begin(), {"explain", "--weights", "formula", "--device", "cpu"});
  return loupe(words);
}

std::set<std::string> files_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (!entry.is_directory()) names.insert(fs::relative(entry.path(), folder).string());
  return names;
}

void check_same_maps(const std::string& a, const std::string& b) {
  const auto ours = SafetensorsFile::open(a), theirs = SafetensorsFile::open(b);
  CHECK(ours.names() == theirs.names());
  for (const std::string& name : ours.names())
    CHECK_MESSAGE(same_bits(ours.tensor(name), theirs.tensor(name)), name);
}

TEST_CASE("a list of classes, and a difference: the maps of single runs, to the bit, each in its folder") {
  const Folder folder;
  const std::string photo = animal(folder);
  const std::vector<std::string> how{"--method", "gradient,cam,grad_cam,integrated_gradients,occlusion",
                                     "--integrated_gradients.steps", "5"};
  const auto run = [&](const std::string& cls, const std::string& out) {
    std::vector<std::string> words = how;
    words.insert(words.end(), {photo, "--class", cls, "--out", folder / out, "--json"});
    const Said said = explain(words);
    REQUIRE_MESSAGE(said.status == 0, said.err);
    return json::parse(said.out)["images"][0];
  };
  const json all = run("7,crab, 5-2", "all");
  CHECK(all["answers"].size() == 3);
  CHECK(all["answers"][0]["class"] == 7);
  CHECK(all["answers"][2]["difference"] == json::array({5, 2}));
  CHECK_FALSE(all["answers"][2].contains("class"));
  CHECK_FALSE(all.contains("class"));
  for (const json& file : all["files"]) CHECK(fs::exists(file.get<std::string>()));
  CHECK(files_in(folder / "all").contains("000000/5-2/grad_cam.png"));
  for (const char* cls : {"7", "crab", "5-2"}) {
    const json one = run(cls, "one");  // into the folder of the run before
    CHECK(one["explained"].is_string());
    check_same_maps(folder / "one/000000/maps.safetensors",
                    folder / "all/000000/" + cls + "/maps.safetensors");
  }
  const auto meta = SafetensorsFile::open(folder / "all/000000/5-2/maps.safetensors").metadata();
  CHECK(meta.at("difference") == "5-2");
  CHECK(meta.at("explained").find(" − ") != std::string::npos);
  CHECK(json(run("1,2", "all"))["answers"].size() == 2);  // what an earlier list left is replaced
  CHECK(files_in(folder / "all").contains("000000/1/cam.png"));
  CHECK_FALSE(fs::exists(folder / "all/000000/crab"));
}

TEST_CASE("labels that hold commas, dashes and slashes are found whole, and name their folders") {
  const Folder folder;
  const std::string photo = animal(folder);
  std::string labels = "cat, tabby\nfly-catcher\nfly\ncatcher\na/b: c\n";
  for (int i = 5; i < 14; ++i) labels += "label " + std::to_string(i) + "\n";
  write_text(folder / "labels.txt", labels);
  const auto run = [&](const std::string& cls) {
    const Said said = explain({photo, "--labels", folder / "labels.txt", "--class", cls, "--out",
                               folder / "out", "--json", "--method", "cam"});
    REQUIRE_MESSAGE(said.status == 0, said.err);
    return json::parse(said.out)["images"][0];
  };
  CHECK(run("cat, tabby")["class"] == 0);
  CHECK(run("fly-catcher")["class"] == 1);
  CHECK(run("fly - catcher")["difference"] == json::array({2, 3}));
  CHECK(run("fly-catcher-fly")["difference"] == json::array({1, 2}));
  const json list = run("Cat, Tabby,3,a/b: c");
  REQUIRE(list["answers"].size() == 3);
  CHECK(list["answers"][0]["class"] == 0);
  CHECK(list["answers"][2]["class"] == 4);
  CHECK(files_in(folder / "out").contains("000000/a%2Fb%3A c/cam.png"));
  CHECK(read_text(folder / "out/report.html").find("./000000/a%252Fb%253A%20c/maps.safetensors") !=
        std::string::npos);
}

TEST_CASE("what cannot be asked is one line, and nothing is written") {
  const Folder folder;
  const std::string photo = animal(folder);
  const auto refused = [&](std::vector<std::string> words, const std::string& with) {
    words.insert(words.end(), {photo, "--out", folder / "out"});
    const Said said = explain(words);
    CHECK(said.status != 0);
    CHECK(said.out.empty());
    CHECK_MESSAGE(said.err.find(with) != std::string::npos, said.err);
    CHECK(std::count(said.err.begin(), said.err.end(), '\n') == 1);
    CHECK_FALSE(fs::exists(folder / "out"));
  };
  refused({"--class", "1,2,nobody"}, "nobody");
  refused({"--class", "1,99"}, "99");
  refused({"--class", "1,1"}, "twice");
  refused({"--class", "1-1"}, "itself");
  refused({"--class", "1-nobody"}, "nobody");
  refused({"--class", ""}, "--class");
  refused({"--unit", "3"}, "--layer");
  refused({"--unit", "3", "--layer", "nowhere"}, "nowhere");
  refused({"--unit", "3,1", "--layer", "features.6"}, "C,y,x");
  refused({"--unit", "9999", "--layer", "features.6"}, "9999");
  refused({"--unit", "3,99,0", "--layer", "features.6"}, "99");
  refused({"--unit", "3", "--class", "2", "--layer", "features.6"}, "one of them");
  refused({"--unit", "3", "--layer", "features.6", "--method", "cam"}, "cam");
  refused({"--layer", "features.6", "--method", "gradient"}, "--unit");
}

TEST_CASE("a unit of a layer is explained by all methods that can, and said so") {
  const Folder folder;
  const Said said = explain({animal(folder), "--layer", "features.3", "--unit", "3,2,1", "--method",
                             "gradient,integrated_gradients,occlusion", "--out", folder / "out", "--json"});
  REQUIRE_MESSAGE(said.status == 0, said.err);
  const json image = json::parse(said.out)["images"][0];
  CHECK(image["layer"] == "features.3");
  CHECK(image["unit"] == "3,2,1");
  CHECK(image["explained"] == "unit 3 at (2, 1) of features.3");
  CHECK_FALSE(image.contains("class"));
  CHECK_FALSE(files_in(folder / "out").contains("000000/occlusion_probability.png"));
  const auto maps = SafetensorsFile::open(folder / "out/000000/maps.safetensors");
  CHECK(maps.metadata().at("unit") == "3,2,1");
  CHECK(std::stod(maps.metadata().at("score")) == image["score"].get<double>());
}

TEST_CASE("compare: two classes, two networks, one picture") {
  const Folder folder;
  const std::string photo = animal(folder);
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"compare", photo, "--weights", "formula", "--device", "cpu", "--method",
                                 "gradient,cam,grad_cam", "--out", folder / "out", "--json"});
    const Said said = loupe(words);
    REQUIRE_MESSAGE(said.status == 0, said.err);
    return json::parse(said.out);
  };
  const json classes = run({"--class", "1,2"});
  CHECK(classes["sides"].size() == 2);
  CHECK(classes["maps"].size() == 3);
  for (const json& map : classes["maps"]) CHECK(std::abs(map["rank_correlation"].get<double>()) <= 1);
  const json same = run({"--with", "zoo", "--with.weights", "formula", "--class", "3"});
  for (const json& map : same["maps"]) CHECK(map["rank_correlation"] == doctest::Approx(1));
  const json one = run({});
  CHECK(one["sides"].size() == 1);
  CHECK(one["maps"][0]["rank_correlation"].is_null());
  const std::string page = read_text(folder / "out/compare.html");
  for (const char* outside : {"http:", "https:", "src=\"/", "<link"})
    CHECK(page.find(outside) == std::string::npos);
  // What guided backpropagation lets through of the example: (0, 0), (1, 3), (2, 1), (3, 2).
  const size_t guided = page.find("guided: R where");
  REQUIRE(guided != std::string::npos);
  const std::string table = page.substr(guided, page.find("</table>", guided) - guided);
  size_t plus = 0;
  for (size_t at = table.find("class=plus"); at != table.npos; at = table.find("class=plus", at + 1)) ++plus;
  CHECK(plus == 4);
  CHECK(loupe({"compare", photo, "--weights", "formula", "--with.weights", "formula"}).status != 0);
}

}  // namespace
}  // namespace loupe::test
