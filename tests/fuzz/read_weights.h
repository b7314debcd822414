// What a fuzz target of a weights file does: every tensor is read whole, and errors are of one line.
#pragma once
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "engine/tensor/tensor.h"

namespace loupe::fuzz {

inline void expect_one_line(const Error& error) {
  if (std::strchr(error.what(), '\n')) std::abort();
}

/// Reads `data` as a file of that type (parse, names, info, tensor); tensors of more than 2^16 elements are views
/// that repeat a few bytes, only slow, and left out. Aborts at what must not be.
template <typename File>
void read_weights(std::string_view data) {
  // A copy of exactly this size, so that the address sanitizer sees a read beyond it.
  const std::shared_ptr<std::byte[]> bytes(new std::byte[data.size()]);
  if (!data.empty()) std::memcpy(bytes.get(), data.data(), data.size());
  try {
    const File file = File::parse({bytes.get(), data.size()}, "fuzz", bytes);
    for (const std::string& name : file.names()) {
      if (file.info(name).shape.numel() > 1 << 16) continue;
      try {
        const Tensor tensor = file.tensor(name);
        if (tensor.shape() != file.info(name).shape) std::abort();
        double sum = 0;
        for (int64_t i = 0; i < tensor.numel(); ++i) sum += tensor.item(i);
        [[maybe_unused]] volatile double read = sum;  // so that no read is optimised away
      } catch (const Error& error) {
        expect_one_line(error);
      }
    }
  } catch (const Error& error) {
    expect_one_line(error);
  }
}

}  // namespace loupe::fuzz
