// Every kind of picture that is read, against the pixels that Pillow sees in it, to the bit; and damage that lies within
// a file. The fixtures are made by tests/oracle/make_picture_kinds.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "engine/image/decoders.h"
#include "engine/image/exif.h"
#include "tests/support/pictures.h"

using namespace loupe;
using namespace loupe::test;

namespace {

namespace fs = std::filesystem;
const fs::path kPictures = fs::path(LOUPE_SOURCE_DIR) / "tests/fixtures/pictures";

bool readable(const fs::path& file) {
  return (file.extension() != ".jpg" || has_libjpeg()) && (file.extension() != ".webp" || has_libwebp());
}

/// The pictures that have an expectation.
std::vector<fs::path> pictures() {
  std::vector<fs::path> all;
  for (const auto& entry : fs::directory_iterator(kPictures))
    if (fs::exists(entry.path().string() + ".png") && readable(entry.path())) all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  return all;
}

void check_same(const Image& got, const Image& expected) {
  REQUIRE(got.width == expected.width);
  REQUIRE(got.height == expected.height);
  CHECK(got.rgb == expected.rgb);
}

std::vector<uint8_t> picture(const std::string& name) { return bytes_of(kPictures / name); }

}  // namespace

TEST_CASE("every kind of picture is Pillow's to the bit, upright as browsers show it") {
  int count = 0, turned = 0;
  for (const fs::path& file : pictures()) {
    CAPTURE(file.filename().string());
    check_same(read_image(file), read_image(file.string() + ".png"));
    ++count;
    const fs::path stored = file.string() + ".stored.png";
    if (!fs::exists(stored)) {
      check_same(read_image(file, Orientation::ignore), read_image(file));
      continue;
    }
    check_same(read_image(file, Orientation::ignore), read_image(stored));
    CHECK(read_image(file).rgb != read_image(stored).rgb);
    ++turned;
  }
  CHECK(count >= 12);  // those that stb and we read
  if (has_libjpeg()) CHECK(turned >= 9);
  if (has_libjpeg() && has_libwebp()) CHECK(count == 37);
}

TEST_CASE("inks become light: red, and half of it under as much black") {
  if (!has_libjpeg()) return;
  const auto colour = [](const std::string& name) {
    const Image image = read_image(kPictures / name);
    return std::vector<int>(image.pixel(4, 4), image.pixel(4, 4) + 3);
  };
  CHECK(colour("cmyk_red.jpg") == std::vector{255, 0, 0});
  CHECK(colour("cmyk_dark_red.jpg") == std::vector{127, 0, 0});
}

TEST_CASE("a JPEG whose data end early is an error, also with an end marker") {
  if (!has_libjpeg()) return;
  for (const char* name : {"h1v1.jpg", "h2v1.jpg", "h2v2.jpg", "optimized.jpg", "progressive.jpg",
                           "restarts.jpg", "grey.jpg", "cmyk.jpg"}) {
    CAPTURE(name);
    const std::vector<uint8_t> whole = picture(name);
    size_t scan = 0;
    for (size_t i = 2; i + 1 < whole.size(); ++i)
      if (whole[i] == 0xFF && whole[i + 1] == 0xDA) scan = scan ? scan : i;
    REQUIRE(scan > 0);
    // The last bytes may be padding and so no loss; everything before is.
    for (size_t size = scan + 14; size < whole.size() - 6; ++size) {
      std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      if (cut.back() == 0xFF) continue;  // would take the end marker's first byte for its own
      cut.insert(cut.end(), {0xFF, 0xD9});
      CAPTURE(size);
      CHECK(contains(error_of([&] { decode_image(cut); }), "the JPEG is "));
    }
  }
}

TEST_CASE("a file cut anywhere is an error") {
  for (const char* name : {"palette.gif", "interlaced.gif", "five_colours.gif", "transparent.gif", "rgb.bmp",
                           "palette.bmp", "bilevel.bmp", "lossy.webp", "lossless.webp"}) {
    CAPTURE(name);
    if (!readable(name)) continue;
    const std::vector<uint8_t> whole = picture(name);
    REQUIRE(!whole.empty());
    // A GIF's last byte ends it, and up to three of a BMP fill its last row up: the picture was whole before.
    const std::string kind = fs::path(name).extension().string();
    const size_t all = whole.size() - (kind == ".gif" ? 1 : kind == ".bmp" ? 3 : 0);
    for (size_t size = 0; size < all; ++size) {
      CAPTURE(size);
      CHECK(!error_of([&] { decode_image(std::span(whole).first(size)); }).empty());
    }
  }
}

TEST_CASE("damaged bytes are an error or a picture, never a crash") {
  std::mt19937 random(1);
  int read = 0, refused = 0;
  for (const fs::path& file : pictures()) {
    const std::vector<uint8_t> whole = bytes_of(file);
    for (int trial = 0; trial < 300; ++trial) {
      std::vector<uint8_t> bytes = whole;
      for (uint32_t change = 0; change <= random() % 4; ++change)
        bytes[random() % bytes.size()] ^= static_cast<uint8_t>(1u << random() % 8);
      size_t pixels = 0;
      const std::string message = error_of([&] { pixels = decode_image(bytes).rgb.size(); });
      CHECK(message.empty() == (pixels > 0));
      ++(message.empty() ? read : refused);
    }
  }
  CHECK(read > 1000);
  CHECK(refused > 500);
}

TEST_CASE("what is of a known format but not read says why") {
  const auto refusal = [](std::vector<uint8_t> bytes) { return error_of([&] { decode_image(bytes); }); };
  CHECK(contains(refusal(picture("animated.webp")), has_libwebp() ? "animated WebP" : "lacks libwebp"));
  if (!has_libjpeg()) CHECK(contains(refusal(picture("cmyk.jpg")), "a CMYK JPEG"));
  auto bmp = picture("rgb.bmp");
  bmp[30] = 1;
  CHECK(contains(refusal(bmp), "a compressed BMP"));
  bmp = picture("rgb.bmp");
  bmp[28] = 5;
  CHECK(contains(refusal(bmp), "5 bits a pixel"));
  bmp = picture("rgb.bmp");
  bmp[21] = 0x10;  // wider by 2^28
  CHECK(contains(refusal(bmp), "more than can be read"));
  auto gif = picture("palette.gif");
  gif[7] = gif[9] = 0xFF;  // a canvas of 65,000×65,000
  CHECK(contains(refusal(gif), "more than can be read"));
  CHECK(contains(refusal({'G', 'I', 'F', '8', '9', 'a', 1, 0, 1, 0, 0, 0, 0, 0x3B}), "it holds no picture"));
}

TEST_CASE("EXIF data that make no sense leave a picture as it is") {
  if (!has_libjpeg()) return;
  const std::vector<uint8_t> whole = picture("orientation_6.jpg");
  const Image stored = decode_image(whole, Orientation::ignore);
  size_t exif = 0;
  for (size_t i = 0; i + 6 < whole.size() && !exif; ++i)
    if (std::equal(whole.begin() + static_cast<std::ptrdiff_t>(i),
                   whole.begin() + static_cast<std::ptrdiff_t>(i) + 4, "Exif"))
      exif = i;
  REQUIRE(exif > 0);
  std::mt19937 random(2);
  int as_stored = 0;
  for (int trial = 0; trial < 2000; ++trial) {  // within the segment of TIFF data
    auto bytes = whole;
    for (int change = 0; change < 3; ++change)
      bytes[exif + 6 + random() % 40] = static_cast<uint8_t>(random());
    const Image image = decode_image(bytes);
    CHECK(image.rgb.size() == stored.rgb.size());
    as_stored += image.rgb == stored.rgb;
  }
  CHECK(as_stored > 100);
  for (const int orientation : {-1, 0, 1, 9, 70000}) check_same(upright(stored, orientation), stored);
}
