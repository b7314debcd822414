// Reading and writing pictures: what is accepted, what is refused and in what words, and damaged files of
// every length.
#include "engine/image/image.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <random>

#include "tests/support/pictures.h"

using namespace loupe;
using namespace loupe::test;

namespace {

/// The pattern with every channel replaced by its first.
Image grey_pattern() {
  Image image = pattern(13, 11);
  for (size_t i = 0; i < image.rgb.size(); i += 3) image.rgb[i + 1] = image.rgb[i + 2] = image.rgb[i];
  return image;
}

void check_same(const Image& got, const Image& expected) {
  REQUIRE(got.width == expected.width);
  REQUIRE(got.height == expected.height);
  CHECK(got.rgb == expected.rgb);
}

/// Mean absolute difference, in levels of 255.
double difference(const Image& a, const Image& b) {
  REQUIRE(a.rgb.size() == b.rgb.size());
  double sum = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) sum += std::abs(a.rgb[i] - b.rgb[i]);
  return sum / static_cast<double>(a.rgb.size());
}

void append_32(std::vector<uint8_t>& to, uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<uint8_t>(v >> shift));
}

/// CRC-32 bit by bit, so that a changed PNG gets past its checksums and reaches the decoder.
uint32_t plain_crc(std::span<const uint8_t> bytes) {
  uint32_t c = ~0u;
  for (const uint8_t b : bytes) {
    c ^= b;
    for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
  }
  return ~c;
}

void mend_checksums(std::vector<uint8_t>& png) {
  for (size_t i = 8; i + 12 <= png.size();) {
    const size_t length =
        size_t{png[i]} << 24 | size_t{png[i + 1]} << 16 | size_t{png[i + 2]} << 8 | png[i + 3];
    if (length > png.size() - i - 12) return;
    std::vector<uint8_t> crc;
    append_32(crc, plain_crc(std::span(png).subspan(i + 4, 4 + length)));
    std::copy(crc.begin(), crc.end(), png.begin() + static_cast<std::ptrdiff_t>(i + 8 + length));
    i += 12 + length;
  }
}

}  // namespace

TEST_CASE("PNG of every kind") {
  check_same(read_image(fixture("rgb.png")), pattern(13, 11));
  check_same(read_image(fixture("interlaced.png")), pattern(13, 11));
  check_same(read_image(fixture("rgba.png")), pattern(13, 11));   // alpha dropped
  check_same(read_image(fixture("rgb16.png")), pattern(13, 11));  // the high byte
  check_same(read_image(fixture("grey.png")), grey_pattern());
  check_same(read_image(fixture("grey16.png")), grey_pattern());
  check_same(read_image(fixture("grey_alpha.png")), grey_pattern());
  check_same(read_image(fixture("palette.png")), read_image(fixture("palette_as_rgb.png")));
  Image bilevel = grey_pattern();
  for (uint8_t& v : bilevel.rgb) v = v > 127 ? 255 : 0;
  check_same(read_image(fixture("bilevel.png")), bilevel);
}

TEST_CASE("JPEG of every kind") {
  // Quality 95 keeps ramps to a level or two; halved chroma smears their clamped corners a little more.
  const Image ramp = read_image(fixture("ramp.png"));
  for (const char* name : {"rgb.jpg", "rgb_444.jpg", "progressive.jpg", "thumbnail.jpg"}) {
    CAPTURE(name);
    CHECK(difference(read_image(fixture(name)), ramp) < 2);
  }
  CHECK(difference(read_image(fixture("rgb.jpg")), read_image(fixture("thumbnail.jpg"))) == 0);
  const Image grey = read_image(fixture("grey.jpg"));
  Image luma = ramp;  // ITU-R BT.601
  for (size_t i = 0; i < luma.rgb.size(); i += 3) {
    const double y = 0.299 * ramp.rgb[i] + 0.587 * ramp.rgb[i + 1] + 0.114 * ramp.rgb[i + 2];
    luma.rgb[i] = luma.rgb[i + 1] = luma.rgb[i + 2] = static_cast<uint8_t>(y + 0.5);
  }
  CHECK(difference(grey, luma) < 2);
}

TEST_CASE("what is not a picture is refused in one line that names the file") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "empty.png").flush();
  std::ofstream(folder.path() / "noise.png", std::ios::binary) << "\x01\x02\x03\x04\x05\x06\x07\x08\x09";
  const struct {
    std::filesystem::path file;
    const char* reason;
  } cases[] = {
      {"no/such/file.jpg", "there is no such file"},
      {folder.path(), "it is a folder"},
      {"/dev/null", "it is not a regular file"},
      {folder.path() / "empty.png", "the file is empty"},
      {folder.path() / "noise.png", "not a picture that can be read"},
      {fixture("text.jpg"), "it is text; JPEG, PNG, BMP, GIF and WebP are read"},
      {fixture("tiny.tiff"), "a TIFF picture; JPEG, PNG, BMP, GIF and WebP are read"},
      {fixture("claims_60000x60000.png"), "claims 60000×60000 pixels, more than can be read"},
      {fixture("claims_60000x60000.jpg"), "claims 60000×60000 pixels, more than can be read"},
  };
  for (const auto& c : cases) {
    const std::string message = error_of([&] { read_image(c.file); });
    CAPTURE(message);
    CHECK(contains(message, "cannot read " + c.file.string() + ": "));
    CHECK(contains(message, c.reason));
    CHECK(!contains(message, "\n"));
  }
}

TEST_CASE("a file cut anywhere is an error") {
  for (const char* name : {"rgb.png", "interlaced.png", "palette.png", "rgb.jpg", "progressive.jpg",
                           "grey.jpg", "thumbnail.jpg"}) {
    CAPTURE(name);
    const std::vector<uint8_t> whole = bytes_of(fixture(name));
    REQUIRE(!whole.empty());
    for (size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      const std::string message = error_of([&] { decode_image(std::span(whole).first(size)); });
      CHECK(!message.empty());
      if (size > 100) CHECK(contains(message, "truncated"));
    }
    std::vector<uint8_t> longer = whole;  // what comes after the end is nobody's concern
    longer.insert(longer.end(), {1, 2, 3});
    CHECK(decode_image(longer).rgb == decode_image(whole).rgb);
  }
}

TEST_CASE("damaged bytes are an error or a picture, never a crash") {
  std::mt19937 random(1);
  int pictures = 0, errors = 0;
  for (const char* name : {"rgb.png", "interlaced.png", "palette.png", "bilevel.png", "rgb16.png", "rgb.jpg",
                           "rgb_444.jpg", "progressive.jpg", "grey.jpg"}) {
    const std::vector<uint8_t> whole = bytes_of(fixture(name));
    for (int trial = 0; trial < 2000; ++trial) {
      std::vector<uint8_t> bytes = whole;
      for (uint32_t change = 0; change <= random() % 4; ++change)
        bytes[random() % bytes.size()] ^= static_cast<uint8_t>(1u << random() % 8);
      if (trial % 2) mend_checksums(bytes);
      size_t pixels = 0;
      const std::string message = error_of([&] { pixels = decode_image(bytes).rgb.size(); });
      CHECK(message.empty() == (pixels > 0));
      ++(message.empty() ? pictures : errors);
    }
  }
  CHECK(pictures > 1000);
  CHECK(errors > 1000);
}

TEST_CASE("a JPEG's tables are checked before the decoder sees them") {
  const std::vector<uint8_t> whole = bytes_of(fixture("rgb.jpg"));
  const auto find = [&](uint8_t marker) {
    for (size_t i = 2; i + 1 < whole.size(); ++i)
      if (whole[i] == 0xFF && whole[i + 1] == marker) return i;
    return size_t{0};
  };
  SUBCASE("more Huffman codes than there is room for") {
    auto bytes = whole;
    const size_t at = find(0xC4);
    REQUIRE(at);
    bytes[at + 5] = 3;  // three codes of one bit
    CHECK(contains(error_of([&] { decode_image(bytes); }), "impossible Huffman table"));
  }
  SUBCASE("no Huffman tables") {
    auto bytes = whole;
    for (size_t at = 2; at + 1 < find(0xDA); ++at)
      if (bytes[at] == 0xFF && bytes[at + 1] == 0xC4) bytes[at + 1] = 0xFE;  // a comment
    CHECK(contains(error_of([&] { decode_image(bytes); }), "a scan comes before its tables"));
  }
  SUBCASE("no scan") {
    std::vector<uint8_t> bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(find(0xDA)));
    bytes.insert(bytes.end(), {0xFF, 0xD9});
    CHECK(contains(error_of([&] { decode_image(bytes); }), "before all of its components came"));
  }
}

TEST_CASE("a size that the file cannot hold is refused before memory is taken") {
  std::vector<uint8_t> png = bytes_of(fixture("rgb.png"));
  png[18] = 0x2E;  // 11,789 × 11 pixels would do; 11,789 rows as well would not
  png[22] = 0x2E;
  mend_checksums(png);
  CHECK(contains(error_of([&] { decode_image(png); }), "cannot hold"));
  png[16] = png[20] = 0xFF;  // sides near 2^32
  mend_checksums(png);
  CHECK(contains(error_of([&] { decode_image(png); }), "more than can be read"));
}

TEST_CASE("PNG round trip") {
  const TemporaryFolder folder;
  for (const auto& [width, height] : {std::pair{1, 1}, {13, 11}, {300, 7}, {20000, 10}}) {
    const Image image = pattern(width, height);
    write_png(folder.path() / "x.png", image);
    check_same(read_image(folder.path() / "x.png"), image);
    CHECK(bytes_of(folder.path() / "x.png") == encode_png(image));
  }
  const auto files = std::distance(std::filesystem::directory_iterator(folder.path()), {});
  CHECK(files == 1);  // no temporary file is left
  CHECK(difference(decode_image(encode_jpeg(pattern(16, 16), 100)), pattern(16, 16)) <
        40);  // of noise, the likeness
  CHECK_THROWS_AS(encode_jpeg(Image{}), Error);
  CHECK_THROWS_AS(encode_png(Image{}), Error);
  CHECK_THROWS_AS(encode_png(Image{2, 2, {1, 2, 3}}), Error);
}

TEST_CASE("a failed write is one line and leaves nothing") {
  const TemporaryFolder folder;
  const Image image = pattern(64, 64);
  SUBCASE("no such folder") {
    const auto path = folder.path() / "missing" / "x.png";
    CHECK(error_of([&] { write_png(path, image); }) ==
          "cannot write '" + path.string() + "': No such file or directory");
  }
  SUBCASE("a folder of that name") {
    CHECK(contains(error_of([&] { write_png(folder.path(), image); }),
                   "cannot write '" + folder.path().string() + "': "));
  }
  SUBCASE("the disk is full") {
    // A limit on file sizes fails in write() as a full disk does.
    const auto path = folder.path() / "x.png";
    write_png(path, pattern(1, 1));
    const auto before = bytes_of(path);
    rlimit old{};
    getrlimit(RLIMIT_FSIZE, &old);
    const rlimit small{1000, old.rlim_max};
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    const std::string message = error_of([&] { write_png(path, image); });
    setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, old_handler);
    CHECK(contains(message, "cannot write '" + path.string() + "': "));
    CHECK(bytes_of(path) == before);  // the file that was there is untouched
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    CHECK(!contains(entry.path().string(), "tmp" + std::to_string(getpid())));
}

TEST_CASE("base64") {
  const auto of = [](const std::string& s) {
    return base64({reinterpret_cast<const uint8_t*>(s.data()), s.size()});
  };
  // RFC 4648, section 10
  CHECK(of("") == "");
  CHECK(of("f") == "Zg==");
  CHECK(of("fo") == "Zm8=");
  CHECK(of("foo") == "Zm9v");
  CHECK(of("foob") == "Zm9vYg==");
  CHECK(of("foobar") == "Zm9vYmFy");
  CHECK(of("\xFB\xFF\xBF") == "+/+/");
}
