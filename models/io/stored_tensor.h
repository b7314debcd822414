// Elements as they lie in files, in the types that files have, as tensors.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/tensor/tensor.h"

namespace loupe {

/// What a file says of a tensor.
struct TensorInfo {
  std::string dtype;  // under safetensors' names: "F32", "BF16" …
  Shape shape;
};

/// The tensor whose elements, little-endian and row-major, are `data`: info.shape.numel() of them, at any
/// address. F32, F64, I32, U8 and BOOL: a view where `data` is aligned, which keeps `owner` alive and is read-only
/// memory (clone() before writing); else a copy. F16 and BF16 become f32; I8, I16, U16, I64, U32, U64 become i32.
/// Throws Error, which starts with `what` ("'file': tensor 'name'"), for other types and for a whole number that
/// does not fit 32 bits.
Tensor stored_tensor(const TensorInfo& info, std::span<const std::byte> data,
                     const std::shared_ptr<const void>& owner, const std::string& what);

}  // namespace loupe
