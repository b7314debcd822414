// `loupe evaluate` as its user sees it, and that the zoo's own truth scores as truth does.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/exam/baselines.h"
#include "engine/exam/evaluate.h"
#include "models/models.h"
#include "models/zoo/scene.h"
#include "models/zoo/zoo.h"
#include "tests/support/command.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

using doctest::Approx;
using nlohmann::json;

Said run_evaluate(std::vector<std::string> words) {
  words.insert(words.begin(), {"evaluate", "--weights", "formula"});
  return loupe(words);
}

const json& row(const json& document, const std::string& method) {
  for (const json& m : document.at("methods"))
    if (m.at("method") == method) return m;
  FAIL("no row of ", method);
  return document;
}

size_t width_of(const std::string& line) {
  return static_cast<size_t>(
      std::ranges::count_if(line, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

TEST_CASE("the zoo's pictures as scenes: what the network sees, and where what is") {
  const Preprocessing how{.resize = 64, .crop = 64, .mean = {0.5f, 0.5f, 0.5f}, .std = {0.25f, 0.25f, 0.25f}};
  for (const int objects : {1, 2})
    for (int64_t i = 0; i < 28; ++i) {
      const zoo::Drawing drawing = zoo::draw(3, i, {.objects = objects});
      const Scene scene = zoo::scene(3, i, objects, how);
      CHECK(to_image(scene.input, how).rgb == drawing.image.rgb);
      REQUIRE(std::ssize(scene.objects) == objects);
      for (size_t k = 0; k < scene.objects.size(); ++k) {
        const SceneObject& o = scene.objects[k];
        CHECK(o.cls == drawing.objects[k].cls);
        CHECK(o.region.count() > 20);
        CHECK(std::ranges::equal(o.region.inside, drawing.objects[k].mask,
                                 [](bool inside, int cover) { return inside == (cover >= 128); }));
        for (const NamedRegion& part : o.parts) CHECK(part.region.count() > 0);
      }
      CHECK(scene.objects[0].cls == zoo::class_of(i));
    }
}

TEST_CASE("the mask itself scores 1 on the zoo's pictures, and beats the baselines") {
  ImageModel net = models::load("zoo", "formula", Device::cpu());
  // Knows each scene by its tensor.
  std::map<const std::byte*, Scene> seen;
  const Method oracle{
      .name = "oracle",
      .summary = "",
      .source = "",
      .options = {},
      .run = [&](const Question& q, const Options&) -> Explanation {
        const Scene& scene = seen.at(q.input.raw());
        const SceneObject& object =
            *std::ranges::find(scene.objects, *q.target.one_class(), &SceneObject::cls);
        const Tensor map = Tensor::from(std::span<const uint8_t>(object.region.inside), {64, 64});
        return {{{"oracle", map.to(Dtype::f32), {.style = Picture::Style::evidence}, ""}}, {}};
      }};
  const Exam exam{.scene =
                      [&](int64_t index, int objects) {
                        const Scene scene = zoo::scene(5, index, objects, net.preprocessing);
                        seen[scene.input.raw()] = scene;
                        return scene;
                      },
                  .count = 42,
                  .costly = 14};
  const std::vector<Contestant> all{{&oracle, Options("oracle", {})},
                                    {&centre_baseline, Options("centre", {}), true},
                                    {&random_baseline, Options("random", {}), true}};
  const Evaluation e = evaluate(net, all, exam);
  const auto oracle_score = [&](std::string_view metric) {
    return *std::ranges::find_if(e.standings[0].verdicts,
                                 [&](const Verdicts& v) { return v.metric->name == metric; });
  };
  for (const char* metric : {"pointing", "energy", "iou", "two_objects"}) {
    CAPTURE(metric);
    CHECK(oracle_score(metric).tally.mean() == 1);
    CHECK(oracle_score(metric).beats_baselines == true);
  }
  CHECK(oracle_score("other_object").tally.mean() == 0);
}

TEST_CASE("evaluate: the table has a column a metric, a row a method, and fits a terminal") {
  const Said said =
      run_evaluate({"--method", "cam,gradient", "--count", "3", "--costly", "2", "--steps", "4"});
  CHECK(said.status == 0);
  CHECK(said.err.empty());
  const std::string heading = said.out.substr(0, said.out.find('\n'));
  size_t at = 0;
  for (const Metric* m : standard_metrics()) {
    const size_t found = heading.find(m->heading, at);
    CHECK_MESSAGE(found != std::string::npos, m->heading);
    at = found;
    CHECK(said.out.find(std::string(m->summary)) != std::string::npos);
  }
  CHECK(heading.ends_with("ms"));
  std::vector<size_t> rows;
  for (const char* method : {"cam", "gradient", "centre", "random"})
    rows.push_back(said.out.find("\n" + std::string(method) + " "));
  CHECK(std::ranges::is_sorted(rows));
  CHECK(rows.back() != std::string::npos);
  std::istringstream lines(said.out);
  for (std::string line; std::getline(lines, line);) CHECK_MESSAGE(width_of(line) <= 120, line);
}

TEST_CASE("evaluate: all methods that suit the network, each by itself") {
  const auto scored = [](const std::string& model) {
    const Said said = run_evaluate({"--model", model, "--count", "1", "--costly", "0", "--json",
                                    "--integrated_gradients.steps", "2", "--occlusion.window", "32",
                                    "--occlusion.stride", "32"});
    REQUIRE_MESSAGE(said.status == 0, said.err);
    return json::parse(said.out);
  };
  const json zoo = scored("zoo"), fc = scored("zoo_fc");
  std::set<std::string> expected{"centre", "random"}, found;
  const std::set<std::string> of_attention{"attention_relevance", "attention_rollout", "last_attention"};
  for (const Method* m : all_methods())
    if (!of_attention.contains(std::string(m->name))) expected.insert(std::string(m->name));
  for (const json& m : zoo.at("methods")) found.insert(m.at("method").get<std::string>());
  CHECK(found == expected);
  REQUIRE(zoo.at("skipped").size() == 3);  // a network without attention
  for (const json& m : zoo.at("skipped")) CHECK(of_attention.contains(m.at("method").get<std::string>()));
  CHECK(fc.at("methods").size() == expected.size() - 1);
  REQUIRE(fc.at("skipped").size() == 4);
  CHECK(fc.at("skipped")[2].at("method") == "cam");
  CHECK(fc.at("skipped")[2].at("why").get<std::string>().find("global average pooling") != std::string::npos);
  CHECK(row(zoo, "occlusion").at("options").at("stride") == "32");
}

TEST_CASE("evaluate: --json has every mean, error and count; --out holds the same and a plot") {
  const Folder folder;
  const Said said = run_evaluate({"--method", "grad_cam,input_x_gradient", "--count", "5", "--costly", "3",
                                  "--seed", "9", "--cascade", "2", "--json", "--out", folder / "new/out"});
  REQUIRE_MESSAGE(said.status == 0, said.err);
  const json all = json::parse(said.out);
  CHECK(all == json::parse(read_text(folder / "new/out/scores.json")));
  for (const char* key :
       {"loupe", "model", "weights", "device", "threads", "seed", "count", "costly", "tolerance",
        "part_tolerance", "steps", "accuracy", "metrics", "methods", "skipped", "files", "seconds"})
    CHECK_MESSAGE(all.contains(key), key);
  CHECK(all.at("seed") == 9);
  CHECK(all.at("metrics").size() == standard_metrics().size());
  for (const json& m : all.at("methods")) {
    const bool baseline = m.at("method") == "centre" || m.at("method") == "random";
    CHECK(m.at("baseline") == baseline);
    CHECK(m.at("milliseconds").get<double>() >= 0);
    for (const Metric* metric : standard_metrics()) {
      const json& score = m.at("scores").at(std::string(metric->name));
      const int64_t most = metric->costly ? 3 : 5;
      CHECK(score.at("count").get<int64_t>() <= most);
      if (metric->name != "parts") CHECK(score.at("count") == most);
      CHECK(score.at("standard_error").get<double>() >= 0);
      CHECK(std::abs(score.at("mean").get<double>()) <= 1 + 1e-12);
      CHECK(score.contains("passes") == metric->passes_below.has_value());
      CHECK(score.contains("beats_baselines") == (!baseline && !metric->passes_below));
    }
    CHECK(m.at("scores").at("two_objects").at("mean").get<double>() +
              m.at("scores").at("other_object").at("mean").get<double>() <=
          1 + 1e-12);
  }
  REQUIRE(all.at("cascade").size() == 6);
  CHECK(all.at("cascade")[0].at("layer") == "fc");
  CHECK(all.at("cascade")[5].at("layer") == "features.0");
  for (const json& step : all.at("cascade")) {
    CHECK(step.at("similarity").at("grad_cam").at("count") == 2);
    CHECK(step.at("similarity").at("random").at("mean").get<double>() == Approx(1));
  }
  // Noise and the middle look at no weights.
  CHECK(row(all, "centre").at("scores").at("randomisation").at("passes") == false);
  const std::string plot = read_text(folder / "new/out/scores.svg");
  CHECK(plot.starts_with("<svg "));
  CHECK(plot.ends_with("</svg>\n"));
  for (const char* word : {"grad_cam", "input_x_gradient", "centre baseline", "random baseline"})
    CHECK_MESSAGE(plot.find(word) != std::string::npos, word);
  CHECK(plot.find("href") == std::string::npos);  // nothing from elsewhere
  CHECK(plot.find("nan") == std::string::npos);
  for (const Metric* m : standard_metrics()) CHECK(plot.find(std::string(m->heading)) != std::string::npos);
}

TEST_CASE("evaluate: --metric chooses the columns; all of them stand in tables that fit a terminal") {
  const Folder folder;
  const Said said = run_evaluate({"--method", "cam,gradient", "--count", "2", "--costly", "1", "--steps", "4",
                                  "--metric", "all", "--out", folder / "out"});
  REQUIRE_MESSAGE(said.status == 0, said.err);
  std::istringstream lines(said.out);
  for (std::string line; std::getline(lines, line);) CHECK_MESSAGE(width_of(line) <= 120, line);
  const json all = json::parse(read_text(folder / "out/scores.json"));
  CHECK(all.at("metrics").size() == all_metrics().size());
  for (const Metric* m : all_metrics()) {
    CHECK_MESSAGE(said.out.find(std::string(m->heading)) != std::string::npos, m->heading);
    CHECK_MESSAGE(said.out.find(std::string(m->summary)) != std::string::npos, m->summary);
    for (const char* method : {"cam", "gradient", "centre", "random"})
      CHECK(row(all, method).at("scores").at(std::string(m->name)).at("count").get<int64_t>() <= 2);
  }
  CHECK(read_text(folder / "out/scores.svg").find("nan") == std::string::npos);

  const Said some =
      run_evaluate({"--method", "cam", "--count", "2", "--metric", "sparseness,pointing", "--json"});
  REQUIRE_MESSAGE(some.status == 0, some.err);
  const json scores = row(json::parse(some.out), "cam").at("scores");
  CHECK(scores.size() == 2);
  CHECK(scores.contains("pointing"));
  CHECK(scores.at("sparseness").contains("beats_baselines") == false);
}

TEST_CASE("evaluate: scores depend on the seed, and not on threads or what else is scored") {
  const auto scores = [](std::vector<std::string> words) {
    words.insert(words.end(), {"--count", "4", "--costly", "2", "--steps", "4", "--json"});
    const Said said = run_evaluate(words);
    REQUIRE_MESSAGE(said.status == 0, said.err);
    return row(json::parse(said.out), "gradient").at("scores");
  };
  const json first = scores({"--method", "gradient"});
  CHECK(first == scores({"--method", "gradient,cam", "--threads", "1"}));
  CHECK(first == scores({"--method", "gradient", "--seed", "1"}));
  CHECK(first != scores({"--method", "gradient", "--seed", "2"}));
}

TEST_CASE("evaluate: noise points as often as chance") {
  constexpr int64_t kCount = 300;
  const Said said = run_evaluate({"--method", "cam", "--count", std::to_string(kCount), "--costly", "0",
                                  "--seed", "4", "--tolerance", "3", "--json"});
  REQUIRE_MESSAGE(said.status == 0, said.err);
  const json all = json::parse(said.out);
  // The share of the picture within 3 pixels of the object.
  double chance = 0;
  for (int64_t i = 0; i < kCount; ++i) {
    const Region object = zoo::scene(4, i, 1, {.resize = 64, .crop = 64}).objects[0].region;
    int64_t near = 0;
    for (int64_t y = 0; y < 64; ++y)
      for (int64_t x = 0; x < 64; ++x) {
        bool hit = false;
        for (int64_t dy = -3; dy <= 3; ++dy)
          for (int64_t dx = -3; dx <= 3; ++dx)
            hit |= dy * dy + dx * dx <= 9 && y + dy >= 0 && y + dy < 64 && x + dx >= 0 && x + dx < 64 &&
                   object.at(y + dy, x + dx);
        near += hit;
      }
    chance += static_cast<double>(near) / (64 * 64) / kCount;
  }
  const json& pointing = row(all, "random").at("scores").at("pointing");
  CHECK(pointing.at("count") == kCount);
  CHECK(std::abs(pointing.at("mean").get<double>() - chance) <
        3 * pointing.at("standard_error").get<double>());
  CHECK(row(all, "random").at("scores").at("insertion").at("mean").is_null());
}

TEST_CASE("evaluate: bad input is one line that says what to do") {
  const Folder folder;
  write_text(folder / "file", "");
  struct Case {
    std::vector<std::string> words;
    int status;
    const char* part;
  };
  const Case cases[] = {
      {{"--count", "0"}, 2, "--count"},
      {{"--count", "-3"}, 2, "--count"},
      {{"--count", "many"}, 2, "--count"},
      {{"--costly", "-1"}, 2, "--costly"},
      {{"--cascade", "0"}, 2, "--cascade"},
      {{"--seed", "-1"}, 2, "--seed"},
      {{"--steps", "0"}, 2, "--steps"},
      {{"--tolerance", "-1"}, 2, "--tolerance"},
      {{"--tolerance", "far"}, 2, "--tolerance"},
      {{"--part-tolerance", "nan"}, 2, "--part-tolerance"},
      {{"--method", "gradcam"}, 2, "grad_cam"},
      {{"--metric", "infidelty"}, 2, "infidelity"},
      {{"--metric", ""}, 2, "--metric"},
      {{"--method", "cam", "--model", "zoo_fc"}, 2, "cam does not suit zoo_fc"},
      {{"--method", "cam", "--occlusion.window", "8"}, 2, "has no effect"},
      {{"--method", "occlusion", "--occlusion.window", "65"}, 2, "65"},
      {{"--method", "grad_cam", "--grad_cam.layer", "nowhere"}, 2, "nowhere"},
      {{"--model", "zooo"}, 2, "zoo"},
      {{"--count", "1", "--method", "cam", "--out", folder / "file"}, 1, "file"},
  };
  for (const Case& c : cases) {
    const Said said = run_evaluate(c.words);
    CAPTURE(c.words.back());
    CHECK(said.status == c.status);
    CHECK(said.out.empty());
    CHECK(std::ranges::count(said.err, '\n') == 1);
    CHECK_MESSAGE(said.err.find(c.part) != std::string::npos, said.err);
  }
  const Said without = loupe({"evaluate", "--model", "squeezenet1_1"});
  CHECK(without.status == 2);
  CHECK(without.err.find("--weights") != std::string::npos);
}

}  // namespace loupe::test
