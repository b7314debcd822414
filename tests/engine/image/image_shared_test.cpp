// Photographs through stb and our resize, against PIL and torchvision's tensors for the same files; and the
// real maps, drawn.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/image/overlay.h"
#include "tests/support/pictures.h"

using namespace loupe;
using namespace loupe::test;

namespace {

const std::filesystem::path kShared = LOUPE_SHARED_DIR;

/// A float32 tensor of a safetensors file.
Tensor golden(const std::filesystem::path& file, const std::string& name) {
  const std::vector<uint8_t> bytes = bytes_of(file);
  REQUIRE(bytes.size() > 8);
  uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  const auto header =
      nlohmann::json::parse(bytes.begin() + 8, bytes.begin() + 8 + static_cast<int64_t>(length));
  const std::vector<int64_t> shape = header.at(name).at("shape");
  std::vector<float> values(static_cast<size_t>(Shape(shape).numel()));
  std::memcpy(values.data(), bytes.data() + 8 + length + header[name]["data_offsets"][0].get<size_t>(),
              4 * values.size());
  return Tensor::from(values, Shape(shape));
}

double mean_difference(Tensor a, Tensor b) {
  REQUIRE(a.numel() == b.numel());
  double sum = 0;
  for (int64_t i = 0; i < a.numel(); ++i) sum += std::abs(a.item(i) - b.item(i));
  return sum / static_cast<double>(a.numel());
}

}  // namespace

TEST_CASE("photographs become the inputs that PIL and torchvision make of them") {
  // The decoders differ by a level here and there (chroma interpolation and the inverse DCT are not fixed to
  // the bit by the standard); the resize does not. 0.01 in normalised units is about half a level.
  int count = 0;
  for (const char* folder : {"golden/inputs", "golden/squeezenet1_1"})
    for (const auto& entry : std::filesystem::directory_iterator(kShared / folder)) {
      const std::string stem = entry.path().stem().string();
      auto photo = kShared / "photos" / (stem + ".jpg");
      if (!std::filesystem::exists(photo)) photo = kShared / "photos/imagenet_samples" / (stem + ".JPEG");
      CAPTURE(stem);
      CHECK(mean_difference(preprocess(read_image(photo)), golden(entry.path(), "input")) <= 0.01);
      ++count;
    }
  CHECK(count == 13);
}

TEST_CASE("pictures of real maps: heat is where the map is") {
  for (const char* name : {"jaguar", "golden_retriever", "gibbon"}) {
    CAPTURE(name);
    const auto file = kShared / "golden/squeezenet1_1" / (std::string(name) + ".safetensors");
    const Tensor x = golden(file, "input"), cam = golden(file, "cam");
    const Grid grid{15, 15, 16, 16};
    const Image with = overlay(x, cam, {.style = Picture::Style::evidence, .grid = grid});
    const Image without = overlay(x, Tensor::zeros(Dtype::f32, {1, 1}), {.style = Picture::Style::evidence});
    const auto change = [&](int64_t cell) {  // at the middle of a cell
      const int64_t y = 15 + 16 * (cell / 13), column = 15 + 16 * (cell % 13);
      int sum = 0;
      for (int c = 0; c < 3; ++c) sum += std::abs(with.pixel(y, column)[c] - without.pixel(y, column)[c]);
      return sum;
    };
    int64_t most = 0;
    for (int64_t i = 0; i < cam.numel(); ++i) {
      if (cam.item(i) > cam.item(most)) most = i;
      if (cam.item(i) <= 0) CHECK(change(i) == 0);
    }
    CHECK(change(most) > 60);
  }
}
