// Ways back of single units on windows, which give what a method gives for the whole picture; and `loupe features`.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "engine/neurons/search.h"
#include "engine/neurons/ways_back.h"
#include "engine/run/passes.h"
#include "models/models.h"
#include "models/zoo/zoo.h"
#include "tests/support/command.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

using nlohmann::json;

Tensor noise(const Shape& shape) {
  std::mt19937_64 random(7);
  Tensor x(Dtype::f32, shape);
  for (float& v : x.values<float>()) v = static_cast<float>(random() % 2001) / 1000.0f - 1;
  return x;
}

std::vector<Rule> rules() { return {deconvnet_rule(), guided_backprop_rule(), gradient_rule()}; }

// The picture's size, zero outside what was computed.
Tensor whole(const Reconstruction& r, const Shape& input) {
  const Tensor all = Tensor::zeros(Dtype::f64, input.with(0, 1));
  const Tensor v = r.values.to(Dtype::f64);
  const Shape& s = v.shape();
  for (int64_t i = 0; i < v.numel(); ++i) {
    const int64_t c = i / (s[1] * s[2]), y = r.y + i / s[2] % s[1], x = r.x + i % s[2];
    all.values<double>()[static_cast<size_t>((c * input[2] + y) * input[3] + x)] = v.item(i);
  }
  return all;
}

// The largest distance of units in the corners, on the edges and in the middle from the method's own maps.
double distance(Network& net, const Tensor& x, NodeId layer, int64_t channels) {
  std::vector<Tape> tapes;
  for (int64_t n = 0; n < x.shape()[0]; ++n)
    tapes.push_back(Tape::record(net, x.slice(n, n + 1), std::vector<NodeId>{layer}));
  const Shape maps = net.graph().shapes(x.shape())[static_cast<size_t>(layer)];
  std::vector<UnitPlace> units;
  std::vector<int64_t> pictures;
  for (const int64_t y : {int64_t{0}, maps[2] / 2, maps[2] - 1})
    for (const int64_t place : {int64_t{0}, maps[3] / 3, maps[3] - 1})
      for (int64_t c = 0; c < channels; ++c) {
        pictures.push_back(std::ssize(units) % x.shape()[0]);
        units.push_back({&tapes[static_cast<size_t>(pictures.back())], (c * 7 + y) % maps[1], y, place});
      }
  WaysBack ways(net, x.shape().with(0, 1), layer);
  CHECK(ways.macs() <= ways.whole_macs());
  double worst = 0;
  for (const Rule& rule : rules()) {
    const std::vector<Reconstruction> made = ways.run(units, rule);
    for (size_t i = 0; i < units.size(); ++i) {
      const UnitPlace& u = units[i];
      const Tensor expected = input_signal(net, x.slice(pictures[i], pictures[i] + 1),
                                           Target::unit(u.channel, {{u.y, u.x}}).of(layer), rule, {});
      double size = 0;
      for (int64_t k = 0; k < expected.numel(); ++k) size = std::max(size, std::abs(expected.item(k)));
      const Tensor w = whole(made[i], x.shape());
      if (size == 0) {
        CHECK(std::ranges::all_of(w.values<const double>(), [](double v) { return v == 0; }));
        continue;
      }
      worst = std::max(worst, relative_l2(w, expected));
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("a way back on windows is the method's, of every layer, on every device") {
  const Tensor x = noise({2, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    for (const NodeId layer : filter_layers(net.graph())) {
      CAPTURE(net.graph().node(layer).name);
      CHECK(distance(net, x, layer, device == Device::sim() ? 1 : 2) <
            (device == Device::ref() ? 1e-13 : 2e-6));
    }
  }
}

TEST_CASE("and through fires, ceiled pools, residuals and batch norms, in many stages") {
  for (const char* name : {"squeezenet1_1", "resnet18"}) {
    CAPTURE(name);
    Network net = with_formula_weights(models::build(name, {}).graph, Device::cpu());
    const Tensor x = noise({2, 3, 80, 64});
    const std::vector<NodeId> layers = filter_layers(net.graph());
    for (size_t l = 0; l < layers.size(); l += 12) {
      CAPTURE(net.graph().node(layers[l]).name);
      CHECK(distance(net, x, layers[l], 1) < 1e-5);
    }
  }
}

TEST_CASE("what cannot be run on windows is said") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const Shape input{1, 3, 14, 11};
  CHECK(
      contains(usage_error([&] { WaysBack(net, input, net.graph().output()); }), "sees more than a window"));
  WaysBack ways(net, input, filter_layers(net.graph())[0]);
  const Tape tape;
  CHECK(contains(usage_error([&] {
                   ways.run(std::vector<UnitPlace>{{&tape, 99, 0, 0}}, deconvnet_rule());
                 }),
                 "there is no unit 99"));
}

TEST_CASE("features writes a page and strips, whose search is used again") {
  const Folder folder;
  fs::create_directories(folder / "pictures");
  for (int64_t i = 0; i < 4; ++i)
    write_png(folder / ("pictures/" + std::to_string(i) + ".png"), zoo::draw(2, i).image);
  std::vector<std::string> words{"features", folder / "pictures", "--out", folder / "out", "--top",
                                 "2",        "--device",          "cpu"};
  const json layers = json::parse(loupe({"layers", "--model", "zoo", "--json"}).out);
  std::string convolution;
  for (const json& row : layers["layers"])
    if (row["op"] == "conv2d") convolution = row["node"];
  words.insert(words.end(), {"--layers", convolution});
  const Said said = loupe(words);
  CAPTURE(said.err);
  REQUIRE(said.status == 0);
  CHECK(contains(said.out, "guided_backprop"));
  const std::string page = read_text(folder / "out/features.html");
  CHECK(page.starts_with("<!doctype html>"));
  CHECK(!contains(page, "src=\"http"));
  const size_t channels = json::parse(read_text(folder / "out/index.json"))["layers"][convolution].size();
  size_t strips = 0;
  for (const auto& entry : fs::directory_iterator(folder / ("out/features/" + convolution))) {
    const Image strip = read_image(entry.path());
    CHECK(strip.width == 2 * 56 + 2);
    CHECK(strip.height == 4 * 56 + 3 * 2);
    ++strips;
  }
  CHECK(strips == channels);
  words.insert(words.end(), {"--method", "gradint"});
  const Said wrong = loupe(words);
  CHECK(wrong.status == 2);
  CHECK(contains(wrong.err, "no way back 'gradint'"));
  CHECK(std::ranges::count(wrong.err, '\n') == 1);
}

namespace {

std::map<std::string, std::string> files_of(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      files[entry.path().lexically_relative(folder).string()] = read_text(entry.path().string());
  return files;
}

}  // namespace

TEST_CASE("drawing that was stopped goes on; that of another search or other ways begins anew") {
  const Folder folder;
  fs::create_directories(folder / "pictures");
  for (int64_t i = 0; i < 4; ++i)
    write_png(folder / ("pictures/" + std::to_string(i) + ".png"), zoo::draw(2, i).image);
  const json layers = json::parse(loupe({"layers", "--model", "zoo", "--json"}).out);
  std::string convolution;
  for (const json& row : layers["layers"])
    if (convolution.empty() && row["op"] == "conv2d") convolution = row["node"];
  const auto words = [&](const std::string& top, const std::string& methods) {
    return std::vector<std::string>{"features", folder / "pictures", "--out", folder / "out", "--top",
                                    top,        "--method",          methods, "--device",     "cpu",
                                    "--layers", convolution};
  };
  REQUIRE(loupe(words("2", "deconvnet,gradient")).status == 0);
  const auto whole = files_of(folder / "out");
  const std::string strips = folder / ("out/features/" + convolution);
  // As a run that was killed leaves it.
  fs::remove(folder / "out/features.html");
  fs::remove(strips + "/0002.png");
  write_text(strips + "/0003.png", "torn");
  write_text(strips + "/0004.png.part123", "half");
  const auto kept = fs::last_write_time(strips + "/0001.png");
  REQUIRE(loupe(words("2", "deconvnet,gradient")).status == 0);
  CHECK(files_of(folder / "out") == whole);
  CHECK(fs::last_write_time(strips + "/0001.png") == kept);
  // Other ways: nothing of the old strips is taken.
  REQUIRE(loupe(words("2", "gradient")).status == 0);
  CHECK(read_image(strips + "/0001.png").height == 2 * 56 + 2);
  REQUIRE(loupe(words("3", "gradient")).status == 0);
  CHECK(read_image(strips + "/0001.png").width == 3 * 56 + 2 * 2);
  REQUIRE(loupe(words("2", "deconvnet,gradient")).status == 0);
  CHECK(files_of(folder / "out") == whole);
}

TEST_CASE("layers behind an op that sees all of its maps are run back through whole maps") {
  const Folder folder;
  fs::create_directories(folder / "pictures");
  for (int64_t i = 0; i < 2; ++i)
    write_png(folder / ("pictures/" + std::to_string(i) + ".png"), zoo::draw(2, i).image);
  const Said said = loupe({"features", folder / "pictures", "--out", folder / "out", "--top", "1", "--model",
                           "mobilenet_v3_small", "--weights", "formula", "--device", "cpu", "--method",
                           "gradient", "--layers", "features.0.0,features.1.block.2.0"});
  CAPTURE(said.err);
  REQUIRE(said.status == 0);
  CHECK(contains(said.out, "layer through whole maps"));
  int drawn = 0;
  for (const auto& entry : fs::directory_iterator(folder / "out/features/features.1.block.2.0")) {
    const Image strip = read_image(entry.path());
    REQUIRE(strip.height == 2 * 56 + 2);
    const uint8_t* row = strip.pixel(58 + 28, 0);
    drawn += !std::all_of(row, row + 56 * 3, [&](uint8_t v) { return v == row[0]; });
  }
  CHECK(drawn > 8);
}

}  // namespace loupe::test
