// Scattering into constants, as exporters build masks.
#include "models/io/onnx/fold.h"
#include "models/io/onnx/import.h"

namespace loupe {
namespace {

using namespace onnx;

// Row k of `indices`, its last axis, names where in `data` slice k of `updates` goes.
Folded scatter_nd(const NodeImport& n, std::span<const Constant* const> operands) {
  if (operands.size() != 3 || !operands[0] || !operands[1] || !operands[2])
    throw Error("it takes three operands");
  if (n.s("reduction", "none") != "none") n.unsupported("reduction " + n.s("reduction", ""));
  const Constant &data = *operands[0], &indices = *operands[1], &updates = *operands[2];
  const int depth = indices.shape.rank() ? static_cast<int>(indices.shape.back()) : 0;
  if (depth < 1 || depth > data.shape.rank())
    throw Error("its indices " + indices.shape.str() + " do not fit " + data.shape.str());
  const std::vector<int64_t> steps = strides(data.shape);
  int64_t slice = 1;
  for (int i = depth; i < data.shape.rank(); ++i) slice *= data.shape[i];
  const int64_t count = indices.numel() / depth;
  if (updates.numel() != count * slice || updates.is_real() != data.is_real())
    throw Error("its updates " + updates.shape.str() + " do not fit");
  std::vector<int64_t> from(static_cast<size_t>(data.numel()), -1);  // which update; none
  for (int64_t k = 0; k < count; ++k) {
    int64_t at = 0;
    for (int i = 0; i < depth; ++i) {
      int64_t index = indices.integer(k * depth + i);
      if (index < -data.shape[i] || index >= data.shape[i])
        throw Error("there is no place " + std::to_string(index) + " in " + data.shape.str());
      at += (index < 0 ? index + data.shape[i] : index) * steps[static_cast<size_t>(i)];
    }
    for (int64_t i = 0; i < slice; ++i) from[static_cast<size_t>(at + i)] = k * slice + i;
  }
  Constant y{.type = data.type, .shape = data.shape};
  std::vector<double> reals;
  for (int64_t i = 0; i < data.numel(); ++i) {
    const int64_t update = from[static_cast<size_t>(i)];
    const Constant& source = update < 0 ? data : updates;
    const int64_t at = update < 0 ? i : update;
    if (data.is_real())
      reals.push_back(source.real(at));
    else
      y.integers.push_back(source.integer(at));
  }
  if (data.is_real()) return {make_constant(data.type, data.shape, reals)};
  return {y};
}

}  // namespace

extern const OnnxGroup scatter_onnx;
const OnnxGroup scatter_onnx{{
    {"ScatterND", nullptr, scatter_nd},
}};

}  // namespace loupe
