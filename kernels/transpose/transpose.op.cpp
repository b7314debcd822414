#include "kernels/transpose/transpose.h"

#include <algorithm>

#include "kernels/common/strided_copy.h"

namespace loupe {

extern const OpKind transpose_kind;

namespace {

std::string list(const std::vector<int>& axes) {
  std::string s;
  for (int a : axes) s += (s.empty() ? "" : ", ") + std::to_string(a);
  return s;
}

class TransposeOp final : public MoveOp {
 public:
  explicit TransposeOp(std::vector<int> permutation) : permutation_(std::move(permutation)) {
    std::vector<int> sorted = permutation_;
    std::sort(sorted.begin(), sorted.end());
    bool fine = !sorted.empty() && sorted.size() <= Shape::kMaxRank;
    for (size_t d = 0; d < sorted.size(); ++d) fine = fine && sorted[d] == static_cast<int>(d);
    if (!fine)
      throw UsageError("transpose takes each axis from 0 on once (at most 6), got " + list(permutation_));
  }
  const OpKind& kind() const override { return transpose_kind; }
  std::string describe() const override { return list(permutation_); }
  Shape shape(Shapes inputs) const override {
    expect_inputs("transpose", inputs, 1);
    expect_not_empty("transpose", inputs[0]);
    const auto rank = static_cast<int>(permutation_.size());
    if (inputs[0].rank() != rank)
      throw UsageError("transpose " + list(permutation_) + " takes " + std::to_string(rank) +
                       " dimensions, got " + inputs[0].str());
    int64_t dims[Shape::kMaxRank];
    for (int d = 0; d < rank; ++d) dims[d] = inputs[0][permutation_[static_cast<size_t>(d)]];
    return Shape(std::span<const int64_t>(dims, permutation_.size()));
  }
  std::optional<Window> window() const override {
    return std::nullopt;
  }  // axes may no longer be those of maps

  // From x to y, in y's order.
  StridedCopy copy(const Shape& x) const {
    const StridedCopy whole = StridedCopy::whole(x);
    StridedCopy c = StridedCopy::whole(shape({&x, 1}));
    for (int d = 0; d < c.rank; ++d) c.from[d] = whole.from[permutation_[static_cast<size_t>(d)]];
    return c;
  }

 private:
  std::vector<int> permutation_;
};

template <Backend backend>
void forward(const Op& op, const Arguments& a) {
  const StridedCopy copy = static_cast<const TransposeOp&>(op).copy(a.inputs[0].shape);
  strided_copy(backend, a.queue, copy, a.inputs[0], a.output);
}

template <Backend backend>
void vjp(const Op& op, const Arguments& a) {
  const StridedCopy copy = static_cast<const TransposeOp&>(op).copy(a.inputs[0].shape);
  strided_copy(backend, a.queue, copy.inverse(), a.grad_output, a.grad);
}

}  // namespace

extern const OpKind transpose_kind{
    "transpose",
    "the dimensions in another order",
    {{Direction::forward, forward<Backend::ref>, forward<Backend::cpu>, forward<Backend::cuda>},
     {Direction::vjp_input, vjp<Backend::ref>, vjp<Backend::cpu>, vjp<Backend::cuda>}}};

OpPtr transpose(std::vector<int> permutation) {
  return std::make_shared<TransposeOp>(std::move(permutation));
}

}  // namespace loupe
