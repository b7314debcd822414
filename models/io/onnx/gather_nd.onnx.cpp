// GatherND: rows named by several indices each.
#include "kernels/gather/gather.h"
#include "models/io/onnx/fold.h"
#include "models/io/onnx/import.h"

namespace loupe {
namespace {

using namespace onnx;
using Dims = std::vector<int64_t>;

// Row k of the indices, its last axis, as the number of a row of x whose first `depth` axes are one.
struct Rows {
  int depth;
  Dims numbers, shape;  // one for each row of the indices; their shape

  Rows(const Shape& x, const Constant& indices) : depth(0) {
    if (indices.shape.rank() == 0 || indices.is_real())
      throw Error("its indices are no rows of whole numbers");
    depth = static_cast<int>(std::min<int64_t>(indices.shape.back(), Shape::kMaxRank + 1));
    if (depth < 1 || depth > x.rank())
      throw Error("its indices " + indices.shape.str() + " do not fit " + x.str());
    const std::span<const int64_t> dims = indices.shape.dims();
    shape.assign(dims.begin(), dims.end() - 1);
    for (int64_t k = 0; k < indices.numel() / depth; ++k) {
      int64_t row = 0;
      for (int i = 0; i < depth; ++i) {
        const int64_t at = indices.integer(k * depth + i);
        if (at < -x[i] || at >= x[i]) throw Error("there is no row " + std::to_string(at) + " of " + x.str());
        row = row * x[i] + (at < 0 ? at + x[i] : at);
      }
      numbers.push_back(row);
    }
  }
  // x's shape with the first axes as one; and that of the result.
  Dims flat(const Shape& x) const {
    Dims dims{1};
    for (int i = 0; i < depth; ++i) dims[0] *= x[i];
    for (int i = depth; i < x.rank(); ++i) dims.push_back(x[i]);
    return dims;
  }
  Dims result(const Shape& x) const {
    Dims dims = shape;
    for (int i = depth; i < x.rank(); ++i) dims.push_back(x[i]);
    return dims;
  }
};

void gather_nd(NodeImport& n) {
  const Value x = n.value(0);
  if (n.i("batch_dims", 0)) n.unsupported("with axes of a batch");
  if (!n.known(1)) n.unsupported("by indices that are computed in a run");
  if (x.shape != x.shape2) n.unsupported("along the batch");
  const Rows rows(x.shape, *n.value(1).constant);
  if (rows.numbers.empty()) n.unsupported("of no rows");
  Value flat = n.reshape("flat", x, rows.flat(x.shape));
  const Port at = n.constant_rows("rows", rows.numbers, {std::ssize(rows.numbers)});
  Value y = n.add("picked", gather(0), {flat.port, at});
  y.type = x.type;
  n.output(n.reshape("", y, rows.result(x.shape)));
}

Folded fold_gather_nd(const NodeImport& n, std::span<const Constant* const> operands) {
  if (n.i("batch_dims", 0)) n.unsupported("with axes of a batch");
  if (operands.size() < 2 || !operands[0] || !operands[1]) throw Error("it takes two operands");
  const Constant& x = *operands[0];
  const Rows rows(x.shape, *operands[1]);
  const Dims dims = rows.result(x.shape);
  const Shape shape{std::span<const int64_t>(dims)};
  if (shape.numel() > n.element_limit())
    throw Error("it would have " + std::to_string(shape.numel()) + " elements");
  const int64_t run = rows.numbers.empty() ? 1 : shape.numel() / std::ssize(rows.numbers);
  return {
      pick(x, shape, [&](int64_t i) { return rows.numbers[static_cast<size_t>(i / run)] * run + i % run; })};
}

}  // namespace

extern const OnnxGroup gather_nd_onnx;
const OnnxGroup gather_nd_onnx{{
    {"GatherND", gather_nd, fold_gather_nd},
}};

}  // namespace loupe
