// libFuzzer target for the safetensors reader: any bytes at all either read, every tensor of them, or are one
// Error of one line.
// Sources: models/io/{safetensors,safetensors_header,stored_tensor}.cpp engine/file/{mapped_file,atomic_file}.cpp
//     engine/tensor/tensor.cpp kernels/common/{array,device,op,shape}.cpp
// Starts from: --seeds
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/file/atomic_file.h"
#include "models/io/safetensors.h"
#include "tests/fuzz/read_weights.h"

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
  loupe::fuzz::read_weights<loupe::SafetensorsFile>({reinterpret_cast<const char*>(data), size});
  return 0;
}
