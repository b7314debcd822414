#include "models/io/stored_tensor.h"

#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "kernels/common/error.h"
#include "kernels/common/parallel.h"
#include "models/io/half.h"
#include "models/io/safetensors_header.h"

namespace loupe {

static_assert(std::endian::native == std::endian::little,
              "the formats are little-endian, and tensors are views of files");

namespace {

// Types whose bytes in a file are already a Tensor's.
std::optional<Dtype> same_in_memory(std::string_view type) {
  if (type == "F32") return Dtype::f32;
  if (type == "F64") return Dtype::f64;
  if (type == "I32") return Dtype::i32;
  if (type == "U8" || type == "BOOL") return Dtype::u8;
  return std::nullopt;
}

// `data` may be unaligned.
template <typename T>
T element(std::span<const std::byte> data, int64_t i) {
  T value;
  std::memcpy(&value, data.data() + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

Tensor from_halves(const Shape& shape, std::span<const std::byte> data, float (*one)(uint16_t)) {
  Tensor t(Dtype::f32, shape);
  const std::span<float> to = t.values<float>();
  constexpr int64_t kChunk = 1 << 16;
  parallel_for(ceil_div(t.numel(), kChunk), [&](int64_t chunk) {
    for (int64_t i = chunk * kChunk, end = std::min(t.numel(), i + kChunk); i < end; ++i)
      to[static_cast<size_t>(i)] = one(element<uint16_t>(data, i));
  });
  return t;
}

template <typename T>
Tensor from_whole(const Shape& shape, std::span<const std::byte> data, const std::string& what) {
  Tensor t(Dtype::i32, shape);
  int64_t i = 0;
  for (int32_t& to : t.values<int32_t>()) {
    const T value = element<T>(data, i++);
    if (!std::in_range<int32_t>(value))
      throw Error(what + ": the value " + std::to_string(value) + " does not fit 32 bits");
    to = static_cast<int32_t>(value);
  }
  return t;
}

}  // namespace

Tensor stored_tensor(const TensorInfo& info, std::span<const std::byte> data,
                     const std::shared_ptr<const void>& owner, const std::string& what) {
  const auto& [dtype, shape] = info;
  if (const std::optional<Dtype> same = same_in_memory(dtype)) {
    if (reinterpret_cast<uintptr_t>(data.data()) % static_cast<size_t>(dtype_bytes(*same)) == 0) {
      auto* start = const_cast<std::byte*>(data.data());
      return Tensor(*same, shape, Storage::borrow(start, std::ssize(data), owner));
    }
    Tensor copy(*same, shape);
    if (!data.empty()) std::memcpy(copy.raw(), data.data(), data.size());
    return copy;
  }
  if (dtype == "F16") return from_halves(shape, data, from_f16);
  if (dtype == "BF16") return from_halves(shape, data, from_bf16);
  if (dtype == "I8") return from_whole<int8_t>(shape, data, what);
  if (dtype == "I16") return from_whole<int16_t>(shape, data, what);
  if (dtype == "U16") return from_whole<uint16_t>(shape, data, what);
  if (dtype == "I64") return from_whole<int64_t>(shape, data, what);
  if (dtype == "U32") return from_whole<uint32_t>(shape, data, what);
  if (dtype == "U64") return from_whole<uint64_t>(shape, data, what);
  throw Error(what + " is of type " + safetensors::in_quotes(dtype) +
              "; Loupe reads F64, F32, F16, BF16, whole numbers and BOOL");
}

}  // namespace loupe
