// Methods as the command line sees them: the registry, and options that are typed and checked.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "engine/methods/cam.h"
#include "engine/run/method.h"
#include "models/io/formula.h"
#include "models/models.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

TEST_CASE("methods: all are there, described, and found by name") {
  std::vector<std::string> names;
  for (const Method* m : all_methods()) {
    names.emplace_back(m->name);
    CHECK(&find_method(names.back()) == m);
    CHECK_FALSE(m->summary.empty());
    CHECK_FALSE(m->source.empty());
    for (const OptionSpec& o : m->options) CHECK_FALSE(o.help.empty());
  }
  CHECK(std::ranges::is_sorted(names));
  for (const char* name : {"attention_rollout", "cam", "deconvnet", "grad_cam", "gradient", "guided_backprop",
                           "input_x_gradient", "integrated_gradients", "occlusion"})
    CHECK_MESSAGE(std::ranges::count(names, name) == 1, name);
  CHECK(usage_error([] { find_method("gradiant"); }) ==
        "there is no method 'gradiant'; did you mean 'gradient'?");
  CHECK(usage_error([] {
          find_method("zzzzzz");
        }).starts_with("there is no method 'zzzzzz'; there are " + names[0] + ", " + names[1]));
}

TEST_CASE("methods: defaults fit the input's size; what was set stays") {
  const Method& occlusion = find_method("occlusion");
  const ImageModel model = model_with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Shape large{1, 3, 224, 224}, small{1, 3, 64, 64};
  const auto fitted = [&](const Shape& input, const std::string& option, const std::string& text) {
    Options o("occlusion", occlusion.options);
    if (!option.empty()) o.set(option, text);
    occlusion.fit(model, input, o);
    return std::pair(o.integer("window"), o.integer("stride"));
  };
  CHECK(fitted(large, "", "") == std::pair<int64_t, int64_t>(32, 8));
  CHECK(fitted(small, "", "") == std::pair<int64_t, int64_t>(9, 5));
  CHECK(fitted(small, "window", "20") == std::pair<int64_t, int64_t>(20, 5));
  CHECK(fitted(small, "stride", "1") == std::pair<int64_t, int64_t>(9, 1));
}

TEST_CASE("methods: options are typed and checked") {
  Options o("occlusion", {{"window", int64_t{32}, "", 1, 65536},
                          {"stride", int64_t{8}, "", 1, 65536},
                          {"fill", 0.0, "", -1e6, 1e6}});
  CHECK(o.integer("window") == 32);
  CHECK(o.number("fill") == 0);
  o.set("window", "50");
  o.set("fill", "-0.5");
  CHECK(o.integer("window") == 50);
  CHECK(o.number("fill") == -0.5);
  o.set("fill", "1");
  CHECK(o.number("fill") == 1);
  CHECK(o.all() == std::map<std::string, std::string>{{"fill", "1"}, {"stride", "8"}, {"window", "50"}});
  const auto refusal = [&](const std::string& name, const std::string& text) {
    return usage_error([&] { o.set(name, text); });
  };
  CHECK(refusal("stride", "0") == "--occlusion.stride takes a whole number from 1 to 65536, not '0'");
  for (const char* bad : {"", " 3", "3 ", "3.5", "-1", "0x10", "99999999999999999999", "many", "1e3"}) {
    CAPTURE(bad);
    CHECK(refusal("stride", bad).starts_with("--occlusion.stride takes a whole number"));
  }
  for (const char* bad : {"", "nan", "inf", "-inf", "1e999", "1,5", "0.5x"}) {
    CAPTURE(bad);
    CHECK(refusal("fill", bad) ==
          "--occlusion.fill takes a number from -1000000 to 1000000, not '" + std::string(bad) + "'");
  }
  CHECK(refusal("windw", "3") == "the method occlusion has no option 'windw'; did you mean 'window'?");
  CHECK(o.integer("stride") == 8);
  Options none("gradient", find_method("gradient").options);
  CHECK(usage_error([&] { none.set("steps", "3"); }) ==
        "the method gradient has no option 'steps' (it has none)");
  Options steps("integrated_gradients", find_method("integrated_gradients").options);
  CHECK(usage_error([&] { steps.set("steps", "0"); }) ==
        "--integrated_gradients.steps takes a whole number from 1 to 100000, not '0'");
}

TEST_CASE("methods: each answers a question, with maps named after it and shapes that a picture can show") {
  std::set<std::string> answered;
  ImageModel nets[] = {model_with_formula_weights(SmallNetwork{}.graph(), Device::cpu(), "relu3"),
                       model_with_formula_weights(small_transformer_graph(), Device::cpu(), "1.norm")};
  for (ImageModel& net : nets) {
    const Shape size = net.graph().input_shapes().at(0);
    const Tensor x = formula_input(size);
    std::set<std::string> seen;
    for (const Method* m : all_methods()) {
      CAPTURE(m->name);
      if (why_unsuited(*m, net, size)) continue;
      answered.emplace(m->name);
      Options options(std::string(m->name), m->options);
      if (m->name == "occlusion") options.set("window", "6"), options.set("stride", "4");
      const Explanation answer = m->run({net, x, 3, net.logits(x)}, options);
      CHECK_FALSE(answer.maps.empty());
      for (const Map& map : answer.maps) {
        CAPTURE(map.name);
        CHECK(map.name.starts_with(std::string(m->name)));
        CHECK(seen.insert(map.name).second);
        CHECK_FALSE(map.caption.empty());
        const Shape& s = map.values.shape();
        // Of the picture's size with its channels, or of a layer: summed over its channels, or with them.
        CHECK((s == Shape{3, size[2], size[3]} || s.rank() == 2 || (s.rank() == 3 && s[1] < size[2])));
      }
    }
    CHECK(seen.size() >= 10);
  }
  CHECK(answered.size() == all_methods().size());  // each suits one of the two
}

TEST_CASE("methods: a method says which network it does not suit") {
  const ImageModel net = model_with_formula_weights(linear_graph(6, 6), Device::cpu());
  const auto why = why_unsuited(find_method("cam"), net, {1, 3, 6, 6});
  REQUIRE(why.has_value());
  CHECK(why->starts_with("the head must be global average pooling"));
  CHECK_FALSE(why_unsuited(find_method("gradient"), net, {1, 3, 6, 6}).has_value());
}

// The middles of receptive fields: SqueezeNet's last maps are 13×13, 16 pixels apart, around the image's
// middle.
TEST_CASE("methods: where the cells of a layer's maps lie") {
  const Graph squeezenet = models::build("squeezenet1_1").graph;
  const auto grid = receptive_centres(squeezenet, cam_head(squeezenet).maps);
  REQUIRE(grid.has_value());
  CHECK(grid->stride_h == 16);
  CHECK(grid->stride_w == 16);
  CHECK(grid->offset_h == 15);  // 3×3 stride 2 from row 0: 1; three pools of 3, stride 2: + 2 + 4 + 8
  const Graph resnet = models::build("resnet18").graph;
  CHECK(receptive_centres(resnet, resnet.find("layer4"))->offset_w ==
        0);  // padded so that every layer starts at pixel 0
  CHECK_FALSE(receptive_centres(resnet, resnet.output()).has_value());
}

}  // namespace
}  // namespace loupe::test
