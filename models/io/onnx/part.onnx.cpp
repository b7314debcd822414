// Parts of tensors: joined, cut, chosen, padded.
#include <limits>

#include "kernels/concat/concat.h"
#include "kernels/gather/gather.h"
#include "kernels/pad/pad.h"
#include "kernels/slice/slice.h"
#include "models/io/onnx/fold.h"
#include "models/io/onnx/import.h"

namespace loupe {
namespace {

using namespace onnx;
using Operands = std::span<const Constant* const>;
using Dims = std::vector<int64_t>;

Dims numbers(const Constant& c) {
  Dims all;
  for (int64_t i = 0; i < c.numel(); ++i) all.push_back(c.integer(i));
  return all;
}
const Constant& operand(Operands operands, size_t k) {
  if (k >= operands.size() || !operands[k]) throw Error("operand " + std::to_string(k) + " is missing");
  return *operands[k];
}
Value typed(Value v, ElementType type) {
  v.type = type;
  return v;
}

// ---- Concat

void concat_node(NodeImport& n) {
  const ElementType type = n.value(0).type;
  std::vector<Port> ports;
  for (size_t k = 0; k < n.inputs(); ++k) ports.push_back(n.part_of_batch(k));
  n.output(typed(n.add(concat(axis_of(n.i("axis", 1), n.shape(0).rank())), ports), type));
}
Folded fold_concat(const NodeImport& n, Operands operands) {
  const Constant& first = operand(operands, 0);
  const int axis = axis_of(n.i("axis", 0), first.shape.rank());
  int64_t outer = 1, length = 0, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= first.shape[i];
  for (int i = axis + 1; i < first.shape.rank(); ++i) inner *= first.shape[i];
  for (size_t k = 0; k < operands.size(); ++k) {
    const Constant& x = operand(operands, k);
    if (x.shape.rank() != first.shape.rank() || x.shape.with(axis, 1) != first.shape.with(axis, 1) ||
        x.is_real() != first.is_real())
      throw Error(x.shape.str() + " does not fit behind " + first.shape.str());
    length += x.shape[axis];
  }
  Constant y{.type = first.type, .shape = first.shape.with(axis, length)};
  std::vector<double> reals;
  for (int64_t o = 0; o < outer; ++o)
    for (size_t k = 0; k < operands.size(); ++k) {
      const Constant& x = *operands[k];
      const int64_t run = x.shape[axis] * inner;
      for (int64_t i = o * run; i < (o + 1) * run; ++i) {
        if (y.is_real())
          reals.push_back(x.real(i));
        else
          y.integers.push_back(x.integer(i));
      }
    }
  if (y.is_real()) return {make_constant(y.type, y.shape, reals)};
  return {y};
}

// ---- Slice

struct Cut {
  int axis;
  int64_t begin, count, step;  // positions begin, begin + step …, `count` of them
};

Cut cut(const Shape& x, int axis, int64_t begin, int64_t end, int64_t step) {
  if (step == 0) throw Error("its step is 0");
  if (step == std::numeric_limits<int64_t>::min()) throw Error("its step is too long");
  const int64_t size = x[axis];
  const auto place = [&](int64_t at) { return at < 0 ? at + size : at; };
  if (step > 0) {
    begin = std::clamp<int64_t>(place(begin), 0, size);
    end = std::clamp<int64_t>(place(end), 0, size);
    return {axis, begin, begin < end ? (end - begin - 1) / step + 1 : 0, step};
  }
  begin = std::clamp<int64_t>(place(begin), -1, size - 1);
  end = std::clamp<int64_t>(place(end), -1, size - 1);
  return {axis, begin, begin > end ? (begin - end - 1) / -step + 1 : 0, step};
}

// starts, ends, axes and steps: operands since opset 10, attributes before.
std::vector<Cut> cuts(const Shape& x, const Dims& starts, const Dims& ends, Dims axes, Dims steps) {
  if (axes.empty())
    for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (starts.size() != ends.size() || starts.size() != axes.size() || starts.size() != steps.size())
    throw Error("starts, ends, axes and steps are not as many");
  std::vector<Cut> all;
  for (size_t i = 0; i < starts.size(); ++i)
    all.push_back(cut(x, axis_of(axes[i], x.rank()), starts[i], ends[i], steps[i]));
  return all;
}

void slice_node(NodeImport& n) {
  const Value x = n.value(0);
  const Dims starts = n.integers(1, "starts"), ends = n.integers(2, "ends"), axes = n.integers(3, "axes"),
             steps = n.integers(4, "steps");
  std::vector<Cut> all = cuts(x.shape, starts, ends, axes, steps);
  std::erase_if(all, [&](const Cut& c) { return c.begin == 0 && c.step == 1 && c.count == x.shape[c.axis]; });
  Value y = x;
  y.port = n.port(0);
  y.constant = nullptr;
  for (size_t i = 0; i < all.size(); ++i) {
    const Cut& c = all[i];
    const std::string suffix = i + 1 == all.size() ? "" : "axis_" + std::to_string(c.axis);
    if (c.count == 0) n.unsupported("that leaves nothing");
    if (c.step < 0) {
      y = n.add(suffix, gather(c.axis),
                {y.port, n.row_numbers("rows" + std::to_string(i), c.begin, c.count, c.step)});
      continue;
    }
    y = n.add(
        suffix,
        slice(
            {.axis = c.axis, .begin = c.begin, .end = c.begin + (c.count - 1) * c.step + 1, .step = c.step}),
        {y.port});
  }
  n.output(typed(y, x.type));
}
Folded fold_slice(const NodeImport& n, Operands operands) {
  const Constant& x = operand(operands, 0);
  const auto given = [&](size_t k, const char* name) {
    return operands.size() > k && operands[k] ? numbers(*operands[k]) : n.ints(name);
  };
  Constant y = x;
  for (const Cut& c :
       cuts(x.shape, given(1, "starts"), given(2, "ends"), given(3, "axes"), given(4, "steps"))) {
    const Shape from = y.shape, to = from.with(c.axis, c.count);
    int64_t inner = 1;
    for (int i = c.axis + 1; i < from.rank(); ++i) inner *= from[i];
    y = pick(y, to, [&](int64_t i) {
      const int64_t outer = i / (inner * c.count), at = i / inner % c.count;
      return (outer * from[c.axis] + c.begin + at * c.step) * inner + i % inner;
    });
  }
  return {y};
}

// ---- Split

// Sizes of the parts; the last one is smaller where they do not come out even.
Dims parts(int64_t size, const Dims& given, size_t count) {
  if (!given.empty()) return given;
  if (count == 0) throw Error("it says not how many parts");
  const int64_t each = (size + static_cast<int64_t>(count) - 1) / static_cast<int64_t>(count);
  Dims all;
  for (size_t k = 0; k < count; ++k)
    all.push_back(std::min(each, size - std::min(size, each * static_cast<int64_t>(k))));
  return all;
}

void split_node(NodeImport& n) {
  const Value x = n.value(0);
  const int axis = axis_of(n.i("axis", 0), x.shape.rank());
  const Dims sizes = parts(x.shape[axis], n.integers(1, "split"), n.proto().outputs.size());
  if (sizes.size() < n.proto().outputs.size()) throw Error("it has more outputs than parts");
  int64_t begin = 0;
  for (size_t k = 0; k < n.proto().outputs.size(); begin += sizes[k++]) {
    if (sizes[k] <= 0 || begin + sizes[k] > x.shape[axis])
      throw Error("its parts do not fit " + x.shape.str());
    if (!n.wants_output(k)) continue;
    n.output(k, typed(n.add(std::to_string(k), slice({.axis = axis, .begin = begin, .end = begin + sizes[k]}),
                            {n.port(0)}),
                      x.type));
  }
}
Folded fold_split(const NodeImport& n, Operands operands) {
  const Constant& x = operand(operands, 0);
  const int axis = axis_of(n.i("axis", 0), x.shape.rank());
  const Dims given = operands.size() > 1 && operands[1] ? numbers(*operands[1]) : n.ints("split");
  int64_t begin = 0, inner = 1;
  for (int i = axis + 1; i < x.shape.rank(); ++i) inner *= x.shape[i];
  Folded all;
  for (const int64_t size : parts(x.shape[axis], given, n.proto().outputs.size())) {
    if (size < 0 || size > x.shape[axis] - begin) throw Error("its parts do not fit " + x.shape.str());
    all.push_back(pick(x, x.shape.with(axis, size), [&](int64_t i) {
      return (i / (inner * size) * x.shape[axis] + begin + i / inner % size) * inner + i % inner;
    }));
    begin += size;
  }
  return all;
}

// ---- Gather

void gather_node(NodeImport& n) {
  const Value x = n.value(0);
  const int axis = axis_of(n.i("axis", 0), x.shape.rank());
  Value y = x;
  if (!n.known(1)) {
    y = n.add(gather(axis), {n.port(0), n.indices(1)});
    return n.output(typed(y, x.type));
  }
  Dims rows = n.integers(1);
  for (int64_t& row : rows) {
    if (row < -x.shape[axis] || row >= x.shape[axis])
      throw Error("there is no row " + std::to_string(row) + " of " + x.shape.str());
    if (row < 0) row += x.shape[axis];
  }
  if (rows.empty()) n.unsupported("of no rows");
  if (n.shape(1).rank() > 0) {
    const Port at = n.constant_rows("rows", rows, n.shape(1));
    return n.output(typed(n.add(gather(axis), {n.port(0), at}), x.type));
  }
  // One row, whose axis goes.
  y = n.add("row", slice({.axis = axis, .begin = rows[0], .end = rows[0] + 1}), {n.port(0)});
  y.type = x.type;
  const auto without = [&](const Shape& s) {
    Dims dims(s.dims().begin(), s.dims().end());
    dims.erase(dims.begin() + axis);
    return dims;
  };
  n.output(n.reshape("", y, without(y.shape), without(y.shape2)));
}
Folded fold_gather(const NodeImport& n, Operands operands) {
  const Constant &x = operand(operands, 0), &at = operand(operands, 1);
  const int axis = axis_of(n.i("axis", 0), x.shape.rank());
  Dims dims(x.shape.dims().begin(), x.shape.dims().begin() + axis);
  dims.insert(dims.end(), at.shape.dims().begin(), at.shape.dims().end());
  dims.insert(dims.end(), x.shape.dims().begin() + axis + 1, x.shape.dims().end());
  int64_t inner = 1;
  for (int i = axis + 1; i < x.shape.rank(); ++i) inner *= x.shape[i];
  const int64_t picks = at.numel(), size = x.shape[axis];
  const Shape shape{std::span<const int64_t>(dims)};
  if (shape.numel() > n.element_limit())
    throw Error("it would have " + std::to_string(shape.numel()) + " elements");
  return {pick(x, shape, [&](int64_t i) {
    int64_t row = at.integer(i / inner % picks);
    if (row < -size || row >= size)
      throw Error("there is no row " + std::to_string(row) + " of " + x.shape.str());
    if (row < 0) row += size;
    return (i / (inner * picks) * size + row) * inner + i % inner;
  })};
}

// ---- Pad

void pad_node(NodeImport& n) {
  const Value x = n.value(0);
  const int rank = x.shape.rank();
  const Dims pads = n.integers(1, "pads");
  Dims axes = n.has(3) ? n.integers(3) : Dims{};
  if (!n.has(3))
    for (int i = 0; i < rank; ++i) axes.push_back(i);
  if (pads.size() != 2 * axes.size()) throw Error("its pads are not two an axis");
  const std::string mode = n.s("mode", "constant");
  Pad op{.sides = {},
         .mode = mode == "reflect" ? Pad::Mode::reflect
                 : mode == "edge"  ? Pad::Mode::replicate
                                   : Pad::Mode::constant};
  if (mode != "constant" && mode != "reflect" && mode != "edge") n.unsupported("mode " + mode);
  op.value = n.opset < 11 ? n.f("value", 0) : n.scalar(2, 0);
  Value y = x;
  y.port = n.port(0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int axis = axis_of(axes[i], rank);
    const int64_t before = pads[i], after = pads[i + axes.size()];
    if (std::min(before, after) < 0)  // takes positions away
      y = n.add("cut" + std::to_string(axis),
                slice({.axis = axis,
                       .begin = std::max<int64_t>(0, -before),
                       .end = x.shape[axis] - std::max<int64_t>(0, -after)}),
                {y.port});
    if (std::max(before, after) > 0)
      op.sides.push_back({axis, std::max<int64_t>(before, 0), std::max<int64_t>(after, 0)});
  }
  if (op.sides.empty()) return n.output(y);
  n.output(typed(n.add(pad(op), {y.port}), x.type));
}

}  // namespace

extern const OnnxGroup part_onnx;
const OnnxGroup part_onnx{{
    {"Concat", concat_node, fold_concat},
    {"Slice", slice_node, fold_slice},
    {"Split", split_node, fold_split},
    {"Gather", gather_node, fold_gather},
    {"Pad", pad_node},
}};

}  // namespace loupe
