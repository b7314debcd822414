// ONNX files that are damaged, or mean harm: each gets one line, nothing large is allocated, and nothing is
// read that is not there.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/onnx_bytes.h"

namespace loupe {
namespace {

using namespace onnx_bytes;  // NOLINT

const std::string kIo = value(11, "x", {0, 3}) + value(12, "y", {});
std::string with_nodes(const std::string& nodes) { return model(nodes + kIo); }

void says(const std::string& bytes, const std::string& part, const onnx::ImportOptions& options = {}) {
  const std::string line = complaint(bytes, options);
  CHECK_MESSAGE(line.find(part) != line.npos, "'" << line << "' — expected: " << part);
  CHECK(line.find('\n') == line.npos);
}

}  // namespace

TEST_CASE("a good file, to begin with") {
  CHECK(complaint(with_nodes(node("Relu", {"x"}, {"y"}))) == "");
  const float values[] = {-1, 2, 3};
  const Tensor y = run(parse(with_nodes(node("Relu", {"x"}, {"y"}))),
                       Tensor::from(std::span<const float>(values), {1, 3}));
  CHECK(y.item(0) == 0);
  CHECK(y.item(2) == 3);
}

TEST_CASE("cut anywhere, or with a byte changed, it is read or refused") {
  const std::string whole = model(node("Gemm", {"x", "w"}, {"g"}) + node("Reshape", {"g", "s"}, {"y"}) +
                                  initializer(tensor("w", {3, 2}, {1, 2, 3, 4, 5, 6})) +
                                  initializer(tensor_i64("s", {2}, {-1, 2})) + kIo);
  REQUIRE(complaint(whole) == "");
  for (size_t n = 0; n < whole.size(); ++n)
    CHECK(complaint(whole.substr(0, n)).find('\n') == std::string::npos);
  int refused = 0;
  for (size_t i = 0; i < whole.size(); ++i)
    for (const int change : {1, 2, 8, 128, 255}) {
      std::string other = whole;
      other[i] = static_cast<char>(other[i] ^ change);
      const std::string line = complaint(other, {.folded = 1 << 16});
      CHECK(line.find('\n') == std::string::npos);
      refused += !line.empty();
    }
  CHECK(refused > 100);
}

TEST_CASE("lengths that lie") {
  says("", "no graph");
  says("PK\3\4 is another format", "damaged, or no ONNX model");
  says(field(7, std::string(5, 'x')).substr(0, 3), "damaged, or no ONNX model");
  says(varint(7 << 3 | 2) + varint(uint64_t{1} << 62) + "x", "damaged, or no ONNX model");
  says(with_nodes(node("Relu", {"w"}, {"y"}) + initializer(tensor("w", {3, 1000}, {1, 2, 3}))),
       "has shape (3, 1000), but 3 values");
  says(with_nodes(node("Relu", {"w"}, {"y"}) + initializer(tensor("w", {-1}, {1}))), "tensor 'w'");
  says(with_nodes(node("Relu", {"w"}, {"y"}) +
                  initializer(tensor("w", {int64_t{1} << 40, int64_t{1} << 40}, {1}))),
       "tensor 'w'");
  says(with_nodes(node("Relu", {"w"}, {"y"}) +
                  initializer(field(1, int64_t{1}) + field(2, int64_t{99}) + field(8, std::string("w")))),
       "'w' is of type 99");
  says(model(node("Relu", {"x"}, {"y"}) + value(11, "x", {1, int64_t{1} << 61}) + value(12, "y", {})),
       "input 'x'");
}

TEST_CASE("numbers that would fill the memory") {
  const auto folded = [](const std::string& nodes, const std::string& more) {
    return with_nodes(nodes + more);
  };
  says(folded(node("ConstantOfShape", {"s"}, {"z"}) + node("Add", {"x", "z"}, {"y"}),
              initializer(tensor_i64("s", {3}, {1 << 20, 1 << 20, 3}))),
       "elements");
  says(folded(node("Expand", {"w", "s"}, {"z"}) + node("Add", {"x", "z"}, {"y"}),
              initializer(tensor_i64("s", {2}, {1 << 30, 1 << 20})) + initializer(tensor("w", {1}, {1}))),
       "elements");
  says(folded(node("Range", {"a", "b", "c"}, {"z"}) + node("Add", {"x", "z"}, {"y"}),
              initializer(tensor_i64("a", {}, {0})) + initializer(tensor_i64("b", {}, {int64_t{1} << 60})) +
                  initializer(tensor_i64("c", {}, {1}))),
       "too long");
  // Doubled forty times.
  std::string nodes = node("Concat", {"w", "w"}, {"c0"}, attribute_i("axis", 0));
  for (int i = 1; i < 40; ++i) {
    const std::string before = "c" + std::to_string(i - 1);
    nodes += node("Concat", {before, before}, {"c" + std::to_string(i)}, attribute_i("axis", 0));
  }
  says(folded(nodes + node("Add", {"x", "c39"}, {"y"}), initializer(tensor("w", {1, 3}, {1, 2, 3}))),
       "come to more than", {.folded = 1 << 20});
}

TEST_CASE("cycles, and names that nothing makes") {
  says(with_nodes(node("Relu", {"b"}, {"a"}) + node("Relu", {"a"}, {"b"}) + node("Add", {"x", "b"}, {"y"})),
       "reads 'b', which nothing before it makes");
  says(with_nodes(node("Add", {"x", "absent"}, {"y"}, "", "sum")), "node 'sum' reads 'absent'");
  says(with_nodes(node("Add", {"x"}, {"y"}, "", "sum")), "node 'sum' (Add): operand 1 is missing");
  says(with_nodes(""), "nothing makes its output 'y'");
  says(model(node("Relu", {"x"}, {"y"}) + value(11, "x", {1, 3})), "no output");
  says(model(node("Relu", {"x"}, {"y"}) + field(11, field(1, std::string("x"))) + value(12, "y", {})),
       "input 'x' is no tensor");
}

TEST_CASE("graphs in graphs, and functions that call each other without end") {
  std::string graph = node("Relu", {"x"}, {"y"}) + value(12, "y", {});
  for (int i = 0; i < 100; ++i)
    graph = node("If", {"c"}, {"y"}, attribute_graph("then_branch", graph)) + value(12, "y", {});
  says(model(graph + kIo), "nested more than");
  const auto function = [](const std::string& name, const std::string& calls) {
    return field(25, field(1, name) + field(4, std::string("a")) + field(5, std::string("b")) +
                         field(7, node(calls, {"a"}, {"m"}, field(7, std::string("own"))).substr(2)) +
                         field(7, node(calls, {"m"}, {"b"}, field(7, std::string("own"))).substr(2)) +
                         field(9, field(2, int64_t{17})) + field(10, std::string("own")));
  };
  const std::string call = node("F", {"x"}, {"y"}, field(7, std::string("own")));
  says(with_nodes(call) + function("F", "F"), "functions call each other more than");
  // Each calls the next one twice: 2^25 nodes.
  std::string all;
  for (int i = 0; i < 25; ++i)
    all += function(i ? "F" + std::to_string(i) : "F", "F" + std::to_string(i + 1));
  all += field(25, field(1, std::string("F25")) + field(4, std::string("a")) + field(5, std::string("b")) +
                       field(7, node("Relu", {"a"}, {"b"}).substr(2)) + field(9, field(2, int64_t{17})) +
                       field(10, std::string("own")));
  says(with_nodes(call) + all, "more than 1000 nodes", {.nodes = 1000});
}

TEST_CASE("what is not supported is listed whole") {
  const std::string nodes = node("Frob", {"x"}, {"a"}, "", "one") + node("Relu", {"a"}, {"b"}) +
                            node("Frob", {"b"}, {"c"}, "", "two") +
                            node("Nicate", {"c"}, {"d"}, field(7, std::string("com.shop")), "three") +
                            node("Frob", {"x"}, {"unused"}) +
                            node("Cast", {"x"}, {"e"}, attribute_i("to", 8), "four") +
                            node("Sum", {"d", "e"}, {"y"});
  says(with_nodes(nodes),
       "lacks operations that it needs: Cast: to text (1 node: 'four'); Frob (2 nodes, the first is 'one'); "
       "com.shop.Nicate (1 node: 'three')");
  says(model(node("Relu", {"x"}, {"y"}) + kIo, 6), "opset 6 of ONNX; Loupe reads 7 and newer");
}

TEST_CASE("external data stay in the model's folder") {
  const auto external = [](const std::string& location, const std::string& more = "") {
    const auto entry = [](const std::string& key, const std::string& v) {
      return field(13, field(1, key) + field(2, v));
    };
    return field(1, int64_t{2}) + field(2, int64_t{1}) + field(8, std::string("w")) +
           entry("location", location) + more + field(14, int64_t{1});
  };
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "loupe_onnx_external";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "w.bin", std::ios::binary).write("\0\0\x80\x3f\0\0\0\x40", 8);
  const auto read = [&](const std::string& tensor_message) -> std::string {
    const std::string path = (folder / "net.onnx").string();
    std::ofstream(path, std::ios::binary)
        << model(node("Mul", {"x", "w"}, {"y"}) + initializer(tensor_message) + value(11, "x", {1, 2}) +
                 value(12, "y", {}));
    try {
      const float ones[] = {1, 1};
      return run(onnx::read_model(path), Tensor::from(std::span<const float>(ones), {1, 2})).item(1) == 2
                 ? "two"
                 : "other";
    } catch (const Error& e) {
      return e.what();
    }
  };
  const auto offset = [](const char* key, const char* v) {
    return field(13, field(1, std::string(key)) + field(2, std::string(v)));
  };
  CHECK(read(external("w.bin")) == "two");
  for (const char* outside : {"/etc/passwd", "../w.bin", "a/../../w.bin", ""})
    CHECK(read(external(outside)).find("not in the model's folder") != std::string::npos);
  CHECK(read(external("absent.bin")).find("absent.bin") != std::string::npos);
  CHECK(read(external("w.bin", offset("offset", "9"))).find("beyond the end") != std::string::npos);
  CHECK(read(external("w.bin", offset("length", "9"))).find("beyond the end") != std::string::npos);
  CHECK(read(external("w.bin", offset("length", "4"))).find("but 1 values") != std::string::npos);
  CHECK(read(external("w.bin", offset("offset", "-1"))).find("is no number") != std::string::npos);
  std::filesystem::remove_all(folder);
}

}  // namespace loupe
