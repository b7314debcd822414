// Pickles and archives that mean harm: nothing is executed, nothing large is allocated, and each gets one line.
#include <doctest/doctest.h>

#include <filesystem>

#include "models/io/pickle.h"
#include "models/io/zip.h"
#include "tests/support/torch_bytes.h"

namespace loupe {
namespace {

using namespace pickled;  // NOLINT

std::string good() { return text("t") + tensor({2, 3}, {3, 1}, 0, 6); }

std::string repeated(const std::string& part, size_t count) {
  std::string all;
  all.reserve(part.size() * count);
  while (count-- > 0) all += part;
  return all;
}

void says(const std::string& bytes, const std::string& part) {
  const std::string line = torch_error(bytes);
  CHECK_MESSAGE(line.find(part) != line.npos, line << " — expected: " << part);
}
void pickle_says(const std::string& body, const std::string& part) { says(archive(whole(body)), part); }

}  // namespace

TEST_CASE("calls are not made; the tensors beside them are read") {
  const std::string mark = (std::filesystem::temp_directory_path() / "loupe_was_executed").string();
  std::filesystem::remove(mark);
  const std::string call = global("os", "system") + "(" + text("touch " + mark) + "tR";
  const std::string built = global("builtins", "exec") + ")\x81" + dict(text("x") + number(1)) + "b";
  const TorchFile file = parse_torch(
      archive(whole(dict(text("evil") + call + text("built") + built + good() + text("z") + call))));
  CHECK(file.names() == std::vector<std::string>{"t"});
  CHECK(file.tensor("t").item(5) == 5);
  pickle_says(call, "there are no tensors in it");
  pickle_says("(" + text("touch " + mark) + "ios\nsystem\n", "there are no tensors in it");
  pickle_says("(" + global("os", "system") + text("touch " + mark) + "o", "there are no tensors in it");
  CHECK_FALSE(std::filesystem::exists(mark));
}

TEST_CASE("nesting a million deep") {
  constexpr size_t kDeep = 1'000'000;
  pickle_says(repeated("]", kDeep) + repeated("a", kDeep - 1), "nested more than 100 deep");
  pickle_says(repeated("(", kDeep) + repeated("t", kDeep), "nested more than 100 deep");
  pickle_says("N" + repeated("\x85", kDeep), "nested more than 100 deep");
  pickle_says(repeated("(", 5 * kDeep), "more than 2 million marks");
  pickle_says(repeated("N", 5 * kDeep), "more than 2 million values");
  pickle_says(repeated("]", 5 * kDeep), "more than 2 million values");
  const std::string deep = repeated("}" + text("a"), 200) + "N" + repeated("s", 200);
  pickle_says(deep, "nested more than 100 deep");
  pickle_says(repeated("}" + text("a"), 90) + dict(good()) + repeated("s", 90), "(no error)");
  pickle_says(repeated("}" + text("a"), 120) + dict(good()) + repeated("s", 120),
              "nested more than 100 deep");
}

TEST_CASE("values that contain each other") {
  // d = {"self": d, "t": tensor}
  const TorchFile file = parse_torch(archive(whole("}q\1(" + text("self") + "h\1" + good() + "u")));
  CHECK(file.names() == std::vector<std::string>{"t"});
  pickle_says("]q\1h\1a", "there are no tensors in it");
  pickle_says("}q\1(" + text("state_dict") + "h\1" + text("model") + "h\1u", "there are no tensors in it");
  // Each level holds the one below twice: 2^40 paths.
  std::string levels = dict(good()) + "q\1";
  for (int i = 0; i < 40; ++i) levels += "}(" + text("a") + "h\1" + text("b") + "h\1uq\1";
  pickle_says(levels, "names more than 500000 tensors");
  std::string lists = "]q\1";
  for (int i = 0; i < 40; ++i) lists += "](h\1h\1h\1eq\1";
  pickle_says(lists, "more values than a network has");
  // An object that is its own class, arguments and state.
  pickle_says("]q\1h\1R", "there are no tensors in it");
  pickle_says("Nq\1h\1Rq\1h\1h\1Rq\2h\2b", "there are no tensors in it");
}

TEST_CASE("memos that lie") {
  pickle_says("Nr" + little(uint32_t{0xFFFFFFFF}) + ".", "2 million are allowed");
  pickle_says("Np99999999999999999999\n", "its memo is not one");
  pickle_says("h\7", "which it did not remember");
  pickle_says("j" + little(uint32_t{0x7FFFFFFF}), "which it did not remember");
  // Ten thousand mentions of one long list are one list.
  pickle_says("](" + repeated("N", 100'000) + "eq\1](" + repeated("h\1", 10'000) + "e",
              "more values than a network has");
  // Long names of classes are kept once each, and none is longer than 1000.
  pickle_says(text(std::string(2000, 'm')) + text("n") + "\x93", "a class has a name too long");
}

TEST_CASE("lengths that lie") {
  pickle_says("X" + little(uint32_t{0xFFFFFFF0}) + "ab", "cut short");
  pickle_says("\x8d" + little(~uint64_t{0}) + "ab", "cut short");
  pickle_says("\x8e" + little(uint64_t{1} << 62), "cut short");
  pickle_says("\x8b" + little(uint32_t{0x80000000}), "cut short");
  pickle_says("I12345", "does not end");
  pickle_says("Ione\n", "a number is not one");
  pickle_says("F1.5x\n", "a number is not one");
}

TEST_CASE("pickles that are none") {
  pickle_says("\xff", "opcode 255, which no pickle has");
  pickle_says("\x97", "needs data from outside the file");
  pickle_says("\x82\1", "needs a registry of extensions");
  pickle_says("\x80\x09", "it says protocol 9");
  pickle_says("0", "a mark that is not there");
  pickle_says("", "empty stack");
  pickle_says("(Nu", "a key without a value");
  pickle_says("N(NNu", "sets items of what is not a dictionary");
  pickle_says("NNa", "appends to what is not a list");
  pickle_says("NNb", "sets the state of what is not an object");
  pickle_says("NN\x93", "a name is not a text");
  says(archive("\x80\x02N"), "cut short");
}

TEST_CASE("tensors that lie") {
  const auto of = [](const std::string& t) { return archive(whole(dict(text("t") + t))); };
  says(of(tensor({2, 3}, {3, 1}, 1, 6)), "reaches beyond its storage of 6");
  says(of(tensor({2, 3}, {4, 1}, 0, 6)), "reaches beyond its storage of 6");
  says(of(tensor({7}, {1}, 0, 7)), "should hold 28 bytes, but has 24");
  says(of(tensor({1 << 30}, {0}, 0, 6)), "reaches beyond its storage");
  says(of(tensor({1 << 30, 1 << 30}, {1 << 30, 1}, 0, 6)), "tensor 't'");
  says(of(tensor({2, 1 << 30, 1 << 29}, {2147483647, 2147483647, 2147483647}, 0, 6)), "tensor 't'");
  says(of(tensor({-1}, {1}, 0, 6)), "a size that cannot be");
  says(of(tensor({2}, {-1}, 1, 6)), "a size that cannot be");
  says(of(tensor({2}, {1}, -1, 6)), "its offset cannot be");
  says(of(tensor({2}, {1, 1}, 0, 6)), "as many strides");
  says(of(tensor({2}, {1}, 0, -6)), "a size that cannot be");
  says(of(tensor({1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}, 0, 6)), "7 dimensions");
  says(of(tensor({0, 1 << 30}, {1, 1}, 6, 6)), "(no error)");
  says(of(tensor({0}, {1}, 7, 6)), "reaches beyond its storage");
  says(of(tensor({2}, {1}, 0, 6, "1")), "lacks the entry 'archive/data/1'");
  says(of(tensor({2}, {1}, 0, 6, "../data.pkl")), "lacks the entry");
  says(of(tensor({2}, {1}, 0, 6, std::string(200, '0'))), "has no key");
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  says(of(rebuild + ")R"), "its description lacks something");
  says(of(rebuild + "(NNNNtR"), "it has no storage");
  says(of(rebuild + "((" + text("storage") + global("os", "system") + text("0") + text("cpu") + number(6) +
          "tQ" + number(0) + "))tR"),
       "a type that Loupe does not know, 'os.system'");
}

TEST_CASE("archives that lie") {
  const std::string pickle = whole(dict(good())), data(24, '\1');
  const auto with = [&](ZipPart part) {
    part.name = "a/data/0";
    part.data = data;
    return zip_bytes({{"a/data.pkl", pickle}, part});
  };
  CHECK(torch_error(with({})) == "(no error)");
  says(with({.size = 1'000'000'000}), "stores 24");
  says(with({.size = 1'000'000'000, .packed = 1'000'000'000}), "more than the file holds");
  says(with({.header = 0}), "entries that overlap");
  says(with({.header = 7}), "which does not begin there");
  says(with({.header = 100'000}), "which does not begin there");
  says(with({.size = 0xFFFFFFFF, .packed = 0xFFFFFFFF}), "lacks the 64-bit sizes");
  says(with({.method = 8, .size = 1'000'000'000}), "is compressed or encrypted");
  says(zip_bytes({{"a/data.pkl", pickle}, {"a/data.pkl", pickle}}), "two entries 'a/data.pkl'");
  CHECK(torch_error(zip_bytes({{"a/data.pkl", pickle}, {"a/data/0", data}}, "a comment")) == "(no error)");

  // One piece of data for many entries: each alone is small, and all together are not.
  std::vector<ZipPart> bomb{{"a/data.pkl", pickle}, {"a/data/0", data}};
  for (int i = 1; i < 1000; ++i) bomb.push_back({"a/data/" + std::to_string(i), "", 0, 24, 24, 0});
  says(zip_bytes(bomb), "entries that overlap");

  std::string many = with({});
  const size_t end = many.rfind("PK\5\6");
  many.replace(end + 10, 2, little(uint16_t{60000}));
  says(many, "which cannot be");
  many.replace(end + 16, 4, little(uint32_t{0x7FFFFFFF}));
  says(many, "which cannot be");
}

TEST_CASE("storages of the older format that lie") {
  const std::string magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
  const std::string head = magic + whole(number(1001)) + whole("}");
  const std::string keys = whole("](" + text("0") + "e"), values(24, '\1');
  const auto file = [&](const std::string& object, const std::string& rest) { return head + object + rest; };
  const std::string object = whole(dict(good()));
  CHECK(torch_error(file(object, keys + little(uint64_t{6}) + values)) == "(no error)");
  says(file(object, keys + little(uint64_t{7}) + values), "is cut short");
  says(file(object, keys + little(~uint64_t{0}) + values), "is cut short");
  says(file(object, keys + little(uint64_t{5}) + values), "should hold 24 bytes, but has 20");
  says(file(object, whole("]")), "should hold 24 bytes, but has 0");
  says(file(object, whole("](" + text("9") + "e") + little(uint64_t{6}) + values), "nothing refers to");
  says(magic + whole(number(1002)) + whole("}") + object + keys, "in a way that Loupe does not know");
  says(magic + whole(number(1001)) + whole(dict(text("little_endian") + "\x89")) + object + keys,
       "big-endian");
}

}  // namespace loupe
