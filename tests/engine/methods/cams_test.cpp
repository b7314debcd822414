// Class activation maps of a layer: each by its formula, from values and gradients that an execution hands out.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/methods/cam.h"
#include "engine/methods/principal_axis.h"
#include "models/io/formula.h"
#include "models/loupe.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

using Formula = std::function<Tensor(ImageModel&, const Tensor&, const CamLayerOptions&)>;

const std::map<std::string, Formula>& cams() {
  static const std::map<std::string, Formula> all{
      {"grad_cam", grad_cam},
      {"layer_grad_cam", layer_grad_cam},
      {"grad_cam_plus_plus", grad_cam_plus_plus},
      {"xgrad_cam", xgrad_cam},
      {"layer_cam", layer_cam},
      {"hires_cam", hires_cam},
      {"eigen_cam", [](auto& m, auto& x, auto& o) { return eigen_cam(m, x, {.layer = o.layer}); }},
      {"eigen_cam_centred",
       [](auto& m, auto& x, auto& o) { return eigen_cam(m, x, {.layer = o.layer, .centred = true}); }},
      {"score_cam", [](auto& m, auto& x, auto& o) { return score_cam(m, x, o).map; }},
      {"ablation_cam", [](auto& m, auto& x, auto& o) { return ablation_cam(m, x, o).map; }},
  };
  return all;
}

// An image's maps as rows of channels, and of what the layer is made: maps, or tokens behind a class token.
struct Rows {
  std::vector<std::vector<double>> a = {}, g = {};
  double score = 0;
};
Rows rows_of(ImageModel& model, const Tensor& x, const std::string& layer, int64_t cls) {
  const NodeId node = model.graph().find(layer), scores = model.graph().output();
  Execution& e =
      model.network.execution(x.shape(), {.values = {node, scores}, .from = scores, .gradients = {node}});
  e.forward(x);
  Rows rows{.score = e.value(scores).item(cls)};
  e.backward(seed_channels({1, 5}, std::vector<int64_t>{cls}));
  const Tensor a = e.value(node), g = e.gradient(node);
  const Shape& s = a.shape();
  const bool tokens = s.rank() == 3;
  const int64_t channels = tokens ? s[2] : s[1], places = tokens ? s[1] - 1 : s[2] * s[3];
  for (int64_t k = 0; k < channels; ++k) {
    rows.a.emplace_back();
    rows.g.emplace_back();
    for (int64_t p = 0; p < places; ++p) {
      const int64_t at = tokens ? (p + 1) * channels + k : k * places + p;
      rows.a.back().push_back(a.item(at));
      rows.g.back().push_back(g.item(at));
    }
  }
  return rows;
}

double sum(const std::vector<double>& v) {
  double total = 0;
  for (const double n : v) total += n;
  return total;
}

// What one weight a channel makes.
std::vector<double> weighted(const Rows& r, const std::function<double(size_t)>& weight) {
  std::vector<double> map(r.a[0].size(), 0.0);
  for (size_t k = 0; k < r.a.size(); ++k)
    for (size_t p = 0; p < map.size(); ++p) map[p] += weight(k) * r.a[k][p];
  return map;
}

std::map<std::string, std::vector<double>> by_formula(const Rows& r) {
  std::map<std::string, std::vector<double>> maps;
  const auto places = static_cast<double>(r.a[0].size());
  maps["layer_grad_cam"] = weighted(r, [&](size_t k) { return sum(r.g[k]) / places; });
  maps["grad_cam"] = maps["layer_grad_cam"];
  for (double& v : maps["grad_cam"]) v = std::max(v, 0.0);
  maps["grad_cam_plus_plus"] = weighted(r, [&](size_t k) {
    double weight = 0;
    for (const double g : r.g[k]) {
      const double below = 2 * g * g + sum(r.a[k]) * g * g * g;
      weight += (below == 0 ? 0 : g * g / below) * std::max(g, 0.0);
    }
    return weight;
  });
  maps["xgrad_cam"] = weighted(r, [&](size_t k) {
    double product = 0;
    for (size_t p = 0; p < r.a[k].size(); ++p) product += r.a[k][p] * r.g[k][p];
    return sum(r.a[k]) == 0 ? 0 : product / sum(r.a[k]);
  });
  std::vector<double>&positive = maps["layer_cam"], &all = maps["hires_cam"];
  positive.resize(r.a[0].size());
  all.resize(r.a[0].size());
  for (size_t k = 0; k < r.a.size(); ++k)
    for (size_t p = 0; p < all.size(); ++p) {
      positive[p] += std::max(r.g[k][p], 0.0) * r.a[k][p];
      all[p] += r.g[k][p] * r.a[k][p];
    }
  return maps;
}

ImageModel small(Device device) {
  return model_with_formula_weights(SmallNetwork{}.graph(), device, "relu3");
}
ImageModel transformer(Device device) {
  return model_with_formula_weights(small_transformer_graph(), device, "1.norm");
}

TEST_CASE("cams: their formulas, at maps and at tokens") {
  struct Case {
    ImageModel model;
    std::vector<std::string> layers;
  };
  Case cases[] = {{small(Device::ref()), {"pool1", "relu2", "add", "relu3"}},
                  {transformer(Device::ref()), {"0.add_1", "1.norm", "patches"}}};
  for (Case& c : cases) {
    const Tensor x = formula_input(c.model.graph().input_shapes(1).at(0));
    for (const std::string& layer : c.layers) {
      const Rows rows = rows_of(c.model, x, layer, 1);
      for (const auto& [name, expected] : by_formula(rows)) {
        CAPTURE(layer);
        CAPTURE(name);
        const Tensor map = cams().at(name)(c.model, x, {.target = 1, .layer = layer});
        REQUIRE(map.numel() == std::ssize(expected));
        CHECK(relative_l2(map, Tensor::from(std::span<const double>(expected), map.shape())) < 1e-12);
      }
    }
  }
}

TEST_CASE("cams: every device, batch and limit of memory has the same map") {
  const Tensor x = formula_input({3, 3, 14, 11});
  ImageModel reference = small(Device::ref());
  for (const Device device : devices()) {
    ImageModel model = small(device);
    for (const auto& [name, cam] : cams()) {
      CAPTURE(device.str());
      CAPTURE(name);
      const CamLayerOptions options{.target = std::vector<int64_t>{2, 0, 4}, .layer = "relu2"};
      const Tensor all = cam(model, x, options);
      CHECK(all.shape() == Shape{3, 6, 5});
      CHECK(relative_l2(all, cam(reference, x, options)) < 1e-4);
      CHECK(same_bits(cam(model, x.slice(1, 2), {.target = 0, .layer = "relu2"}).row(0), all.row(1)));
      if (name != "score_cam" && name != "ablation_cam") continue;
      for (const int64_t bytes : {int64_t{1} << 15, int64_t{1} << 17}) {
        model.network.memory_limit = bytes;
        try {
          CHECK(same_bits(cam(model, x, options), all));
        } catch (const Error& e) {
          CHECK(std::string(e.what()).find("memory") != std::string::npos);
        }
      }
      model.network.memory_limit = 0;
    }
  }
}

TEST_CASE("cams: any target: a difference, and a unit of a layer above") {
  const Tensor x = formula_input({1, 3, 14, 11});
  ImageModel model = small(Device::ref());
  for (const auto& name : {"layer_grad_cam", "hires_cam"}) {
    const auto of = [&](const Target& t) { return values_of(cams().at(name)(model, x, {.target = t})); };
    const auto both = of(Target::difference(1, 3)), a = of(1), b = of(3);
    for (size_t i = 0; i < both.size(); ++i) CHECK(both[i] == doctest::Approx(a[i] - b[i]).epsilon(1e-12));
  }
  const Target unit = Target::sum({{40, 1.0}}).of(model.graph().find("relu2"));
  const double whole = ablation_cam(model, x, {.target = unit, .layer = "pool1"}).weight.item(0);
  CHECK(std::isfinite(whole));
  CHECK(score_cam(model, x, {.target = unit, .layer = "pool1"}).score.shape() == Shape{1, 10});
}

TEST_CASE("xgrad_cam: adds up to the score of a network without biases") {
  SmallNetwork plain;
  plain.biases = false;
  ImageModel model = model_with_formula_weights(plain.graph(), Device::ref(), "relu3");
  const Tensor x = formula_input({1, 3, 14, 11});
  for (const std::string layer : {"pool1", "relu2", "relu3"})
    CHECK(sum(values_of(xgrad_cam(model, x, {.target = 3, .layer = layer}))) ==
          doctest::Approx(model.logits(x).item(3)).epsilon(1e-10));
}

// Each cell's share of a pixel is a hat function, cut at the edge.
double hat(int64_t pixel, int64_t pixels, int64_t cell, int64_t cells) {
  const double at =
      (static_cast<double>(pixel) + 0.5) * static_cast<double>(cells) / static_cast<double>(pixels) - 0.5;
  const double inside = std::clamp(at, 0.0, static_cast<double>(cells - 1));
  return std::max(0.0, 1 - std::abs(inside - static_cast<double>(cell)));
}

TEST_CASE("score_cam: the scores of pictures seen through upsampled maps, and their softmax") {
  const Tensor x = formula_input({1, 3, 14, 11});
  for (ImageModel* model : {new ImageModel(small(Device::ref())), new ImageModel(small(Device::cpu()))}) {
    const std::unique_ptr<ImageModel> owner(model);
    const Rows rows = rows_of(*model, x, "relu2", 1);
    const ScoreCamResult found = score_cam(*model, x, {.target = 1, .layer = "relu2"});
    REQUIRE(found.score.shape() == Shape{1, 18});
    std::vector<double> scores;
    for (size_t k = 0; k < 18; ++k) {
      std::vector<double> up(14 * 11, 0.0);
      for (int64_t i = 0; i < 14 * 11; ++i)
        for (int64_t p = 0; p < 30; ++p)
          up[static_cast<size_t>(i)] += hat(i / 11, 14, p / 5, 6) * hat(i % 11, 11, p % 5, 5) * rows.a[k][p];
      const auto [low, high] = std::ranges::minmax(up);
      Tensor seen = x.to(Dtype::f64).clone();
      for (int64_t i = 0; i < seen.numel(); ++i)
        seen.values<double>()[static_cast<size_t>(i)] *=
            high == low ? 0 : (up[static_cast<size_t>(i % 154)] - low) / (high - low);
      scores.push_back(model->logits(seen).item(1));
      CHECK(found.score.item(static_cast<int64_t>(k)) == doctest::Approx(scores.back()).epsilon(1e-5));
    }
    double total = 0;
    for (const double s : scores) total += std::exp(s);
    const auto expected = weighted(rows, [&](size_t k) { return std::exp(scores[k]) / total; });
    CHECK(relative_l2(found.map, Tensor::from(std::span<const double>(expected), {1, 6, 5})) < 1e-5);
  }
}

// There f is the bias and Σ_k W[c,k]·mean(A_k).
TEST_CASE("ablation_cam: what a linear head loses, and the layers below run once") {
  const Tensor x = formula_input({1, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    ImageModel model = small(device);
    const Rows rows = rows_of(model, x, "relu3", 2);
    const AblationCamResult found = ablation_cam(model, x, {.target = 2});
    const Tensor weight = model.network.parameter("fc.weight");
    for (size_t k = 0; k < 18; ++k)
      CHECK(found.weight.item(static_cast<int64_t>(k)) ==
            doctest::Approx(weight.item(2 * 18 + static_cast<int64_t>(k)) * sum(rows.a[k]) / 30 / rows.score)
                .epsilon(1e-3)
                .scale(0.01));
    const NodeId layer = model.graph().find("relu3");
    const Purpose purpose{.values = {model.graph().output(), layer},
                          .edits = {{.at = layer, .kind = Edit::Kind::set}}};
    const int64_t batch = model.network.last_batch();
    const Execution& e = model.network.execution(Shape{batch, 3, 14, 11}, purpose);
    CHECK(e.steps_run() == e.plan().forward_steps() - e.plan().edits()[0].step);
    CHECK(e.plan().edits()[0].step >= 3);
  }
}

TEST_CASE("ablation_cam: patches lose a number, the class token keeps it") {
  ImageModel model = transformer(Device::ref());
  const Tensor x = formula_input({1, 3, 12, 8});
  const AblationCamResult found = ablation_cam(model, x, {.target = 0, .layer = "0.add_1"});
  const NodeId layer = model.graph().find("0.add_1"), scores = model.graph().output();
  Execution& e = model.network.execution(
      x.shape(), {.values = {scores}, .edits = {{.at = layer, .kind = Edit::Kind::scale}}});
  e.forward(x);
  const double whole = e.value(scores).item(0);
  for (int64_t k = 0; k < 8; ++k) {
    e.edit(0, Cells{{{1, 1, 7}, {2, k, k + 1}}}, 0.0);
    e.again();
    CHECK(found.weight.item(k) ==
          doctest::Approx((whole - e.value(scores).item(0)) / whole).epsilon(1e-9).scale(1e-3));
  }
  // Patches have no say in the class token of the last layer any more.
  for (const double v : values_of(ablation_cam(model, x, {.target = 0, .layer = "1.add_1"}).map))
    CHECK(v == 0);
}

// M = U·diag(s)·Vᵀ with U and V Householder reflections.
TEST_CASE("eigen_cam: the first axis, also where the second is near") {
  const auto reflection = [](int64_t n, int64_t i, int64_t j) {  // I − 2 w wᵀ/|w|², w = (1, 2, …, n)
    const auto squares = static_cast<double>(n * (n + 1) * (2 * n + 1)) / 6;
    return (i == j ? 1.0 : 0.0) - 2 * static_cast<double>((i + 1) * (j + 1)) / squares;
  };
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{5, 9}, {9, 5}, {6, 6}, {1, 4}, {4, 1}})
    for (const double second : {0.0, 0.5, 0.999, 1 - 1e-6}) {
      CAPTURE(rows);
      CAPTURE(second);
      std::vector<double> matrix;
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c) {
          double v = 0;
          for (int64_t i = 0; i < std::min(rows, columns); ++i)
            v += reflection(rows, r, i) * (i == 0 ? 3 : 3 * second / static_cast<double>(i)) *
                 reflection(columns, c, i);
          matrix.push_back(v);
        }
      const std::vector<double> found = project_on_first_axis(matrix, rows, columns);
      const double sign = found[0] * reflection(rows, 0, 0) < 0 ? -1 : 1;
      for (int64_t r = 0; r < rows; ++r)
        CHECK(std::abs(sign * found[static_cast<size_t>(r)] - 3 * reflection(rows, r, 0)) <
              1e-14 / (1 - second) + 1e-14);
    }
  for (const double v : project_on_first_axis(std::vector<double>(12, 0.0), 3, 4)) CHECK(v == 0);
}

TEST_CASE("eigen_cam: its sign is that of the maps' sum, and centring is an option") {
  const Tensor x = formula_input({1, 3, 14, 11});
  ImageModel model = small(Device::ref());
  const Rows rows = rows_of(model, x, "relu2", 0);
  const auto along = weighted(rows, [](size_t) { return 1.0; });
  for (const bool centred : {false, true}) {
    const auto map = values_of(eigen_cam(model, x, {.layer = "relu2", .centred = centred}));
    double product = 0;
    for (size_t p = 0; p < map.size(); ++p) product += map[p] * along[p];
    CHECK(product > 0);
    if (centred) CHECK(std::abs(sum(map)) < 1e-12);
  }
  const Method& method = find_method("eigen_cam");
  Options options("eigen_cam", method.options);
  const Question q{.model = model, .input = x, .target = 0, .logits = model.logits(x)};
  options.set("centred", "yes");
  CHECK(same_bits(
      method.run(q, options).maps[0].values,
      find_method("eigen_cam_centred").run(q, Options("eigen_cam_centred", method.options)).maps[0].values));
  options.set("centred", "perhaps");
  CHECK(usage_error([&] { method.run(q, options); }) == "--eigen_cam.centred takes yes or no, not 'perhaps'");
}

TEST_CASE("cams: layers without places are refused, and those that work are named") {
  ImageModel model = small(Device::cpu());
  const Tensor x = formula_input({1, 3, 14, 11});
  for (const auto& [name, cam] : cams()) {
    const std::string said = name == "eigen_cam_centred" ? "eigen_cam" : name;
    CHECK(usage_error([&] { cam(model, x, {.layer = "fc"}); }) ==
          said + " needs a layer with maps, but 'fc' is (1, 5): choose another with --" + said +
              ".layer; those that work are conv1, relu1, pool1, conv2, relu2, conv3, add, relu3");
    CHECK(usage_error([&] {
            cam(model, x, {.layer = "relu9"});
          }).starts_with("the network has no layer 'relu9'; did you mean 'relu"));
    if (const Method& m = find_method(name); name != "cam") {
      Options options(name, m.options);
      options.set("layer", "average");
      CHECK(usage_error([&] {
              why_unsuited(m, model, x.shape(), &options);
            }).find("'average' is (1, 18, 1, 1): choose another") != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace loupe::test
