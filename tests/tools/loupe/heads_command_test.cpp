// `loupe train --head pooled` and --head dense, from pictures to class activation maps.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "engine/image/image.h"
#include "models/io/safetensors.h"
#include "models/models.h"
#include "models/zoo/zoo.h"
#include "tests/support/command.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

using nlohmann::json;

json explained(const std::vector<std::string>& words) {
  const Said said = loupe(words);
  REQUIRE_MESSAGE(said.status == 0, said.err);
  return json::parse(said.out);
}

void refuses(const std::vector<std::string>& words, const std::string& part) {
  const Said said = loupe(words);
  CHECK(said.status != 0);
  CHECK_MESSAGE(said.err.find(part) != std::string::npos, said.err);
  CHECK(std::ranges::count(said.err, '\n') == 1);
}

TEST_CASE("train --head pooled: the zoo's classes, with the trunk of a network with another head") {
  const Folder folder;
  const std::string out = folder / "run";
  const json record = explained({"train", "zoo_fc", "--head", "pooled", "--init", "zoo_fc", "--count", "420",
                                 "--steps", "120", "--test", "140", "--out", out, "--json"});
  CHECK(record.at("pictures") == 420);
  CHECK(record.at("test").at("accuracy").get<double>() > 0.5);  // one in 14 by chance
  // The trunk is what it was, to the bit.
  const SafetensorsFile file = SafetensorsFile::open(out + "/zoo_fc.safetensors");
  const SafetensorsFile own = models::built_in_file("zoo_fc");
  for (const std::string& name : file.names())
    if (!name.starts_with("head.")) CHECK(same_bits(file.tensor(name), own.tensor(name).to(Dtype::f32)));
  CHECK(file.info("head.fc.weight").shape == Shape{14, 256});

  const std::string picture = folder / "ant.png";
  write_png(picture, zoo::draw(3, 1, {}).image);
  const json all = explained({"explain", picture, "--model", "zoo_fc", "--head", "pooled", "--weights",
                              out + "/zoo_fc.safetensors", "--labels", out + "/labels.txt", "--method", "cam",
                              "--out", folder / "maps", "--json"});
  CHECK(all["images"][0]["methods"][0]["method"] == "cam");
  const Tensor map = SafetensorsFile::open(folder / "maps/ant/maps.safetensors").tensor("cam");
  CHECK(map.shape() == Shape{13, 13});
}

TEST_CASE("train --head pooled: a folder of pictures, a folder in it for each class") {
  const Folder folder;
  for (int64_t i = 0; i < 3 * 14; ++i)
    for (const int64_t cls : {0, 3}) {
      const int64_t index = 14 * i + cls;
      const std::string in =
          folder / ("pictures/" + zoo::labels()[static_cast<size_t>(zoo::class_of(index))]);
      fs::create_directories(in);
      if (i < 15)
        write_png(in + "/" + std::to_string(index) + ".png", zoo::draw(9, index, {.masks = false}).image);
    }
  const std::string out = folder / "run";
  const json record =
      explained({"train", "zoo_fc", "--head", "pooled", "--init", "zoo_fc", "--pictures", folder / "pictures",
                 "--steps", "60", "--batch", "8", "--out", out, "--json"});
  CHECK(record.at("pictures") == 24);
  CHECK(record.at("held_out").at("pictures") == 6);
  CHECK(record.at("held_out").at("accuracy").get<double>() >= 0.8);
  CHECK(read_text(out + "/labels.txt") ==
        record["classes"][0].get<std::string>() + "\n" + record["classes"][1].get<std::string>() + "\n");
  fs::create_directories(folder / "pictures/empty");
  const std::vector<std::string> words{
      "train", "zoo_fc", "--head", "pooled", "--pictures", folder / "pictures", "--out", folder / "none"};
  refuses(words, "holds no picture");
  CHECK(!fs::exists(folder / "none"));
}

TEST_CASE("explain --head dense: a picture larger than the network's own") {
  const Folder folder;
  const Image one = zoo::draw(3, 5, {}).image, other = zoo::draw(3, 8, {}).image;
  Image both{128, 64, std::vector<uint8_t>(128 * 64 * 3)};
  for (int64_t y = 0; y < 64; ++y)
    for (int64_t x = 0; x < 128; ++x)
      std::copy_n((x < 64 ? one : other).pixel(y, x % 64), 3, both.pixel(y, x));
  const std::string picture = folder / "both.png";
  write_png(picture, both);
  const auto words = [&](const std::string& cls) {
    return std::vector<std::string>{
        "explain", picture,    "--model", "zoo_fc",  "--head", "dense", "--size",
        "64x128",  "--method", "cam",     "--class", cls,      "--out", folder / ("maps" + cls),
        "--json"};
  };
  // Each half's class has its highest score in its half.
  for (const int64_t index : {5, 8}) {
    const std::string cls = std::to_string(zoo::class_of(index));
    explained(words(cls));
    const Tensor map =
        SafetensorsFile::open(folder / ("maps" + cls + "/both/maps.safetensors")).tensor("cam");
    REQUIRE(map.shape().rank() == 2);
    CHECK(map.shape()[0] == 1);
    int64_t best = 0;
    for (int64_t i = 1; i < map.numel(); ++i)
      if (map.item(i) > map.item(best)) best = i;
    CHECK((best < map.numel() / 2) == (index == 5));
  }
  refuses({"explain", picture, "--model", "zoo", "--head", "dense", "--out", folder / "none"},
          "this network has no fully connected head");
  refuses({"explain", picture, "--model", "zoo", "--head", "round", "--out", folder / "none"},
          "--head takes dense or pooled, not 'round'");
  refuses({"train", "zoo", "--pictures", "x", "--out", folder / "none"}, "go with --head pooled");
  refuses({"train", "vgg11", "--head", "pooled", "--out", folder / "none"}, "needs --init");
  CHECK(!fs::exists(folder / "none"));
}

}  // namespace
}  // namespace loupe::test
