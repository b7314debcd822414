// libFuzzer target for ONNX files: any bytes at all are either a network, which is imported, or one Error of one line.
// tests/fuzz/run builds and runs it, from the files of tests/fixtures/onnx.
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
