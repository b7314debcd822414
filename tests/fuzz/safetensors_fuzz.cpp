// libFuzzer target for the safetensors reader: any bytes at all either read, every tensor of them, or are one
// Error. tests/fuzz/run builds and runs it; the folder of files to start from comes from
// `safetensors_fuzz --seeds FOLDER`.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/file/atomic_file.h"
#include "kernels/common/error.h"
#include "models/io/safetensors.h"

namespace {

void write_text(const std::filesystem::path& path, const std::string& json, const std::string& data) {
  const uint64_t length = json.size();
  loupe::AtomicFile file(path.string());
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(json);
  file.write(data);
  file.commit();
}

// One small file for each thing that the format has, for the fuzzer to start from.
void write_seeds(const std::filesystem::path& folder) {
  using loupe::Dtype;
  using loupe::Tensor;
  loupe::write_safetensors((folder / "mixed").string(),
                           {{"features.0.weight", Tensor::zeros(Dtype::f32, {2, 1, 1, 1})},
                            {"double", Tensor::zeros(Dtype::f64, {1})},
                            {"whole", Tensor::zeros(Dtype::i32, {1})},
                            {"bytes", Tensor::zeros(Dtype::u8, {3})},
                            {"empty", Tensor::zeros(Dtype::f32, {0, 7})},
                            {"scalar", Tensor::zeros(Dtype::f32, {})}},
                           {{"format", "pt"}});
  for (const char* dtype : {"F16", "BF16", "I16"})
    write_text(folder / dtype,
               std::string(R"({"t":{"dtype":")") + dtype + R"(","shape":[2],"data_offsets":[0,4]}})", "abcd");
  write_text(folder / "I64", R"({"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]}})",
             std::string(8, '\0'));
  write_text(
      folder / "unaligned",
      R"({"b":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
      "abcde");
  write_text(folder / "escapes", R"({"__metadata__":{"\u00fc\n":"\ud83d\ude00"}})", "");
  write_text(folder / "nested", R"({"a":{"shape":[[[[[[[[{"b":[)", "");
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc == 3 && std::strcmp((*argv)[1], "--seeds") == 0) {
    write_seeds((*argv)[2]);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of exactly this size, so that the address sanitizer sees a read beyond it.
  const std::shared_ptr<std::byte[]> bytes(new std::byte[size]);
  if (size > 0) std::memcpy(bytes.get(), data, size);
  try {
    const auto file = loupe::SafetensorsFile::parse({bytes.get(), size}, "fuzz", bytes);
    for (const std::string& name : file.names()) {
      try {
        const loupe::Tensor tensor = file.tensor(name);
        if (tensor.shape() != file.info(name).shape) std::abort();
        double sum = 0;
        for (int64_t i = 0; i < tensor.numel(); ++i) sum += tensor.item(i);
        [[maybe_unused]] volatile double read = sum;  // so that no read is optimised away
      } catch (const loupe::Error& error) {
        if (std::strchr(error.what(), '\n')) std::abort();
      }
    }
  } catch (const loupe::Error& error) {
    if (std::strchr(error.what(), '\n')) std::abort();
  }
  return 0;
}
