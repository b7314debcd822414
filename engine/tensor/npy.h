// NumPy's array file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), versions 1, 2
// and 3.
#pragma once
#include <cstddef>
#include <span>
#include <string>

#include "engine/tensor/tensor.h"

namespace loupe {

/// One array in C order; a copy. Of either byte order f2, which becomes f32, f4, f8, i4, and i8, which becomes i32; and
/// u1. Throws Error, one line that names the file, for anything else, and for an i8 that does not fit 32 bits.
Tensor read_npy(const std::string& path);
/// The same from bytes in memory; `name` stands for the file in errors.
Tensor parse_npy(std::span<const std::byte> bytes, const std::string& name);
/// The bytes of such a file, version 1, of any type that a tensor has.
std::string encode_npy(const Tensor& x);

}  // namespace loupe
