// Elements by their places, and pixels in place of channels.
#include "kernels/elementwise/binary.h"
#include "kernels/gather/gather.h"
#include "models/io/onnx/steps.h"

namespace loupe {
namespace {

using namespace onnx;

// The place in x of element i of an array of indices, which names its position along `axis`.
int64_t place(const Shape& x, const Constant& indices, int axis, int64_t i) {
  const std::vector<int64_t> steps = strides(x);
  int64_t row = indices.integer(i), at = 0;
  if (row < -x[axis] || row >= x[axis])
    throw Error("there is no row " + std::to_string(row) + " of " + x.str());
  if (row < 0) row += x[axis];
  for (int d = x.rank() - 1; d >= 0; i /= indices.shape[d--])
    at += (d == axis ? row : i % indices.shape[d]) * steps[static_cast<size_t>(d)];
  return at;
}
void expect_fit(const Shape& x, const Shape& indices, int axis) {
  bool fits = x.rank() == indices.rank();
  for (int d = 0; fits && d < x.rank(); ++d) fits = d == axis || indices[d] <= x[d];
  if (!fits) throw Error("its indices " + indices.str() + " do not fit " + x.str());
}

Folded fold_gather_elements(const NodeImport& n, Operands operands) {
  const Constant &x = operand(operands, 0), &indices = operand(operands, 1);
  const int axis = axis_of(n.i("axis", 0), x.shape.rank());
  expect_fit(x.shape, indices.shape, axis);
  return {pick(x, indices.shape, [&](int64_t i) { return place(x.shape, indices, axis, i); })};
}
// Rows of the flat array.
void gather_elements(NodeImport& n) {
  if (!n.known(1)) n.unsupported("of places that are computed in a run");
  const Value x = computed(n, 0);
  const Constant& indices = *n.value(1).constant;
  const int axis = axis_of(n.i("axis", 0), x.shape.rank());
  expect_fit(x.shape, indices.shape, axis);
  Dims rows;
  for (int64_t i = 0; i < indices.numel(); ++i) rows.push_back(place(x.shape, indices, axis, i));
  const Value flat = n.reshape("flat", x, {x.shape.numel()}, Dims{x.shape2.numel()});
  n.output(typed(n.add(gather(0), {flat.port, n.constant_rows("rows", rows, indices.shape)}), x.type));
}

// Elements of `updates` put in, added, multiplied or compared.
Folded scatter_elements(const NodeImport& n, Operands operands) {
  const Constant &x = operand(operands, 0), &indices = operand(operands, 1), &updates = operand(operands, 2);
  const int axis = axis_of(n.i("axis", 0), x.shape.rank());
  expect_fit(x.shape, indices.shape, axis);
  if (updates.shape != indices.shape) throw Error("its updates do not fit its indices");
  const std::string how = n.s("reduction", "none");
  std::vector<double> y;
  for (int64_t i = 0; i < x.numel(); ++i) y.push_back(x.real(i));
  for (int64_t i = 0; i < indices.numel(); ++i) {
    double& to = y[static_cast<size_t>(place(x.shape, indices, axis, i))];
    const double v = updates.real(i);
    to = how == "add"   ? to + v
         : how == "mul" ? to * v
         : how == "max" ? std::max(to, v)
         : how == "min" ? std::min(to, v)
                        : v;
  }
  return {make_constant(x.type, x.shape, y)};
}

// ---- DepthToSpace, SpaceToDepth: a channel is a block of pixels' row, column and what remains, in some order

struct Blocks {
  Dims split;              // (N, …) as six dimensions
  std::vector<int> order;  // and their order in the result
  Dims result;
};
Blocks blocks_of(const NodeImport& n, const Shape& x) {
  if (x.rank() != 4) throw Error("it takes maps (N, C, H, W)");
  const int64_t b = n.i("blocksize", 1);
  if (b < 1 || b > (1 << 20)) throw Error("its blocks cannot be of " + std::to_string(b));
  if (n.proto().op_type == "SpaceToDepth") {
    if (x[2] % b || x[3] % b) throw Error("its blocks do not fit " + x.str());
    const Dims split{x[0], x[1], x[2] / b, b, x[3] / b, b}, result{x[0], x[1] * b * b, x[2] / b, x[3] / b};
    if (n.s("mode", "DCR") == "CRD") return {split, {0, 1, 3, 5, 2, 4}, result};
    return {split, {0, 3, 5, 1, 2, 4}, result};
  }
  if (x[1] % (b * b)) throw Error("its blocks do not fit " + x.str());
  const int64_t c = x[1] / (b * b);
  const Dims result{x[0], c, x[2] * b, x[3] * b};
  if (n.s("mode", "DCR") == "CRD") return {{x[0], c, b, b, x[2], x[3]}, {0, 1, 4, 2, 5, 3}, result};
  return {{x[0], b, b, c, x[2], x[3]}, {0, 3, 4, 1, 5, 2}, result};
}
void rearrange(NodeImport& n) {
  const Value x = computed(n, 0);
  const Blocks one = blocks_of(n, x.shape), two = blocks_of(n, x.shape2);
  const Value parts = n.transpose("order", n.reshape("blocks", x, one.split, two.split), one.order);
  n.output(typed(n.reshape("", parts, one.result, two.result), x.type));
}

// ---- Mean of any number of operands

void mean(NodeImport& n) {
  Value y = computed(n, 0);
  for (size_t k = 1; k < n.inputs(); ++k) y = n.add("sum" + std::to_string(k), add(), {y.port, n.port(k)});
  n.output(n.add(mul(), {y.port, number(n, "share", 1.0 / static_cast<double>(n.inputs()))}));
}

}  // namespace

extern const OnnxGroup elements_onnx;
const OnnxGroup elements_onnx{{
    {"GatherElements", gather_elements, fold_gather_elements},
    {"ScatterElements", nullptr, scatter_elements},
    {"Scatter", nullptr, scatter_elements},
    {"DepthToSpace", rearrange},
    {"SpaceToDepth", rearrange},
    {"Mean", mean},
}};

}  // namespace loupe
