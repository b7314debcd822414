// RotaryEmbedding: pairs of a head's numbers are turned by angles that grow with the position (J. Su et al. 2021):
//   (a, b) → (a·cos − b·sin, a·sin + b·cos).
#include "kernels/concat/concat.h"
#include "kernels/elementwise/binary.h"
#include "kernels/gather/gather.h"
#include "kernels/slice/slice.h"
#include "models/io/onnx/steps.h"

namespace loupe {
namespace {

using namespace onnx;

// The table's rows of the positions, (N, S, R), as (N, 1, S, R).
Value angles(NodeImport& n, size_t k, const std::string& name) {
  Value table = computed(n, k);
  if (table.shape.rank() < 2) throw Error("its tables have no rows");
  if (n.has(3)) {
    const Dims rows = n.integers(3);
    for (const int64_t row : rows)
      if (row < 0 || row >= table.shape[0]) throw Error("there is no position " + std::to_string(row));
    table = n.add(name + ".rows", gather(0),
                  {table.port, n.constant_rows(name + ".positions", rows, n.shape(3))});
  }
  const auto beside = [](const Shape& s) { return Dims{s[0], 1, s[1], s[2]}; };
  if (table.shape.rank() != 3) throw Error("its tables do not fit its positions");
  return n.reshape(name, table, beside(table.shape), beside(table.shape2));
}

void rotary(NodeImport& n) {
  const int rank = n.shape(0).rank();
  if (rank != 3 && rank != 4) throw Error("it takes tokens of 3 or 4 dimensions");
  Value x = computed(n, 0);
  if (rank == 3) {
    const int64_t heads = n.i("num_heads", 0);
    if (heads < 1 || x.shape[2] % heads) throw Error("num_heads does not fit " + x.shape.str());
    const auto split = [&](const Shape& s) { return Dims{s[0], s[1], heads, s[2] / heads}; };
    x = n.transpose("heads", n.reshape("split", x, split(x.shape), split(x.shape2)), {0, 2, 1, 3});
  }
  const int64_t size = x.shape[3], asked = n.i("rotary_embedding_dim", 0), turned = asked ? asked : size;
  if (turned < 2 || turned % 2 || turned > size)
    throw Error("it cannot turn " + std::to_string(turned) + " numbers");
  const bool pairs = n.i("interleaved", 0) != 0;
  const auto part = [&](const char* name, int64_t begin, int64_t end, int64_t step) {
    return n.add(name, slice({.axis = 3, .begin = begin, .end = end, .step = step}), {x.port}).port;
  };
  const Port a = pairs ? part("a", 0, turned, 2) : part("a", 0, turned / 2, 1);
  const Port b = pairs ? part("b", 1, turned, 2) : part("b", turned / 2, turned, 1);
  const Port cos = angles(n, 1, "cos").port, sin = angles(n, 2, "sin").port;
  const auto times = [&](const char* name, Port p, Port q) { return n.add(name, mul(), {p, q}).port; };
  Value first = n.add("first", sub(), {times("a_cos", a, cos), times("b_sin", b, sin)});
  Value second = n.add("second", add(), {times("a_sin", a, sin), times("b_cos", b, cos)});
  if (pairs) {  // beside each other again
    const auto column = [](const Shape& s) { return Dims{s[0], s[1], s[2], s[3], 1}; };
    const auto row = [](const Shape& s) { return Dims{s[0], s[1], s[2], s[3] * 2}; };
    first = n.reshape("first_column", first, column(first.shape), column(first.shape2));
    second = n.reshape("second_column", second, column(second.shape), column(second.shape2));
    const Value both = n.add("pairs", concat(4), {first.port, second.port});
    first = n.reshape("turned_pairs", both, row(both.shape), row(both.shape2));
  } else {
    first = n.add("turned", concat(3), {first.port, second.port});
  }
  if (turned < size) first = n.add("whole", concat(3), {first.port, part("rest", turned, size, 1)});
  if (rank == 4) return n.output(first);
  const Value rows = n.transpose("rows", first, {0, 2, 1, 3});
  const auto flat = [](const Shape& s) { return Dims{s[0], s[1], s[2] * s[3]}; };
  n.output(n.reshape("", rows, flat(rows.shape), flat(rows.shape2)));
}

}  // namespace

extern const OnnxGroup rotary_onnx;
const OnnxGroup rotary_onnx{{
    {"RotaryEmbedding", rotary},
}};

}  // namespace loupe
