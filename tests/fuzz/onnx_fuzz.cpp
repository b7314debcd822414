// libFuzzer target for ONNX files: any bytes at all are either a network, which is imported, or one Error of
// one line. An import asks the engine's ops whether shapes fit: those are the release build's, without
// instruments.
// Sources: -DLOUPE_PROTOZERO -Ibuild/release/generated/include build/release/generated/all_onnx_groups.cpp
//     models/io/onnx/*.cpp models/io/{stored_tensor,safetensors_header}.cpp
//     build/release/libloupe_engine.a build/release/libloupe_kernels.a -lhwy -lgomp -ldl
// Starts from: tests/fixtures/onnx
// Options: -max_len=16384
// Needs: build/release/libloupe_engine.a
#include <cstdlib>
#include <cstring>
#include <memory>

#include "kernels/common/error.h"
#include "models/io/onnx/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of exactly this size, so that the address sanitizer sees a read beyond it.
  const std::shared_ptr<std::byte[]> bytes(new std::byte[size]);
  if (size) std::memcpy(bytes.get(), data, size);
  try {
    const loupe::onnx::ModelProto model = loupe::onnx::parse_model({bytes.get(), size}, "fuzz", bytes);
    const loupe::onnx::Imported net = loupe::onnx::import(model, {.folded = 1 << 16, .nodes = 500});
    for (const auto& [name, tensor] : net.parameters) {
      double sum = 0;
      for (int64_t i = 0; i < tensor.numel(); ++i) sum += tensor.item(i);
      [[maybe_unused]] volatile double read = sum;  // so that no read is optimised away
    }
  } catch (const loupe::Error& error) {
    if (std::strchr(error.what(), '\n')) std::abort();
  }
  return 0;
}
