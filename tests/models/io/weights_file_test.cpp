// Which reader a file of weights gets, what it is called where it gets none, and prefixes of its names.
#include "models/io/weights_file.h"

#include <doctest/doctest.h>

#include "tests/support/command.h"
#include "tests/support/torch_bytes.h"

namespace loupe {
namespace {

using test::Folder;
using test::write_text;

Tensor one() { return Tensor::zeros(Dtype::f32, {1}); }

}  // namespace

TEST_CASE("the first bytes choose, whatever the file is called") {
  const Folder folder;
  const std::string pth = folder / "a.pth", mislabelled = folder / "b.pth";
  std::filesystem::copy(LOUPE_SOURCE_DIR "/tests/fixtures/torch/zip.pth", folder / "c.safetensors");
  write_safetensors(mislabelled, {{"w", one()}});
  CHECK(WeightsFile::open(mislabelled).names() == std::vector<std::string>{"w"});
  CHECK(WeightsFile::open(folder / "c.safetensors").contains("conv.weight"));
  CHECK(WeightsFile::open(LOUPE_SOURCE_DIR "/tests/fixtures/torch/legacy.pth").contains("conv.weight"));
  // A header of 640 bytes starts as a pickle of protocol 2 does.
  std::string json = R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  json.resize(640, ' ');
  write_text(pth, little(uint64_t{640}) + json + "\7");
  CHECK(WeightsFile::open(pth).tensor("w").item() == 7);
}

TEST_CASE("foreign files are called what they are") {
  const Folder folder;
  const auto says = [&](const std::string& bytes, const std::string& part) {
    const std::string path = folder / "w";
    write_text(path, bytes);
    CHECK_THROWS_WITH_AS(WeightsFile::open(path), doctest::Contains(part.c_str()), Error);
  };
  says("GGUF" + std::string(30, '\3'), "it is of version 50529027");
  says("\x89HDF\r\n\x1a\n" + std::string(30, '\0'), "an HDF5 file");
  says("<!DOCTYPE html><html>", "HTML");
  says("\x1f\x8b\x08" + std::string(30, '\0'), "compressed with gzip");
  says("\x93NUMPY\1" + std::string(30, '\0'), "a NumPy array");
  says("version https://git-lfs.github.com/spec/v1\noid sha256:ab", "git lfs pull");
  says(std::string("\x08\x07\x12\x07pytorch", 11) + std::string(30, '\0'), "an ONNX network");
  says("just a text, with ümlaut", "a text");
  says("\x80\x04K\1.", "a pickle, but not one of torch.save");
  says("PK\3\4" + std::string(30, '\0'), "has no directory at its end");
  says(std::string(257, '\0') + "ustar", "a tar archive");
  says(std::string(300, '\2'), "is this a safetensors file?");
}

TEST_CASE("what all names begin with is taken off, unless the network has it") {
  const Folder folder;
  const auto stripped = [&](const std::vector<std::string>& names, const std::vector<std::string>& wanted) {
    NamedTensors tensors;
    for (const std::string& name : names) tensors.emplace_back(name, one());
    write_safetensors(folder / "w", tensors);
    WeightsFile file = WeightsFile::open(folder / "w");
    const std::string prefix = file.strip_prefix(wanted);
    for (const std::string& name : file.names()) {
      CHECK(file.contains(name));
      CHECK(file.info(name).shape == Shape{1});
      CHECK(file.tensor(name).numel() == 1);
    }
    CHECK(file.names().front() == names.front().substr(prefix.size()));
    return prefix;
  };
  CHECK(stripped({"module.a.w", "module.b.w"}, {"a.w", "b.w"}) == "module.");
  CHECK(stripped({"module.model.a.w", "module.model.b.w"}, {"a.w", "b.w"}) == "module.model.");
  CHECK(stripped({"a.w", "b.w"}, {"a.w", "b.w"}) == "");
  CHECK(stripped({"module.a.w", "b.w"}, {"a.w", "b.w"}) == "");
  CHECK(stripped({"a.w", "a.b"}, {"a.w", "a.b", "c.w"}) == "");  // a part of the network, under its own name
  CHECK(stripped({"w"}, {"v"}) == "");
}

}  // namespace loupe
