// Quantised graphs, as pairs of QuantizeLinear and DequantizeLinear around float operations: weights become the
// floats that their whole numbers stand for, and values pass as they are, without the rounding between layers.
#include <cmath>

#include "kernels/elementwise/elementwise.h"
#include "models/io/onnx/fold.h"
#include "models/io/onnx/import.h"

namespace loupe {
namespace {

using namespace onnx;
using Operands = std::span<const Constant* const>;

// Scale or zero point of element i: one for all, one for each position along an axis, or for blocks of them.
int64_t place(const Constant& c, const Shape& x, int axis, int64_t block, int64_t i) {
  if (c.numel() == 1) return 0;
  int64_t inner = 1;
  for (int d = axis + 1; d < x.rank(); ++d) inner *= x[d];
  const int64_t at = i / inner % x[axis];
  if (c.shape.rank() <= 1) return at;
  return (i / (inner * x[axis]) * c.shape[axis] + at / block) * inner + i % inner;
}

struct Steps {
  const Constant &x, &scale;
  const Constant* zero;
  int axis;
  int64_t block;

  Steps(const NodeImport& n, Operands operands)
      : x(*operands[0]), scale(*operands[1]), zero(operands.size() > 2 ? operands[2] : nullptr) {
    axis = x.shape.rank() ? axis_of(n.i("axis", 1), std::max(x.shape.rank(), 2)) : 0;
    if (axis >= x.shape.rank()) axis = 0;
    block = n.i("block_size", 0);
    const int64_t along = x.shape.rank() ? x.shape[axis] : 1;
    const Shape blocks = block > 0 ? x.shape.with(axis, (along + block - 1) / block) : Shape{along};
    if (scale.numel() != 1 && scale.shape != blocks)
      throw Error("its scale " + scale.shape.str() + " does not fit " + x.shape.str());
    if (zero && zero->numel() != scale.numel()) throw Error("its zero point does not fit its scale");
  }
  double scale_of(int64_t i) const { return scale.real(place(scale, x.shape, axis, block, i)); }
  double zero_of(int64_t i) const { return zero ? zero->real(place(*zero, x.shape, axis, block, i)) : 0; }
};

Folded fold_dequantize(const NodeImport& n, Operands operands) {
  const Steps s(n, operands);
  std::vector<double> values;
  for (int64_t i = 0; i < s.x.numel(); ++i) values.push_back((s.x.real(i) - s.zero_of(i)) * s.scale_of(i));
  return {make_constant(ElementType::f32, s.x.shape, values)};
}

// The numbers that a type holds.
std::pair<double, double> range_of(ElementType type) {
  if (type == ElementType::i8) return {-128, 127};
  if (type == ElementType::u16) return {0, 65535};
  if (type == ElementType::i16) return {-32768, 32767};
  return {0, 255};
}

// Rounded to even, and kept within the type.
Folded fold_quantize(const NodeImport& n, Operands operands) {
  const Steps s(n, operands);
  const auto otherwise = static_cast<ElementType>(n.i("output_dtype", static_cast<int64_t>(ElementType::u8)));
  const ElementType type = s.zero ? s.zero->type : otherwise;
  const auto [low, high] = range_of(type);
  std::vector<double> values;
  for (int64_t i = 0; i < s.x.numel(); ++i) {
    const auto steps = static_cast<float>(s.x.real(i) / s.scale_of(i));
    const double v = std::nearbyint(steps) + s.zero_of(i);
    values.push_back(std::isnan(v) ? 0 : std::clamp(v, low, high));
  }
  return {make_constant(type, s.x.shape, values)};
}

void say_so(NodeImport& n) {
  n.note("it is quantised: Loupe computes it in floats, without the rounding between its layers");
}

void dequantize(NodeImport& n) {
  if (!n.known(1)) n.unsupported("with a scale that is computed in a run");
  say_so(n);
  n.output(n.value(0));
}

// Where the type's least number stands for zero, what is below is lost: quantisers leave out a ReLU (or, of a
// greatest 6, a ReLU6) before such a node, and it is put back.
void quantize(NodeImport& n) {
  if (!n.known(1) || (n.has(2) && !n.known(2))) n.unsupported("with a scale that is computed in a run");
  say_so(n);
  const auto [low, high] = range_of(n.has(2) ? n.value(2).type : ElementType::u8);
  const double zero = n.has(2) && n.shape(2).numel() ? n.value(2).constant->real(0) : 0;
  if (zero != low || n.shape(1).numel() != 1) return n.output(n.value(0));
  const std::optional<Node> made = n.made_by(n.value(0));
  if (made && made->op->function()) {
    const std::string_view kind = made->op->kind().name;
    if (kind == "relu" || kind == "relu6" || kind == "sigmoid" || kind == "clamp")
      return n.output(n.value(0));
  }
  const bool six = std::abs((high - low) * n.scalar(1, 1) - 6) < 1e-3;
  n.output(n.add(six ? relu6() : relu(), {n.port(0)}));
}

}  // namespace

extern const OnnxGroup quantized_onnx;
const OnnxGroup quantized_onnx{{
    {"QuantizeLinear", quantize, fold_quantize},
    {"DequantizeLinear", dequantize, fold_dequantize},
}};

}  // namespace loupe
