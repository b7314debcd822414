// Sequences of tensors, as exporters write a split whose parts are taken by number. They are gone when the
// graph is there.
#include "kernels/concat/concat.h"
#include "kernels/slice/slice.h"
#include "models/io/onnx/fold.h"
#include "models/io/onnx/import.h"

namespace loupe {
namespace {

using namespace onnx;

const std::vector<Value>& elements(const NodeImport& n, size_t k) {
  const Value& v = n.value(k);
  if (!v.sequence) throw Error("operand " + std::to_string(k) + " is no sequence");
  return *v.sequence;
}

void output_sequence(NodeImport& n, std::vector<Value> all) {
  Value y;
  y.sequence = std::make_shared<std::vector<Value>>(std::move(all));
  n.output(std::move(y));
}

// By one size for all parts, by a list of them, or in parts of one whose axis may go.
void split_to_sequence(NodeImport& n) {
  const Value x = n.value(0);
  const int axis = axis_of(n.i("axis", 0), x.shape.rank());
  const int64_t size = x.shape[axis];
  std::vector<int64_t> sizes = n.has(1) ? n.integers(1) : std::vector<int64_t>{1};
  if (!n.has(1) && n.i("keepdims", 1) == 0) n.unsupported("without keepdims");
  if (!n.has(1) || n.shape(1).rank() == 0) {
    const int64_t each = sizes.at(0);
    if (each < 1) throw Error("its parts have no size");
    if (size / each > 10'000) throw Error("it has too many parts");
    sizes.assign(static_cast<size_t>((size + each - 1) / each), each);
    if (!sizes.empty() && size % each) sizes.back() = size % each;
  }
  std::vector<Value> all;
  int64_t begin = 0;
  for (const int64_t part : sizes) {
    if (part < 1 || part > size - begin) throw Error("its parts do not fit " + x.shape.str());
    const Slice cut{.axis = axis, .begin = begin, .end = begin + part};
    all.push_back(n.add(std::to_string(all.size()), slice(cut), {n.port(0)}));
    all.back().type = x.type;
    begin += part;
  }
  output_sequence(n, std::move(all));
}

void construct(NodeImport& n) {
  std::vector<Value> all;
  for (size_t k = 0; k < n.inputs(); ++k) all.push_back(n.value(k));
  output_sequence(n, std::move(all));
}

void at(NodeImport& n) {
  const std::vector<Value>& all = elements(n, 0);
  int64_t index = n.integers(1).at(0);
  if (index < 0) index += std::ssize(all);
  if (index < 0 || index >= std::ssize(all))
    throw Error("the sequence has no element " + std::to_string(index));
  n.output(all[static_cast<size_t>(index)]);
}

void length(NodeImport& n) { n.output(0, make_integers({}, {std::ssize(elements(n, 0))})); }

void join(NodeImport& n) {
  if (n.i("new_axis", 0)) n.unsupported("along a new axis");
  std::vector<Port> ports;
  for (const Value& v : elements(n, 0)) {
    if (v.known()) n.unsupported("of known tensors");
    ports.push_back(v.port);
  }
  n.output(n.add(concat(static_cast<int>(n.i("axis", 0))), ports));
}

}  // namespace

extern const OnnxGroup sequence_onnx;
const OnnxGroup sequence_onnx{{
    {"SplitToSequence", split_to_sequence},
    {"SequenceConstruct", construct},
    {"SequenceAt", at},
    {"SequenceLength", length},
    {"ConcatFromSequence", join},
}};

}  // namespace loupe
