// Files that torch itself wrote (tests/oracle/make_torch_files.py): every tensor is what torch.load gives.
#include "models/io/torch_file.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/support/torch_bytes.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = LOUPE_SOURCE_DIR "/tests/fixtures/torch";

nlohmann::ordered_json expected_files() {
  return nlohmann::ordered_json::parse(file_content(kFolder / "expected.json"));
}

void check_tensor(const TorchFile& file, const nlohmann::ordered_json& expected) {
  const auto name = expected["name"].get<std::string>();
  INFO(name);
  REQUIRE(file.contains(name));
  CHECK(file.info(name).dtype == expected["dtype"]);
  const Tensor tensor = file.tensor(name);
  CHECK(tensor.shape() == Shape(expected["shape"].get<std::vector<int64_t>>()));
  CHECK(tensor.shape() == file.info(name).shape);
  const auto& values = expected["values"];
  REQUIRE(tensor.numel() == std::ssize(values));
  int64_t wrong = 0;
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    wrong += tensor.item(i) != values[static_cast<size_t>(i)].get<double>();
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("every kind of file, tensor by tensor, in the order of the state dict") {
  size_t tensors = 0;
  const nlohmann::ordered_json all = expected_files();
  for (const auto& [file_name, expected] : all.items()) {
    INFO(file_name);
    const TorchFile file = TorchFile::open(kFolder / file_name);
    std::vector<std::string> names;
    for (const auto& tensor : expected) names.push_back(tensor["name"]);
    CHECK(file.names() == names);
    for (const auto& tensor : expected) check_tensor(file, tensor);
    tensors += names.size();
  }
  CHECK(tensors > 100);
}

TEST_CASE("float32 in order is a view of the archive, and shared storages are shared") {
  const TorchFile file = TorchFile::open(kFolder / "zip.pth");
  const int64_t before = memory_count().now;
  const Tensor row = file.tensor("row"), block = file.tensor("block"), weight = file.tensor("conv.weight");
  CHECK(row.raw() == file.tensor("row").raw());
  CHECK(weight.raw() == file.tensor("conv.weight").raw());
  CHECK(memory_count().now - before == block.bytes());  // its rows do not follow each other
  const Tensor half = file.tensor("type.F16");
  CHECK(half.dtype() == Dtype::f32);
  CHECK(memory_count().now - before > block.bytes());
}

TEST_CASE("a view outlives the file it came from") {
  Tensor t;
  {
    const TorchFile file = parse_torch(
        archive(pickled::whole(pickled::dict(pickled::text("t") + pickled::tensor({2, 3}, {3, 1}, 0, 6)))));
    CHECK(file.names() == std::vector<std::string>{"t"});
    t = file.tensor("t");
  }
  for (int i = 0; i < 6; ++i) CHECK(t.item(i) == i);
}

TEST_CASE("a name that is not there is said") {
  const TorchFile file = TorchFile::open(kFolder / "wrapped_model.pth");
  CHECK_THROWS_WITH_AS(file.tensor("weight"), doctest::Contains("has no tensor 'weight' among its 2"), Error);
}

TEST_CASE("what torch.save never writes is refused in one line") {
  CHECK_THROWS_WITH_AS(TorchFile::open(kFolder / "deflated.pth"),
                       doctest::Contains("is compressed or encrypted"), Error);
  const std::string sound =
      pickled::whole(pickled::dict(pickled::text("t") + pickled::tensor({1}, {1}, 0, 1)));
  CHECK(torch_error(archive(sound)) == "(no error)");
  const auto says = [](const std::string& bytes, const std::string& part) {
    const std::string line = torch_error(bytes);
    CHECK_MESSAGE(line.find(part) != line.npos, line);
  };
  says(zip_bytes({{"a/data.pkl", sound}, {"a/byteorder", "big"}, {"a/data/0", "abcd"}}), "big-endian");
  says(zip_bytes({{"a.txt", "text"}}), "it has no data.pkl");
  says(zip_bytes({{"a/data.pkl", sound}}), "lacks the entry 'a/data/0'");
  says(zip_bytes({{"a/data.pkl", sound}, {"a/data/0", "abc"}}), "should hold 4 bytes, but has 3");
  says(archive(pickled::whole("N")), "there are no tensors in it");
  says("\x80\x02K\x01.", "is a pickle, but not one of torch.save");
}

TEST_CASE("files that end early, at every byte") {
  for (const char* name :
       {"zip_v3.pth", "legacy_protocol_1.pth", "legacy_protocol_4.pth", "wrapped_ema.pth", "script.pt"}) {
    INFO(name);
    const std::string whole = file_content(kFolder / name);
    CHECK(torch_error(whole) == "(no error)");
    size_t accepted = 0;
    for (size_t length = 0; length < whole.size(); ++length)
      accepted += torch_error(whole.substr(0, length)) == "(no error)";
    CHECK(accepted == 0);
  }
}

TEST_CASE("any one byte changed is read or refused, and nothing else") {
  for (const char* name : {"zip_v3.pth", "legacy_protocol_4.pth"}) {
    std::string bytes = file_content(kFolder / name);
    for (char& byte : bytes)
      for (const int flip : {1, 0x80, 0xff}) {
        byte = static_cast<char>(byte ^ flip);
        torch_error(bytes);
        byte = static_cast<char>(byte ^ flip);
      }
  }
}

}  // namespace loupe
