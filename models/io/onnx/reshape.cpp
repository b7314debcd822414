// A Reshape by numbers, as one of the engine's that serves every batch.
#include <algorithm>

#include "kernels/common/error.h"
#include "kernels/flatten/flatten.h"
#include "kernels/reshape/reshape.h"
#include "models/io/onnx/importer.h"

namespace loupe::onnx {

namespace {

using Dims = std::vector<int64_t>;

// The axis along which a value grows with the batch; −1: none.
int batch_axis(const Shape& one, const Shape& two) {
  for (int i = 0; i < one.rank(); ++i)
    if (one[i] != two[i]) return i;
  return -1;
}

// Where the batch of x goes in `dims`, which were written down for a batch of one and do not say. The elements
// keep their order, so as many must lie outside it as before; sizes of 1 leave a choice, which is made as
// exporters mean it.
int place_of_batch(const Shape& x, int axis, const Dims& dims) {
  int64_t outside = 1;
  for (int i = 0; i < axis; ++i) outside *= x[i];
  if (dims.size() == 2 && outside > 1 && dims[0] == outside) return 0;  // (L, N, E) → (L·N, E)
  Dims without(x.dims().begin(), x.dims().end());
  without.erase(without.begin() + axis);
  if (x[axis] == 1 && without == dims) return std::max(axis - 1, 0);
  if (dims.size() == static_cast<size_t>(x.rank()) + 1 && axis + 1 < std::ssize(dims)) {
    Dims inserted(x.dims().begin(), x.dims().end());
    inserted.insert(inserted.begin() + axis + 1, 1);
    if (inserted == dims && axis == 0 && x[0] > 1) return 1;  // (L·N, E) → (L, N, E)
  }
  int found = -1;
  int64_t before = 1;
  for (size_t j = 0; j < dims.size(); before *= dims[j++]) {
    if (before != outside) continue;
    if (dims[j] == x[axis]) return static_cast<int>(j);
    if (found < 0) found = static_cast<int>(j);
  }
  return found;
}

}  // namespace

Value NodeImport::reshape(const std::string& suffix, const Value& x, const Dims& dims,
                          const std::optional<Dims>& dims2) {
  const Shape target{std::span<const int64_t>(dims)};
  if (target.numel() != x.shape.numel())
    throw Error("a reshape to " + target.str() + " does not fit the " + std::to_string(x.shape.numel()) +
                " elements of " + x.shape.str());
  if (dims.empty()) {  // the engine's least is a vector of one
    Value y = x.shape == Shape{1} ? x : add(suffix, loupe::reshape({1}), {x.port});
    y.type = x.type;
    y.shape = y.shape2 = {};
    return y;
  }
  const int axis = batch_axis(x.shape, x.shape2);
  int place = -1;
  if (axis >= 0 && dims2 && dims2->size() == dims.size()) {
    for (size_t j = 0; j < dims.size() && place < 0; ++j)
      if (dims[j] != (*dims2)[j]) place = static_cast<int>(j);
  }
  if (axis >= 0 && place < 0) place = place_of_batch(x.shape, axis, dims);
  if (axis >= 0 && place < 0) importer_.any_batch_ = false;
  const bool leads = place == 0 && axis == 0 && dims[0] == x.shape[0];
  if (target == x.shape && (axis < 0 || leads)) return x;
  Value y;
  if (leads && dims.size() == 2) {
    y = add(suffix, flatten(), {x.port});
  } else {
    Dims sizes = dims;
    if (leads) {
      // Sizes that stay at the end are whatever they are: then the network takes other heights and widths.
      sizes[0] = 0;
      size_t same = 0;
      while (same + 2 < dims.size() && same + 1 < static_cast<size_t>(x.shape.rank()) &&
             dims[dims.size() - 1 - same] == x.shape[x.shape.rank() - 1 - static_cast<int>(same)])
        ++same;
      for (size_t i = 0; i < same; ++i) sizes[dims.size() - 1 - i] = 0;
      if (same) sizes[dims.size() - 1 - same] = -1;
    } else if (place >= 0) {
      sizes[static_cast<size_t>(place)] = -1;
    }
    y = add(suffix, loupe::reshape(sizes), {x.port});
  }
  y.type = x.type;
  return y;
}

}  // namespace loupe::onnx
