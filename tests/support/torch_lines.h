// What a file of torch.save holds, as text to compare: "name F32 (64, 3, 3, 3) hash", a line each tensor.
// tests/oracle/compare_torch_files.py writes the same from what torch.load gives.
#pragma once
#include <cinttypes>
#include <cstdio>
#include <string>
#include <string_view>

#include "kernels/common/random.h"
#include "models/io/torch_file.h"

namespace loupe {

/// Σ splitmix64(256 i + byte i) over the bytes of a tensor of f32, f64, i32 or u8.
inline uint64_t hash_of(const Tensor& t) {
  uint64_t sum = 0;
  for (int64_t i = 0; i < t.bytes(); ++i)
    sum += scrambled(256 * static_cast<uint64_t>(i) + std::to_integer<uint64_t>(t.raw()[i]));
  return sum;
}

inline std::string tensor_lines(const TorchFile& file) {
  std::string lines;
  for (const std::string& name : file.names()) {
    char hash[20];
    std::snprintf(hash, sizeof hash, "%016" PRIx64, hash_of(file.tensor(name)));
    const TensorInfo& info = file.info(name);
    lines += name + " " + info.dtype + " " + info.shape.str() + " " + hash + "\n";
  }
  return lines;
}

/// FNV-1a (Fowler, Noll & Vo).
inline uint64_t digest_of(std::string_view text) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

}  // namespace loupe
