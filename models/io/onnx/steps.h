// What many mappings are made of: numbers that they bring, operands as the engine computes them, and whole numbers.
#pragma once
#include <initializer_list>
#include <string>
#include <vector>

#include "models/io/onnx/fold.h"
#include "models/io/onnx/import.h"

namespace loupe::onnx {

using Operands = std::span<const Constant* const>;
using Dims = std::vector<int64_t>;

/// One number as a constant of the graph.
inline Port number(NodeImport& n, const std::string& name, double value) {
  const float v = static_cast<float>(value);
  return n.constant(name, Tensor::from(std::span(&v, 1), {1}));
}
/// Operand k as a value of a run, though it may be known.
inline Value computed(NodeImport& n, size_t k) {
  Value v = n.value(k);
  v.port = n.port(k);
  v.constant = nullptr;
  return v;
}
inline Value typed(Value v, ElementType type) {
  v.type = type;
  return v;
}
/// Operand k of a folded node. Throws Error where it is missing.
inline const Constant& operand(Operands operands, size_t k) {
  if (k >= operands.size() || !operands[k]) throw Error("operand " + std::to_string(k) + " is missing");
  return *operands[k];
}
inline Dims numbers(const Constant& c) {
  Dims all;
  for (int64_t i = 0; i < c.numel(); ++i) all.push_back(c.integer(i));
  return all;
}
inline Dims dims_of(const Shape& s) { return {s.dims().begin(), s.dims().end()}; }
inline Shape shape_of(const Dims& dims) { return Shape(std::span<const int64_t>(dims)); }
/// The only number of an operand. Throws Error where it is not one.
inline int64_t one_number(const Constant& c) {
  if (c.numel() != 1) throw Error("an operand should be one number, not " + c.shape.str());
  return c.integer(0);
}
/// Throws Error where a folded result would be too large.
inline void expect_room(const NodeImport& n, const Shape& s) {
  if (s.numel() > n.element_limit()) throw Error("it would have " + std::to_string(s.numel()) + " elements");
}
/// A shape as what lies before an axis, along it and behind it.
struct Split {
  int64_t outer = 1, size = 1, inner = 1;
  Split(const Shape& s, int axis) : size(s[axis]) {
    for (int i = 0; i < axis; ++i) outer *= s[i];
    for (int i = axis + 1; i < s.rank(); ++i) inner *= s[i];
  }
};

}  // namespace loupe::onnx
