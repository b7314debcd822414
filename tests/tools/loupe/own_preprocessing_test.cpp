// `loupe explain` for networks with their own preprocessing: what its options make of a photograph.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/image/decoders.h"
#include "engine/image/preprocess.h"
#include "models/io/safetensors.h"
#include "tests/support/command.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

class Photo {
 public:
  Photo() { write_png(photo_, pattern(90, 70)); }
  /// The tensor `name` of a run with these options.
  Tensor explained(std::vector<std::string> how, const std::string& name = "input") const {
    std::vector<std::string> words{"explain", "--device", "cpu",          "--weights",
                                   "formula", "--out",    folder_ / "out"};
    if (!std::ranges::count(how, "--model")) how.insert(how.end(), {"--model", "squeezenet1_1"});
    if (!std::ranges::count(how, folder_ / "x.jpg")) how.push_back(photo_);
    words.insert(words.end(), how.begin(), how.end());
    const Said said = loupe(words);
    REQUIRE_MESSAGE(said.status == 0, said.err);
    const std::string tensors =
        fs::exists(folder_.path() / "out/x") ? "out/x/maps.safetensors" : "out/photo/maps.safetensors";
    return SafetensorsFile::open(folder_ / tensors).tensor(name).clone();
  }
  const Folder& folder() const { return folder_; }

 private:
  Folder folder_;
  std::string photo_ = folder_ / "photo.png";
};

void check_input(const Tensor& got, const Preprocessing& how, const Image& image = pattern(90, 70)) {
  const Tensor expected = preprocess(image, how).row(0);
  REQUIRE(got.shape() == expected.shape());
  CHECK(same_bits(got, expected));
}

}  // namespace

TEST_CASE("size, crop, mean and std") {
  const Photo photo;
  check_input(photo.explained({"--size", "80", "--crop", "64"}), {.resize = 80, .crop = 64});
  check_input(photo.explained({"--crop", "112"}),
              {.resize = 128, .crop = 112});  // the share of the network's own
  check_input(photo.explained({"--size", "64"}), {.resize = 64, .crop = 64});
  check_input(photo.explained({"--size", "64x96"}), {.crop = 0, .stretch = {64, 96}});
  check_input(photo.explained({"--size", "80x96", "--crop", "70"}), {.crop = 70, .stretch = {80, 96}});
  check_input(photo.explained({"--size", "64", "--no-crop"}), {.resize = 64, .crop = 0});
  check_input(photo.explained({"--crop", "64", "--mean", "0.5", "--std", "0.25,0.5,1"}),
              {.resize = 73, .crop = 64, .mean = {0.5f, 0.5f, 0.5f}, .std = {0.25f, 0.5f, 1}});
}

TEST_CASE("a network of another size is made for it: a vision transformer's places") {
  const Photo photo;
  CHECK(photo.explained({"--model", "vit_b_32", "--crop", "96"}).shape() == Shape{3, 96, 96});
}

TEST_CASE("a network of one channel sees a colour photograph in grey, and its picture is drawn") {
  const Photo photo;
  const Tensor x =
      photo.explained({"--model", "resnet18", "--channels", "1", "--crop", "64", "--mean", "0.1307", "--std",
                       "0.3081", "--method", "gradient,grad_cam,integrated_gradients",
                       "--integrated_gradients.steps", "2", "--integrated_gradients.baseline", "black"});
  Preprocessing how{.resize = 73, .crop = 64, .channels = 1};
  how.mean.fill(0.1307f), how.std.fill(0.3081f);
  check_input(x, how);
  CHECK(read_image(photo.folder() / "out/photo/gradient.png").width == 256);  // enlarged
  // Its own tensor is an input again.
  const Said said = loupe({"explain", photo.folder() / "out/photo/maps.safetensors", "--model", "resnet18",
                           "--weights", "formula", "--channels", "1", "--out", photo.folder() / "again"});
  CHECK_MESSAGE(said.status == 0, said.err);
}

TEST_CASE("EXIF orientation is applied unless it is to be ignored") {
  if (!has_libjpeg()) return;
  const Photo photo;
  const fs::path turned = fs::path(LOUPE_SOURCE_DIR) / "tests/fixtures/pictures/orientation_6.jpg";
  const std::string file = photo.folder() / "x.jpg";
  fs::copy(turned, file);
  check_input(photo.explained({file, "--crop", "64"}), {.resize = 73, .crop = 64},
              read_image(turned.string() + ".png"));
  check_input(photo.explained({file, "--crop", "64", "--orientation", "ignore"}), {.resize = 73, .crop = 64},
              read_image(turned.string() + ".stored.png"));
}

TEST_CASE("a baseline of numbers") {
  const Photo photo;
  std::string header = "{'descr': '>f2', 'fortran_order': False, 'shape': (3, 64, 64), }";
  header.resize(118, ' ');
  std::string half, zeros(3 * 64 * 64 * 2, '\0');
  for (int i = 0; i < 3 * 64 * 64; ++i) half += std::string("\x38\x00", 2);  // 0.5
  const auto map = [&](const std::string& baseline) {
    return photo.explained({"--crop", "64", "--method", "integrated_gradients",
                            "--integrated_gradients.steps", "3", "--integrated_gradients.baseline", baseline},
                           "integrated_gradients");
  };
  const auto file = [&](const std::string& name, const std::string& numbers) {
    write_text(photo.folder() / name, std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + numbers);
    return photo.folder() / name;
  };
  CHECK(same_bits(map(file("zeros.npy", zeros)), map("zero")));
  CHECK(!same_bits(map(file("half.npy", half)), map("zero")));
}

}  // namespace loupe::test
