// Files that are not what they should be: each is an error that says so, and never more than that.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "tests/support/safetensors_bytes.h"

namespace loupe {

TEST_CASE("lengths of the header") {
  const std::string json = tensor_json("F32", "[1]", "[0,4]");
  const std::string good = file_bytes(json, "abcd");
  CHECK(error_of(good) == "(no error)");
  CHECK(mentions(error_of(good.substr(0, 3)), "only 3 bytes"));
  CHECK(mentions(error_of(good.substr(0, 20)), "but only 12 bytes follow"));
  CHECK(mentions(error_of(little_endian(100'000'001) + json), "the longest allowed"));
  CHECK(mentions(error_of(little_endian(~uint64_t{0}) + json), "the longest allowed"));
  CHECK(mentions(error_of(little_endian(0) + "abcd"), "does not start with '{'"));
}

TEST_CASE("headers that are not the JSON they should be") {
  struct Case {
    std::string json, expected;
  };
  const std::string one = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  const Case cases[] = {
      {"hello", "does not start with '{'"},
      {" {}", "does not start with '{'"},
      {"[1]", "does not start with '{'"},
      {"{", "not valid JSON, at its byte 2"},
      {"{}}", "not valid JSON, at its byte 3"},
      {"{} {}", "not valid JSON"},
      {std::string("{}\0\0", 4), "zero byte"},
      {"{\"\xff\":1}", "not valid JSON"},
      {R"({"a":1e999})", "not valid JSON"},
      {R"({"a":1})", "tensor 'a': its value is a number instead of an object"},
      {R"({"a":null})", "is a null"},
      {R"({"a":[]})", "is an array"},
      {R"({"a":"b"})", "is a text"},
      {R"({"a":{}})", "tensor 'a': it has no dtype"},
      {R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", "it has no shape"},
      {R"({"a":{"dtype":"F32","shape":[1]}})", "it has no data_offsets"},
      {R"({"a":{"dtype":5}})", "dtype is a number"},
      {R"({"a":{"shape":5}})", "shape is a number"},
      {R"({"a":{"shape":{}}})", "shape is an object"},
      {R"({"a":{"shape":[[1]]}})", "shape contains an array"},
      {R"({"a":{"shape":["1"]}})", "shape contains a text"},
      {R"({"a":{"shape":[true]}})", "shape contains a boolean"},
      {R"({"a":{"dtype":"F32","dtype":"F32"}})", "the field 'dtype' occurs twice"},
      {R"({"a":{"shape":[],"shape":[]}})", "the field 'shape' occurs twice"},
      {R"({"a":{"colour":[]}})", "unknown field 'colour'"},
      {R"({"a":{"data_offsets":[1]}})", "1 numbers instead of 2"},
      {R"({"a":{"data_offsets":[1,2,3]}})", "3 numbers instead of 2"},
      {"{" + one + "," + one + "}", "tensor 'a': the name occurs twice"},
      {R"({"__metadata__":{"a":1}})", "metadata: 'a' is a number instead of a text"},
      {R"({"__metadata__":{"a":{}}})", "metadata: 'a' is an object"},
      {R"({"__metadata__":{"a":"1","a":"2"}})", "metadata: the field 'a' occurs twice"},
      {R"({"__metadata__":{},"__metadata__":{}})", "metadata: the name occurs twice"},
      {R"({"__metadata__":[]})", "metadata: its value is an array"},
      {R"({"two\nlines":1})", "tensor 'two?lines'"},
      {"{\"" + std::string(5000, 'n') + "\":1}", "n…'"},
      {"{\"" + std::string(119, 'n') + "üüü\":1}", "nnn…'"},  // cut between characters, not inside one
  };
  for (const Case& c : cases) CHECK(mentions(error_of(file_bytes(c.json, "abcd")), c.expected));
}

TEST_CASE("200,000 nested brackets do not exhaust the stack") {
  const size_t deep = 200'000;
  std::string objects;
  for (size_t i = 0; i < deep; ++i) objects += "{\"a\":";
  CHECK(mentions(error_of(file_bytes(std::string(deep, '['))), "does not start with '{'"));
  CHECK(mentions(error_of(file_bytes("{\"a\":" + std::string(deep, '['))), "is an array"));
  CHECK(mentions(error_of(file_bytes("{\"a\":{\"shape\":" + std::string(deep, '['))), "contains an array"));
  CHECK(mentions(error_of(file_bytes(objects)), "unknown field 'a'"));
  CHECK(mentions(error_of(file_bytes("{\"__metadata__\":" + objects)), "is an object"));
}

TEST_CASE("shapes and offsets that do not fit") {
  struct Case {
    std::string dtype, shape, offsets, expected;
  };
  // The file has 8 bytes of data.
  const Case cases[] = {
      {"F32", "[2]", "[0,8]", "(no error)"},
      {"F31", "[2]", "[0,8]", "(no error)"},  // no obstacle until it is read
      {"F31", "[2]", "[0,9]", "reach beyond the file"},
      {"", "[2]", "[0,8]", "its dtype is empty"},
      {"F32", "[3]", "[0,8]", "hold 8 bytes, but the shape (3) of F32 takes 12"},
      {"F64", "[2]", "[0,8]", "takes 16"},
      {"F32", "[]", "[0,8]", "the shape () of F32 takes 4"},
      {"F32", "[0]", "[0,8]", "takes 0"},
      {"F32", "[-2]", "[0,8]", "shape has the negative number -2"},
      {"F32", "[2.0]", "[0,8]", "shape has '2.0', which is not a whole number"},
      {"F32", "[1e0]", "[0,8]", "which is not a whole number"},
      {"F32", "[18446744073709551616]", "[0,8]", "which is not a whole number of 64 bits"},
      {"F32", "[9223372036854775808]", "[0,8]", "is too large"},
      {"F32", "[1152921504606846976]", "[0,8]", "takes 4611686018427387904"},
      {"F64", "[1152921504606846976]", "[0,8]", "takes 9223372036854775808"},
      {"F32", "[4294967296,4294967296]", "[0,8]",
       "too many elements"},  // 2^64 elements: 0 if they overflowed
      {"F32", "[1,1,1,1,1,1,2]", "[0,8]", "at most 6 dimensions"},
      {"F32", "[2]", "[-8,0]", "data_offsets has the negative number -8"},
      {"F32", "[2]", "[0.5,8.5]", "data_offsets has '0.5'"},
      {"F32", "[2]", "[8,0]", "end before they begin"},
      {"F32", "[2]", "[8,16]", "reach beyond the file, which has 8 bytes"},
      {"F32", "[2]", "[18446744073709551608,18446744073709551615]", "reach beyond the file"},
      {"F32", "[1]", "[4,8]", "leave a hole of 4 bytes"},
      {"F32", "[1]", "[0,4]", "4 bytes of data belong to no tensor"},
  };
  for (const Case& c : cases)
    CHECK(mentions(error_of(file_bytes(tensor_json(c.dtype, c.shape, c.offsets), "abcdefgh")), c.expected));

  const auto two = [&](const std::string& a, const std::string& b) {
    return error_of(file_bytes(
        R"({"a":{"dtype":"U8","shape":)" + a + R"(},"b":{"dtype":"U8","shape":)" + b + "}}", "abcdefgh"));
  };
  CHECK(two(R"([4],"data_offsets":[4,8])", R"([4],"data_offsets":[0,4])") == "(no error)");
  CHECK(mentions(two(R"([5],"data_offsets":[0,5])", R"([4],"data_offsets":[4,8])"),
                 "tensor 'b': data_offsets [4, 8] overlap those of tensor 'a'"));
  CHECK(mentions(two(R"([8],"data_offsets":[0,8])", R"([8],"data_offsets":[0,8])"), "overlap"));
  CHECK(mentions(two(R"([3],"data_offsets":[0,3])", R"([4],"data_offsets":[4,8])"), "hole of 1 bytes"));
}

// Every change of a good file either reads, with tensors whose every byte can be touched, or is one Error.
// Under the address sanitizer this also shows that nothing outside the bytes is read.
TEST_CASE("thousands of damaged files") {
  const Scratch scratch;
  const std::string path = scratch.file("seed.safetensors");
  write_safetensors(
      path,
      {{"features.0.weight", f32({1, 2, 3, 4}, {2, 2})}, {"bias", f32({5}, {1})}, {"none", f32({}, {0})}},
      {{"format", "pt"}});
  std::ifstream in(path, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  std::mt19937 random(1);
  const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  const std::string digits = "0123456789-.eE{}[]\",: \\";
  size_t read = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (size_t changes = 1 + below(3); changes-- > 0 && !bytes.empty();) {
      const size_t at = below(bytes.size());
      switch (below(6)) {
        case 0:
          bytes[at] = static_cast<char>(below(256));
          break;
        case 1:
          bytes[at] = digits[below(digits.size())];
          break;
        case 2:
          bytes.insert(at, 1, digits[below(digits.size())]);
          break;
        case 3:
          bytes.erase(at, 1 + below(4));
          break;
        case 4:
          bytes.resize(at);
          break;
        default:
          bytes.insert(at, bytes.substr(below(bytes.size()), below(40)));
          break;
      }
    }
    // An insertion or a deletion would nearly always be caught by the length: let half of them get past it.
    if (bytes.size() >= 8 && below(2)) {
      const uint64_t length = std::min(bytes.size() - 8, bytes.find_last_of('}') - 7);
      std::memcpy(bytes.data(), &length, 8);
    }
    try {
      const SafetensorsFile file = parse(bytes);
      for (const std::string& name : file.names()) {
        const Tensor t = file.tensor(name);
        for (int64_t i = 0; i < t.numel(); ++i) (void)t.item(i);
      }
      ++read;
    } catch (const Error& error) {
      ++refused;
      if (std::strchr(error.what(), '\n')) FAIL("an error of several lines: " << error.what());
    }
  }
  CHECK(read > 100);  // else the changes are too coarse to test anything but the JSON parser
  CHECK(refused > 10'000);
}

}  // namespace loupe
