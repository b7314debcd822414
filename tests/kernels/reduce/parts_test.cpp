// How sums over a batch's pixels are cut: every pixel once and in order, by the layer's shape alone, into as
// many blocks as a GPU wants.
#include "kernels/reduce/parts.h"

#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/conv2d/conv2d.h"

namespace loupe::test {
namespace {

constexpr int64_t kMultiprocessors = 132;  // of an H100; the rule does not know it

std::vector<Parts> some_parts() {
  std::vector<Parts> all;
  for (const int64_t images : {1, 2, 5, 7, 32, 300})
    for (const int64_t pixels : {1, 7, 49, 196, 1023, 1536, 1640, 3136, 50176})
      for (const int64_t warps : {1, 8, 36, 288, 1152, 4096, 8192, 100000})
        for (const Parts::Work& work : {Parts::kTiles, Parts::kChannels, Parts::kRows})
          all.push_back(Parts::of(images, pixels, warps, work));
  return all;
}

TEST_CASE("parts cover the batch, each pixel once, in order") {
  for (const Parts& p : some_parts()) {
    CAPTURE(p.images);
    CAPTURE(p.pixels);
    CAPTURE(p.describe());
    int64_t at = 0;
    for (int64_t i = 0; i < p.count(); ++i) {
      const Parts::Part part = p.part(i);
      REQUIRE(part.begin == at);
      REQUIRE(part.end > part.begin);
      REQUIRE(part.end - part.begin == (part.image_end - part.image) * (part.pixel_end - part.pixel));
      REQUIRE((part.image_end - part.image == 1 || part.pixel_end - part.pixel == p.pixels));
      REQUIRE(part.pixel % 8 == 0);
      at = part.end;
    }
    CHECK(at == p.images * p.pixels);
  }
}

TEST_CASE("the rule does not know the batch") {
  for (const Parts& p : some_parts())
    for (const Parts::Work& work : {Parts::kTiles, Parts::kChannels, Parts::kRows})
      for (const int64_t warps : {1, 36, 1152, 8192}) {
        const Parts one = Parts::of(1, p.pixels, warps, work),
                    here = Parts::of(p.images, p.pixels, warps, work);
        CHECK(one.of_image == here.of_image);
        CHECK(one.length == here.length);
        CHECK(one.together == here.together);
      }
}

TEST_CASE("scratch is bounded, and groups of images share it evenly") {
  for (Parts p : some_parts())
    for (const int64_t sums : {1, 1000, 36864, 2359296, 40000000}) {
      const int64_t floats = p.scratch_floats(sums), group = p.of_image * sums;
      CHECK(floats <= std::max(Parts::kMostFloats, group));
      CHECK((floats == 0) == (p.count() == 1));
      const int64_t at_once = p.groups_at_once(sums), launches = ceil_div(p.groups(), at_once);
      CHECK(at_once >= 1);
      CHECK(launches == ceil_div(p.groups(), std::max<int64_t>(1, Parts::kMostFloats / group)));
    }
  const Parts many{.images = 10, .pixels = 4, .length = 4, .together = 1, .most_floats = 20};
  CHECK(many.groups_at_once(5) == 4);  // 4, 4 and 2
  CHECK(many.groups_at_once(6) == 3);  // 3, 3, 3 and 1
  CHECK(many.groups_at_once(40) == 1);
}

struct Layer {
  std::string name;
  int64_t c, k, side;
};
const std::vector<Layer> kVgg16{
    {"features.0", 3, 64, 224},       {"features.2", 64, 64, 224},    {"features.5", 64, 128, 112},
    {"features.7", 128, 128, 112},    {"features.10", 128, 256, 56},  {"features.12", 256, 256, 56},
    {"features.17", 256, 512, 28},    {"features.19", 512, 512, 28},  {"features.24", 512, 512, 14},
    {"classifier.0", 25088, 4096, 1}, {"classifier.6", 4096, 1000, 1}};

ConvSizes sizes_of(const Layer& l, int64_t images) {
  const int64_t kernel = l.side > 1 ? 3 : 1;
  return {images, l.c, l.side, l.side, l.k, l.side, l.side, kernel, 1, kernel / 2, 1, 1};
}

// A line of the table in conv2d_vjp_weight.cu.
std::string line_of(const Layer& l) {
  const ConvSizes s = sizes_of(l, 32);
  const Parts p = device::conv2d_parts(s);
  std::string line = "//   ";
  const auto column = [&](std::string text, size_t width) {
    line += text + std::string(width - std::min(width, text.size()), ' ');
  };
  column(l.name, 15);
  column(std::to_string(s.k) + " × " + std::to_string(s.weight_size() / s.k), 16);  // × has two bytes
  column(std::to_string(device::conv2d_blocks_of_part(s)), 8);
  column(p.count() == 1   ? "whole"
         : p.of_image > 1 ? std::to_string(p.of_image) + " an image"
                          : "of " + std::to_string(p.together) + (p.together > 1 ? " images" : " image"),
         15);
  return line + std::to_string(p.count() * device::conv2d_blocks_of_part(s));
}

TEST_CASE("VGG-16's gradients fill a large GPU, and the table in conv2d_vjp_weight.cu says so") {
  std::ifstream file(LOUPE_SOURCE_DIR "/kernels/conv2d/gemm/conv2d_vjp_weight.cu");
  std::set<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.insert(line);
  REQUIRE(!lines.empty());
  for (const Layer& l : kVgg16) {
    const ConvSizes s = sizes_of(l, 32);
    const int64_t blocks = device::conv2d_parts(s).count() * device::conv2d_blocks_of_part(s);
    CAPTURE(l.name);
    CHECK_MESSAGE(lines.contains(line_of(l)), "the table wants the line\n", line_of(l));
    if (l.side > 1) CHECK(blocks >= 2 * kMultiprocessors);  // 32 rows of a classifier are one part
    const std::string how = device::conv2d_algorithm(s, Direction::vjp_weight);
    CHECK(how.find(": " + std::to_string(blocks) + " blocks") != std::string::npos);
  }
}

TEST_CASE("parts are long beside what they cost, and biases fill the GPU too") {
  for (const Layer& l : kVgg16) {
    CAPTURE(l.name);
    const ConvSizes s = sizes_of(l, 32);
    for (const Parts& p : {device::conv2d_parts(s), Parts::of_channels(s.n, s.k, s.oh * s.ow)}) {
      const Parts::Part first = p.part(0);
      if (p.count() > 1) CHECK(first.end - first.begin >= 680);  // 2/3 of 1024: the nearest number of parts
    }
    if (l.side > 1) CHECK(Parts::of_channels(s.n, s.k, s.oh * s.ow).count() * s.k >= 2 * kMultiprocessors);
  }
}

TEST_CASE("what a call says of its parts") {
  CHECK(Parts::of(32, 50176, 18, Parts::kTiles).describe(9) == ", 14 parts an image: 4032 blocks");
  CHECK(Parts::of(32, 3136, 288, Parts::kTiles).describe(36) == ", a part an image: 1152 blocks");
  CHECK(Parts::of(32, 196, 1152, Parts::kTiles).describe(144) == ", a part for 5 images: 1008 blocks");
  CHECK(Parts::of(32, 1, 50176, Parts::kTiles).describe(6272) == ": 6272 blocks");
  CHECK(Parts::whole(2, 3).describe(1) == ": 1 block");
}

}  // namespace
}  // namespace loupe::test
