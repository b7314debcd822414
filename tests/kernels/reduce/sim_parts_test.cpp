// The gradient of a batch is, to the bit, the sum of the gradients of its groups of images, one after the
// other: whatever the schedule, and however little scratch there is.
// ctest: FIXTURES_SETUP sim_coverage
#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "kernels/group_norm/group_norm.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/linear/linear.h"
#include "tests/support/case_checks.h"
#include "tests/support/device.h"
#include "tests/support/kernels_run.h"

namespace loupe::test {
namespace {

DeviceModule& sim() { return DeviceModule::of(Backend::sim); }
void shuffle(int seed) { sim().configure("seed", std::to_string(seed)); }

struct Subject {
  std::string name;
  OpPtr op;
  Shape input;
  int64_t together;  // images of a group
};

// Small layers whose sums are cut: some images have several parts, the last one short; some parts have
// several images.
std::vector<Subject> subjects() {
  return {
      {"conv2d, two parts an image", conv2d({.out_channels = 3, .kernel = 3}), {3, 2, 41, 43}, 1},
      {"conv2d, five images a part",
       conv2d({.out_channels = 4, .kernel = 3, .padding = 1}),
       {12, 3, 10, 20},
       5},
      {"conv_transpose2d",
       conv_transpose2d({.out_channels = 2, .kernel = 2, .stride = 2}),
       {3, 2, 40, 41},
       1},
      {"linear over rows, two parts an image", linear({.out_features = 5}), {3, 1600, 3}, 1},
      {"batch_norm", batch_norm(), {3, 2, 40, 41}, 1},
      {"layer_norm over channels", layer_norm({.channels = true}), {3, 3, 40, 41}, 1},
      {"layer_norm over rows", layer_norm(), {3, 600, 5}, 1},
      {"group_norm", group_norm({.groups = 2}), {12, 4, 10, 20}, 5},
  };
}

std::vector<double> some_numbers(Random& random, const Shape& shape) {
  return drawn(random, Draw::uniform, shape, 0);
}

Operands operands_of(const Subject& s) {
  Random random(s.name);
  Operands o{.shapes = {s.input}, .inputs = {some_numbers(random, s.input)}, .given = 1};
  for (const ParameterSpec& p : s.op->parameters(o.shapes)) {
    o.inputs.push_back(p.role == ParameterSpec::Role::norm_variance
                           ? drawn(random, Draw::positive, p.shape, 0)
                           : some_numbers(random, p.shape));
    o.shapes.push_back(p.shape);
  }
  o.grad_output = some_numbers(random, s.op->shape(o.shapes));
  return o;
}

// Images [begin, begin + count).
Operands images(const Operands& all, int64_t begin, int64_t count) {
  const int64_t batch = all.shapes[0][0];
  const auto some = [&](const Numbers& v) {
    const auto image = static_cast<int64_t>(v.size()) / batch;
    return Numbers(v.begin() + begin * image, v.begin() + (begin + count) * image);
  };
  Operands o = all;
  o.shapes[0] = all.shapes[0].with(0, count);
  o.inputs[0] = some(all.inputs[0]);
  o.grad_output = some(all.grad_output);
  if (all.record) o.record = all.record->rows(begin, count);
  return o;
}

std::vector<float> gradient(const Op& op, Direction d, const Operands& o) {
  const Numbers g = call(op, d, {.backend = Backend::sim, .dtype = Dtype::f32}, o).value.numbers();
  return {g.begin(), g.end()};
}

TEST_CASE("a batch is its groups of images, added up in order") {
  skip_without(Backend::sim);
  for (const Subject& s : subjects()) {
    Operands all = operands_of(s);
    all.record = call(*s.op, Direction::forward, {.backend = Backend::sim, .dtype = Dtype::f32}, all).record;
    for (const Direction d : {Direction::vjp_weight, Direction::vjp_bias}) {
      CAPTURE(s.name);
      CAPTURE(s.op->kind().direction_name(d));
      const std::string how = s.op->prepare(Backend::sim, d, all.shapes, {}).describe;
      CAPTURE(how);
      CHECK(how.find("part") != std::string::npos);
      shuffle(1);
      const std::vector<float> whole = gradient(*s.op, d, all);
      std::vector<float> sum;
      for (int64_t begin = 0; begin < s.input[0]; begin += s.together) {
        shuffle(static_cast<int>(begin) + 2);
        const int64_t count = std::min(s.together, s.input[0] - begin);
        const std::vector<float> group = gradient(*s.op, d, images(all, begin, count));
        if (begin == 0) sum.assign(group.size(), -0.0f);
        for (size_t i = 0; i < sum.size(); ++i) sum[i] += group[i];
      }
      CHECK(whole == sum);
    }
  }
  shuffle(1);
  note_kernels_run("parts");
}

// An array of floats on the device, of its own size: any access outside is an error.
class Floats {
 public:
  explicit Floats(const Numbers& values)
      : values_(values.begin(), values.end()),
        data_(sim().allocate(bytes()), [](void* p) { sim().release(p); }) {
    sim().upload(data_.get(), values_.data(), bytes());
  }
  float* data() const { return static_cast<float*>(data_.get()); }
  std::vector<float> values() {
    sim().download(values_.data(), data_.get(), bytes());
    return values_;
  }

 private:
  int64_t bytes() const { return static_cast<int64_t>(values_.size() * sizeof(float)); }
  std::vector<float> values_;
  std::shared_ptr<void> data_;
};

// The gradient of a layer's weights by parts that are given.
std::vector<float> weight_gradient(const ConvSizes& s, Parts parts, const Numbers& x, const Numbers& gy) {
  const Floats in(x), signal(gy);
  const double nan = std::nan("");
  Floats result(Numbers(static_cast<size_t>(s.weight_size()), nan));
  const Floats scratch(
      Numbers(static_cast<size_t>(std::max<int64_t>(1, parts.scratch_floats(s.weight_size()))), nan));
  device::conv2d_vjp_weight({&sim(), nullptr}, s, device::conv2d_tile(s, Direction::vjp_weight), parts,
                            in.data(), signal.data(), result.data(), scratch.data());
  return result.values();
}

// The same, each part's sums by a call of its own in which the other pixels' signals are zero, added up here.
std::vector<float> added_up(const ConvSizes& s, const Parts& parts, const Numbers& x, const Numbers& gy) {
  std::vector<float> total(static_cast<size_t>(s.weight_size()), -0.0f);
  for (int64_t i = 0; i < parts.count(); i += parts.of_image) {
    std::vector<float> group(total.size(), -0.0f);
    for (int64_t j = 0; j < parts.of_image; ++j) {
      const Parts::Part part = parts.part(i + j);
      Numbers alone(gy.size());
      for (int64_t n = part.image; n < part.image_end; ++n)
        for (int64_t k = 0; k < s.k; ++k)
          for (int64_t p = part.pixel; p < part.pixel_end; ++p) {
            const auto at = static_cast<size_t>((n * s.k + k) * parts.pixels + p);
            alone[at] = gy[at];
          }
      const std::vector<float> sums = weight_gradient(s, Parts::whole(s.n, parts.pixels), x, alone);
      for (size_t w = 0; w < group.size(); ++w) group[w] += sums[w];
    }
    for (size_t w = 0; w < total.size(); ++w) total[w] += group[w];
  }
  return total;
}

TEST_CASE("every tile in parts, with scratch for all groups of images, for two and for one") {
  skip_without(Backend::sim);
  const std::vector<std::pair<ConvTile, ConvSizes>> layers{
      {ConvTile::rows_32, {5, 3, 6, 7, 4, 6, 7, 3, 1, 1, 1, 1}},
      {ConvTile::rows_64, {5, 8, 6, 5, 40, 6, 5, 3, 1, 1, 1, 1}},
      {ConvTile::rows_128, {3, 43, 5, 6, 97, 5, 6, 5, 1, 2, 1, 1}},
      {ConvTile::direct, {5, 4, 7, 6, 4, 4, 3, 3, 2, 1, 1, 4}},
  };
  for (const auto& [tile, s] : layers) {
    REQUIRE(device::conv2d_tile(s, Direction::vjp_weight) == tile);
    CAPTURE(static_cast<int>(tile));
    Random random("parts");
    const int64_t pixels = s.oh * s.ow;
    const Numbers x = some_numbers(random, {s.n, s.c, s.h, s.w}),
                  gy = some_numbers(random, {s.n, s.k, s.oh, s.ow});
    Numbers exact(static_cast<size_t>(s.weight_size())), terms = exact;
    ref::conv2d_vjp_weight(s, x.data(), gy.data(), exact.data());
    ref::conv2d_vjp_weight(s, magnitudes(x).data(), magnitudes(gy).data(), terms.data());
    const Parts cut[] = {
        {.images = s.n, .pixels = pixels, .of_image = ceil_div(pixels, 8), .length = 8, .together = 1},
        {.images = s.n, .pixels = pixels, .of_image = ceil_div(pixels, 16), .length = 16, .together = 1},
        {.images = s.n, .pixels = pixels, .length = pixels, .together = 1},
        {.images = s.n, .pixels = pixels, .length = pixels, .together = 2},
        Parts::whole(s.n, pixels)};
    for (Parts p : cut) {
      CAPTURE(p.describe());
      shuffle(1);
      const std::vector<float> all = weight_gradient(s, p, x, gy);
      const double bound = gamma(static_cast<double>(s.n * pixels), kUnit32);
      for (size_t i = 0; i < all.size(); ++i) REQUIRE(std::fabs(all[i] - exact[i]) <= bound * terms[i]);
      // (The threads of a block that adds up a weight alone take other pixels in a part than in the whole.)
      if (tile != ConvTile::direct) CHECK(added_up(s, p, x, gy) == all);
      for (const int64_t groups : {2, 1}) {
        p.most_floats = groups * p.of_image * s.weight_size();
        if (p.count() > 1) CHECK(p.scratch_floats(s.weight_size()) <= p.most_floats);
        shuffle(static_cast<int>(groups) + 5);
        CHECK(weight_gradient(s, p, x, gy) == all);
      }
    }
  }
  shuffle(1);
}

}  // namespace
}  // namespace loupe::test
