#include "kernels/reshape/reshape.h"

#include <algorithm>

#include "kernels/common/strided_copy.h"

namespace loupe {

extern const OpKind reshape_kind;

namespace {

std::string list(const std::vector<int64_t>& dims) {
  std::string s;
  for (int64_t n : dims) s += (s.empty() ? "" : ", ") + std::to_string(n);
  return "(" + s + ")";
}

class ReshapeOp final : public MoveOp {
 public:
  explicit ReshapeOp(std::vector<int64_t> dims) : dims_(std::move(dims)) {
    if (dims_.empty() || dims_.size() > Shape::kMaxRank)
      throw UsageError("reshape takes 1 to 6 sizes, got " + list(dims_));
    if (std::ranges::count(dims_, -1) > 1 || *std::ranges::min_element(dims_) < -1)
      throw UsageError("reshape takes sizes from 0 on, and −1 at most once, got " + list(dims_));
  }
  const OpKind& kind() const override { return reshape_kind; }
  std::string describe() const override { return list(dims_); }
  Shape shape(Shapes inputs) const override {
    expect_inputs("reshape", inputs, 1);
    const Shape& x = inputs[0];
    expect_not_empty("reshape", x);
    std::vector<int64_t> dims = dims_;
    int64_t known = 1;
    const auto rest = std::ranges::find(dims, -1);
    for (auto d = dims.begin(); d != dims.end(); ++d) {
      if (d == rest) continue;
      if (*d == 0) {
        const auto axis = d > rest ? x.rank() - (dims.end() - d) : d - dims.begin();
        if (axis < 0 || axis >= x.rank()) throw misfit(x);
        *d = x[static_cast<int>(axis)];
      }
      if (x.numel() % *d != 0) throw misfit(x);  // also keeps the product in range
      known *= *d;
      if (known > x.numel()) throw misfit(x);
    }
    if (x.numel() % known != 0) throw misfit(x);
    if (rest != dims.end())
      *rest = x.numel() / known;
    else if (known != x.numel())
      throw misfit(x);
    return Shape(std::span<const int64_t>(dims));
  }
  // Maps that keep their height and width (their channels are grouped) are seen as they were.
  std::optional<Window> window() const override {
    const size_t n = dims_.size();
    const bool maps = n >= 3 && std::ranges::count(dims_, -1) && dims_[n - 1] == 0 && dims_[n - 2] == 0;
    return maps ? std::optional<Window>(Window{}) : std::nullopt;
  }
  bool is_view(Layout layout, Shapes) const override { return layout == Layout::planar; }

 private:
  UsageError misfit(const Shape& x) const {
    return UsageError("reshape to " + list(dims_) + " does not fit the " + std::to_string(x.numel()) +
                      " elements of " + x.str());
  }
  std::vector<int64_t> dims_;
};

template <Backend backend>
void forward(const Op&, const Arguments& a) {
  strided_copy(backend, a.queue, StridedCopy::whole(a.inputs[0].shape), a.inputs[0], a.output);
}

template <Backend backend>
void vjp(const Op&, const Arguments& a) {
  strided_copy(backend, a.queue, StridedCopy::whole(a.grad.shape), a.grad_output, a.grad);
}

}  // namespace

extern const OpKind reshape_kind{
    "reshape",
    "the same elements under other dimensions",
    {{Direction::forward, forward<Backend::ref>, forward<Backend::cpu>, forward<Backend::cuda>},
     {Direction::vjp_input, vjp<Backend::ref>, vjp<Backend::cpu>, vjp<Backend::cuda>}}};

OpPtr reshape(std::vector<int64_t> dims) { return std::make_shared<ReshapeOp>(std::move(dims)); }

}  // namespace loupe
