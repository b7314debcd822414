// Constant: a tensor whose values are known while a graph is imported, be it an initialiser or what the
// exporters' arithmetic on shapes comes to.
#pragma once
#include "engine/tensor/tensor.h"
#include "models/io/onnx/proto.h"

namespace loupe::onnx {

/// Floats are a Tensor, f32 (of float, float16 and bfloat16) or f64 (of double), and may lie in the mapped
/// file; whole numbers and booleans are int64.
struct Constant {
  ElementType type = ElementType::i64;
  Shape shape = {};
  Tensor reals = {};
  std::vector<int64_t> integers = {};

  bool is_real() const { return onnx::is_real(type); }
  int64_t numel() const { return shape.numel(); }
  /// Element i, whatever the type.
  double real(int64_t i) const {
    return is_real() ? reals.item(i) : static_cast<double>(integers[static_cast<size_t>(i)]);
  }
  /// Element i; floats are cut towards zero.
  int64_t integer(int64_t i) const;
  /// All of them, f32 where they are whole numbers.
  Tensor tensor() const;
};

/// Decodes what a file stores. Throws Error naming the tensor where sizes disagree or the type is not read.
Constant decode(const TensorProto&, const std::string& file);

/// Constants of a type and values; reals are rounded to the type.
Constant make_constant(ElementType, const Shape&, const std::vector<double>& values);
Constant make_integers(const Shape&, std::vector<int64_t> values, ElementType = ElementType::i64);
/// A vector of whole numbers.
inline Constant make_vector(std::vector<int64_t> values) {
  const auto n = static_cast<int64_t>(values.size());
  return make_integers({n}, std::move(values));
}
/// A float32 (or double) one of a tensor.
Constant make_reals(Tensor values);

}  // namespace loupe::onnx
