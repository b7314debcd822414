// GGUF files: every type of block against the gguf package (tests/oracle/make_text_models.py), metadata, and files that
// are not what they should be.
#include "models/io/gguf.h"

#include <doctest/doctest.h>

#include <cstring>
#include <random>

#include "engine/file/file.h"
#include "models/io/safetensors.h"
#include "tests/support/torch_bytes.h"

namespace loupe {
namespace {

const std::string kFolder = LOUPE_SOURCE_DIR "/tests/fixtures/text/";

std::string text(std::string_view s) { return little(uint64_t{s.size()}) + std::string(s); }
std::string key(std::string_view name, uint32_t type, const std::string& value) {
  return text(name) + little(type) + value;
}
std::string tensor(std::string_view name, const std::vector<uint64_t>& sizes, uint32_t type,
                   uint64_t offset) {
  std::string s = text(name) + little(static_cast<uint32_t>(sizes.size()));
  for (const uint64_t size : sizes) s += little(size);
  return s + little(type) + little(offset);
}
std::string head(uint32_t version, uint64_t tensors, uint64_t keys) {
  return "GGUF" + little(version) + little(tensors) + little(keys);
}
std::string padded(std::string s) {
  s.resize((s.size() + 31) / 32 * 32);
  return s;
}

GgufFile parsed(const std::string& bytes) {
  const std::shared_ptr<std::byte[]> copy(new std::byte[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  return GgufFile::parse({copy.get(), bytes.size()}, "x.gguf", copy);
}

// What reading all of a file says.
std::string error_of(const std::string& bytes) {
  try {
    const GgufFile file = parsed(bytes);
    for (const std::string& name : file.names()) file.tensor(name);
    return "(no error)";
  } catch (const Error& e) {
    CHECK(std::strchr(e.what(), '\n') == nullptr);
    return e.what();
  }
}

bool mentions(const std::string& all, const std::string& part) {
  const bool found = all.find(part) != std::string::npos;
  if (!found) MESSAGE(all << " does not mention " << part);
  return found;
}

}  // namespace

TEST_CASE("every type of block is what the gguf package makes of it") {
  const GgufFile file = GgufFile::open(kFolder + "types.gguf");
  const SafetensorsFile wanted = SafetensorsFile::open(kFolder + "types.safetensors");
  CHECK(wanted.names().size() == 11);
  for (const std::string& name : wanted.names()) {
    CAPTURE(name);
    CHECK(file.info(name).dtype == name);
    const Tensor got = file.tensor(name), expected = wanted.tensor(name);
    REQUIRE(got.shape() == expected.shape());
    CHECK(std::memcmp(got.raw(), expected.raw(), static_cast<size_t>(got.bytes())) == 0);
  }
  CHECK_THROWS_WITH_AS(file.tensor("other"),
                       doctest::Contains("tensor 'other' is of type Q2_K; Loupe reads F32"), Error);
  CHECK_THROWS_WITH_AS(file.tensor("none"), doctest::Contains("has no tensor 'none' among its 12"), Error);
}

TEST_CASE("metadata") {
  const GgufFile file = GgufFile::open(kFolder + "types.gguf");
  CHECK(file.text("general.architecture") == "test");
  CHECK(file.integer("test.small") == -3);
  CHECK(file.number("test.small") == -3.0);
  CHECK(file.number("test.large") == 0x1p63);
  CHECK(file.number("test.third") == 1.0 / 3);
  CHECK(file.flag("test.yes") == true);
  CHECK(file.numbers("test.scores") == std::vector<double>{0.5, -1.25, 3});
  CHECK(file.integers("test.kinds") == std::vector<int64_t>{1, 3, -6});
  CHECK(file.texts("test.texts") == std::vector<std::string>{"a", "", "Ġümlaut"});
  CHECK(!file.text("none"));
  CHECK(!file.has("none"));
  CHECK(file.texts("none").empty());
  CHECK_THROWS_WITH_AS(file.integer("test.third"),
                       doctest::Contains("the key 'test.third' is not a whole number"), Error);
  CHECK_THROWS_WITH_AS(file.integer("test.large"), doctest::Contains("is not a whole number"), Error);
  CHECK_THROWS_WITH_AS(file.texts("test.kinds"), doctest::Contains("is not an array of texts"), Error);
  CHECK_THROWS_WITH_AS(file.flag("test.texts"), doctest::Contains("is not true or false"), Error);
}

TEST_CASE("files that are not what they should be") {
  const std::string one = tensor("t", {4}, 0, 0), sixteen(16, 'a');
  CHECK(error_of(padded(head(3, 1, 0) + one) + sixteen) == "(no error)");
  CHECK(mentions(error_of("GGML"), "is no GGUF file"));
  CHECK(mentions(error_of(head(1, 0, 0)), "it is of version 1; Loupe reads versions 2 and 3"));
  CHECK(mentions(error_of(head(0x03000000, 0, 0)), "it is big-endian"));
  CHECK(mentions(error_of(head(3, ~uint64_t{0}, 0)), "do not fit its 24 bytes"));
  CHECK(mentions(error_of(head(3, 0, 1) + key("a", 13, std::string(12, '\0'))),
                 "'a' is of the unknown type 13"));
  CHECK(mentions(error_of(head(3, 0, 1) + key("a", 9, little(uint32_t{9}) + little(uint64_t{1}))),
                 "an array of arrays"));
  CHECK(mentions(error_of(head(3, 0, 1) + key("a", 9, little(uint32_t{4}) + little(~uint64_t{0}))),
                 "it ends within the value of 'a'"));
  CHECK(mentions(error_of(head(3, 0, 1) + key("a", 8, little(~uint64_t{0}))),
                 "it ends within the value of 'a'"));
  CHECK(
      mentions(error_of(head(3, 0, 2) + key("a", 7, "\1") + key("a", 7, "\1")), "the key 'a' occurs twice"));
  CHECK(mentions(error_of(head(3, 0, 1) + key("general.alignment", 4, little(uint32_t{24}))),
                 "is no power of two"));
  CHECK(mentions(error_of(padded(head(3, 2, 0) + one + one) + sixteen),
                 "tensor 't' lies over the one before it"));
  CHECK(mentions(error_of(padded(head(3, 2, 0) + one + tensor("t", {4}, 0, 16)) + sixteen + sixteen),
                 "'t' occurs twice"));
  CHECK(mentions(error_of(padded(head(3, 1, 0) + one) + "abc"),
                 "reaches beyond the file, which has 3 bytes of data"));
  CHECK(mentions(error_of(head(3, 1, 0) + tensor("t", {1, 1, 1, 1, 1}, 0, 0)), "has 5 dimensions"));
  CHECK(mentions(error_of(head(3, 1, 0) + tensor("t", {~uint64_t{0}}, 0, 0)), "is too large"));
  CHECK(mentions(error_of(head(3, 1, 0) + tensor("t", {1 << 30, 1 << 30, 1 << 30}, 0, 0)), "tensor 't': "));
  CHECK(mentions(error_of(padded(head(3, 1, 0) + tensor("t", {33}, 2, 0))), "no whole blocks of 32"));
  CHECK(mentions(error_of(padded(head(3, 1, 0) + tensor("t", {32}, 77, 0))),
                 "is of type number 77; Loupe reads"));
  CHECK(mentions(error_of(padded(head(3, 1, 0) + tensor("t", {256}, 23, 0))),
                 "is of type IQ4_XS; Loupe reads"));
}

TEST_CASE("a file that is cut off anywhere, or damaged, is one line") {
  for (const char* name : {"types.gguf", "llama.gguf"}) {
    const std::vector<uint8_t> whole = read_file(kFolder + name);
    const std::string bytes(whole.begin(), whole.end());
    const size_t step = bytes.size() / 300 + 1;
    for (size_t length = 0; length < bytes.size() - 32; length += step)
      CHECK(error_of(bytes.substr(0, length)) != "(no error)");
    std::mt19937 random(1);
    for (int i = 0; i < 300; ++i) {
      std::string damaged = bytes;
      for (int k = 0; k < 3; ++k)
        damaged[random() % std::min<size_t>(damaged.size(), 1500)] = static_cast<char>(random());
      error_of(damaged);
    }
  }
}

}  // namespace loupe
