// Statistics of channels by formula, and `loupe atlas`: what it keeps, what it uses again, and how it goes on.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "engine/neurons/search.h"
#include "engine/neurons/statistics.h"
#include "models/zoo/zoo.h"
#include "tests/support/command.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

using nlohmann::json;

constexpr int64_t kPictures = 9;
const std::vector<int64_t> kClasses{0, 1, 2, 0, 1, 2, -1, 1, 1};

Tensor some_pictures() {
  std::mt19937_64 random(5);
  Tensor x(Dtype::f32, {kPictures, 3, 14, 11});
  for (float& v : x.values<float>()) v = static_cast<float>(random() % 2001) / 1000.0f - 1;
  return x;
}

// Pearson's r of two lists, by its definition.
double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto mean = [](const std::vector<double>& v) {
    double sum = 0;
    for (const double x : v) sum += x;
    return sum / static_cast<double>(v.size());
  };
  const double ma = mean(a), mb = mean(b);
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

// All of one channel from its whole maps.
ChannelStatistics by_definition(const Tensor& maps, int64_t channel, const std::vector<int64_t>& classes,
                                int64_t count) {
  std::vector<double> means;
  double inactive = 0;
  for (int64_t n = 0; n < maps.shape()[0]; ++n) {
    const Tensor map = maps.row(n).row(channel);
    double sum = 0;
    for (int64_t i = 0; i < map.numel(); ++i) {
      sum += map.item(i);
      inactive += map.item(i) <= 0 ? 1.0 / static_cast<double>(map.numel()) : 0;
    }
    means.push_back(sum / static_cast<double>(map.numel()));
  }
  const auto pictures = static_cast<double>(means.size());
  ChannelStatistics s{.inactive = inactive / pictures};
  for (const double m : means) s.mean += m / pictures;
  for (const double m : means) s.deviation += (m - s.mean) * (m - s.mean) / pictures;
  s.deviation = std::sqrt(s.deviation);
  for (int64_t k = 0; k < count && s.deviation > 0; ++k) {
    std::vector<double> indicator;
    for (const int64_t c : classes) indicator.push_back(c == k ? 1 : 0);
    const double r = correlation(means, indicator);
    if (!std::isnan(r) && (!s.cls || r > s.cls->second)) s.cls = {k, r};
  }
  return s;
}

void check_same(const ChannelStatistics& a, const ChannelStatistics& b, double within) {
  CHECK(a.mean == doctest::Approx(b.mean).epsilon(within));
  CHECK(a.deviation == doctest::Approx(b.deviation).epsilon(within));
  CHECK(a.inactive == doctest::Approx(b.inactive).epsilon(within));
  REQUIRE(a.cls.has_value() == b.cls.has_value());
  if (!a.cls) return;
  CHECK(a.cls->first == b.cls->first);
  CHECK(a.cls->second == doctest::Approx(b.cls->second).epsilon(within));
}

UnitStatistics taken(Network& net, const std::vector<NodeId>& layers, const Tensor& x, int64_t batch,
                     const std::vector<int64_t>& classes, int64_t count) {
  UnitStatistics s(net, layers, count);
  for (int64_t i = 0; i < x.shape()[0]; i += batch) {
    const int64_t end = std::min(x.shape()[0], i + batch);
    const std::span all(classes);
    s.add(x.slice(i, end),
          classes.empty() ? all : all.subspan(static_cast<size_t>(i), static_cast<size_t>(end - i)));
  }
  return s;
}

/// A folder with drawn pictures of two classes, each in a folder of its own.
class Atlas {
 public:
  Atlas() {
    for (int64_t i = 0; i < 28; ++i) {
      const int64_t c = zoo::class_of(i);
      if (c > 1) continue;
      const std::string folder = folder_ / ("pictures/" + zoo::labels()[static_cast<size_t>(c)]);
      fs::create_directories(folder);
      write_png(folder + "/" + std::to_string(i) + ".png", zoo::draw(2, i).image);
    }
  }
  Said run(const std::vector<std::string>& more = {}, const std::string& out = "out",
           const std::string& before = "") const {
    std::vector<std::string> words{"atlas", pictures(), "--out", at(out),    "--top",
                                   "2",     "--device", "cpu",   "--layers", "features.2,features.0"};
    if (!std::ranges::count(more, "--steps")) words.insert(words.end(), {"--steps", "2"});
    words.insert(words.end(), more.begin(), more.end());
    return loupe(words, before);
  }
  std::string pictures() const { return at("pictures"); }
  std::string at(const std::string& file) const { return folder_ / file; }
  std::string text(const std::string& file, const std::string& out = "out") const {
    return read_text(at(out + "/" + file));
  }
  json record(const std::string& out = "out") const { return json::parse(text("atlas.json", out)); }

 private:
  Folder folder_;
};

fs::file_time_type time_of(const std::string& file) { return fs::last_write_time(file); }

}  // namespace

TEST_CASE("statistics are their definitions, whatever the device and the batch") {
  const Tensor x = some_pictures();
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const std::vector<NodeId> layers = filter_layers(net.graph());
    const auto whole = taken(net, layers, x, kPictures, kClasses, 3).found();
    REQUIRE(whole.size() == layers.size());
    for (size_t l = 0; l < layers.size(); ++l) {
      Execution& pass = net.execution(x.shape(), Purpose{.values = {layers[l]}});
      pass.forward(x);
      const Tensor maps = pass.value(layers[l]);
      REQUIRE(std::ssize(whole[l]) == maps.shape()[1]);
      for (size_t c = 0; c < whole[l].size(); ++c) {
        CAPTURE(c);
        check_same(whole[l][c], by_definition(maps, static_cast<int64_t>(c), kClasses, 3), 1e-9);
      }
    }
    for (const int64_t batch : {1, 4}) {
      const auto parts = taken(net, layers, x, batch, kClasses, 3).found();
      for (size_t l = 0; l < layers.size(); ++l)
        for (size_t c = 0; c < whole[l].size(); ++c) check_same(parts[l][c], whole[l][c], 1e-12);
    }
  }
}

TEST_CASE("without classes they are the network's own; a state goes on; one that does not fit is said") {
  const Tensor x = some_pictures();
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const std::vector<NodeId> layers{filter_layers(net.graph())[0]};
  const std::vector<int64_t> own = Target(top1).classes(net.logits(x));
  const auto named = taken(net, layers, x, 4, own, net.classes()).found();
  UnitStatistics first(net, layers, net.classes()), second(net, layers, net.classes());
  first.add(x.slice(0, 5));
  second.restore(first.state());
  second.add(x.slice(5, kPictures));
  CHECK(second.pictures() == kPictures);
  for (size_t c = 0; c < named[0].size(); ++c) check_same(second.found()[0][c], named[0][c], 1e-12);
  UnitStatistics other(net, layers, 2);
  CHECK_THROWS_AS(other.restore(first.state()), Error);
  CHECK(contains(usage_error([&] { other.add(x, std::vector<int64_t>{1}); }), "each picture needs a class"));
}

TEST_CASE("an atlas has of every unit its pictures, its reconstructions and its numbers") {
  const Atlas atlas;
  const Said said = atlas.run();
  CAPTURE(said.err);
  REQUIRE(said.status == 0);
  CHECK(contains(said.out, "atlas.html"));
  const json record = atlas.record();
  CHECK(record["model"] == "zoo");
  CHECK(record["classes"]["of"] == "folders");
  CHECK(record["classes"]["names"] == json({"dalmatian", "husky"}));
  CHECK(record["strips"]["rows"] == json({"patch", "deconvnet", "guided_backprop", "gradient"}));
  const json index = json::parse(atlas.text("index.json"));
  REQUIRE(record["layers"].size() == 2);
  for (const json& layer : record["layers"]) {
    const json& lists = index["layers"][layer["layer"].get<std::string>()];
    REQUIRE(layer["units"].size() == lists.size());
    for (size_t c = 0; c < lists.size(); ++c) {
      const json& unit = layer["units"][c];
      CHECK(unit["unit"] == c);
      CHECK(unit["top"] == lists[c]);
      CHECK(unit["sparsity"] >= 0);
      CHECK(unit["sparsity"] <= 1);
      CHECK(unit["mean"] <= unit["top"][0]["score"]);
      if (unit["sparsity"] < 1) CHECK(unit["class"]["correlation"] > 0);  // of two classes one goes with it
      CHECK(read_image(atlas.at("out/" + unit["strip"].get<std::string>())).height == 4 * 56 + 3 * 2);
      CHECK(read_image(atlas.at("out/" + unit["ascent"]["file"].get<std::string>())).width == 64);
    }
  }
  const std::string page = atlas.text("atlas.html");
  CHECK(page.starts_with("<!doctype html>"));
  CHECK(!contains(page, "http:"));
  CHECK(!contains(page, "https:"));
  CHECK(contains(page, "features.0"));
}

TEST_CASE("what the single commands made is used; what is there and equal is not made again") {
  const Atlas atlas;
  const auto made = [&](const std::vector<std::string>& words) {
    const Said said = loupe(words);
    CAPTURE(said.err);
    REQUIRE(said.status == 0);
  };
  made({"features", atlas.pictures(), "--out", atlas.at("out"), "--top", "2", "--device", "cpu", "--layers",
        "features.2,features.0"});
  made({"visualize", "--layer", "features.2", "--steps", "2", "--device", "cpu", "--out",
        atlas.at("out/ascent/features.2")});
  const std::string strip = atlas.at("out/features/features.0/0001.png"),
                    ascent = atlas.at("out/ascent/features.2/3.png");
  const auto strip_time = time_of(strip), ascent_time = time_of(ascent);
  REQUIRE(atlas.run({"--parts", "features"}).status == 0);
  CHECK(atlas.record()["layers"][0]["units"][3]["ascent"]["file"] == "ascent/features.2/3.png");
  CHECK(atlas.record()["layers"][1]["units"][3]["ascent"].is_null());
  REQUIRE(atlas.run().status == 0);
  CHECK(time_of(strip) == strip_time);
  CHECK(time_of(ascent) == ascent_time);
  REQUIRE(atlas.run({}, "whole").status == 0);
  for (const char* file : {"atlas.json", "atlas.html", "ascent/features.0/5.png"})
    CHECK(atlas.text(file) == atlas.text(file, "whole"));
  fs::remove(strip);  // of a layer of which something is gone all is made again
  const auto late = time_of(atlas.at("out/ascent/features.0/3.png"));
  REQUIRE(atlas.run({"--steps", "3"}).status == 0);
  CHECK(fs::exists(strip));
  CHECK(time_of(ascent) != ascent_time);  // other settings
  CHECK(time_of(atlas.at("out/ascent/features.0/3.png")) != late);
}

TEST_CASE("killed at any moment it goes on to the same files") {
  const Atlas atlas;
  REQUIRE(atlas.run({"--steps", "6"}, "whole").status == 0);
  for (const char* after : {"0.4", "0.8", "1.2", "1.6"})
    atlas.run({"--steps", "6", "--checkpoint", "0"}, "out", std::string("timeout -s KILL ") + after);
  const Said said = atlas.run({"--steps", "6"});
  CAPTURE(said.err);
  REQUIRE(said.status == 0);
  for (const char* file : {"atlas.json", "atlas.html", "index.bin", "features/features.0/0007.png",
                           "ascent/features.2/5.png", "ascent/features.0/31.png"})
    CHECK(atlas.text(file) == atlas.text(file, "whole"));
}

TEST_CASE(
    "drawn pictures have the zoo's classes; others those that the network gives them; bad input is one "
    "line") {
  const Folder folder;
  const auto words = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all{"atlas", "--out",    folder / "out", "--layers", "features.2", "--top",
                                 "1",     "--method", "gradient",     "--device", "cpu"};
    if (!std::ranges::count(more, "--parts")) all.insert(all.end(), {"--parts", "features"});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  REQUIRE(loupe(words({"--zoo", "28"})).status == 0);
  json record = json::parse(read_text(folder / "out/atlas.json"));
  CHECK(record["classes"]["of"] == "zoo");
  CHECK(record["pictures"] == 28);
  fs::create_directories(folder / "plain");
  for (int64_t i = 0; i < 14; ++i)
    write_png(folder / ("plain/" + std::to_string(i) + ".png"), zoo::draw(2, i).image);
  REQUIRE(loupe(words({folder / "plain"})).status == 0);
  record = json::parse(read_text(folder / "out/atlas.json"));
  CHECK(record["classes"]["of"] == "network");
  CHECK(record["classes"]["names"].size() == 14);
  CHECK(record["layers"][0]["units"][0]["ascent"].is_null());
  for (const auto& [more, part] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{folder / "plain", "--shard", "1/2"}, "no --shard"},
           {{folder / "plain", "--parts", "feature"}, "features"},
           {{folder / "plain", "--steps", "0"}, "--steps"},
           {{folder / "nowhere"}, "there is no folder"},
           {{}, "name a folder of pictures"}}) {
    const Said wrong = loupe(words(more));
    CAPTURE(wrong.err);
    CHECK(wrong.status == 2);
    CHECK(contains(wrong.err, part));
    CHECK(std::ranges::count(wrong.err, '\n') == 1);
  }
}

}  // namespace loupe::test
