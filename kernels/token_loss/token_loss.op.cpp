#include "kernels/token_loss/token_loss.h"

#include <algorithm>

#include "kernels/gather/gather.h"

namespace loupe {

extern const OpKind token_loss_kind;

namespace {

class TokenLossOp final : public Op {
 public:
  const OpKind& kind() const override { return token_loss_kind; }
  std::vector<Type> infer(Types inputs) const override {
    if (inputs.size() != 2)
      throw UsageError("token_loss takes 2 inputs, got " + std::to_string(inputs.size()));
    const Shape &z = inputs[0].shape, &t = inputs[1].shape;
    if (inputs[1].dtype != Dtype::i32 || inputs[0].dtype == Dtype::i32 || z.rank() < 2 || z.numel() == 0 ||
        !std::ranges::equal(z.dims().first(z.dims().size() - 1), t.dims()))
      throw UsageError("token_loss takes non-empty logits (…, vocabulary) and tokens i32 (…), got " +
                       z.str() + " and " + std::string(dtype_name(inputs[1].dtype)) + " " + t.str());
    return {{.dtype = inputs[0].dtype, .shape = t}};
  }
  std::optional<Window> window() const override { return std::nullopt; }
  Needs needs(Direction d) const override { return {.operands = d.is_forward() ? 0u : 3u}; }
  int64_t accumulation_length(Direction, Shapes inputs) const override { return inputs[0].back(); }
};

// On ref and cpu: throws for a token outside the vocabulary.
void check_tokens(const Arguments& a) {
  const int64_t rows = a.inputs[1].shape.numel();
  expect_indices("token_loss", a.inputs[1].as<int32_t>(),
                 {.outer = 1, .count = a.inputs[0].shape.back(), .inner = 1, .picks = rows});
}

void ref_forward(const Op&, const Arguments& a) {
  check_tokens(a);
  with_float_type(a.output.dtype, [&](auto type) {
    using T = decltype(type);
    ref::token_loss(a.inputs[0].as<T>(), a.inputs[1].as<int32_t>(), a.output.as<T>(),
                    a.inputs[1].shape.numel(), a.inputs[0].shape.back());
  });
}

void ref_vjp(const Op&, const Arguments& a) {
  check_tokens(a);
  with_float_type(a.grad.dtype, [&](auto type) {
    using T = decltype(type);
    ref::token_loss_vjp(a.inputs[0].as<T>(), a.inputs[1].as<int32_t>(), a.grad_output.as<T>(), a.grad.as<T>(),
                        a.inputs[1].shape.numel(), a.inputs[0].shape.back());
  });
}

void cpu_forward(const Op&, const Arguments& a) {
  check_tokens(a);
  cpu::token_loss(a.inputs[0].as<float>(), a.inputs[1].as<int32_t>(), a.output.as<float>(),
                  a.inputs[1].shape.numel(), a.inputs[0].shape.back());
}

void cpu_vjp(const Op&, const Arguments& a) {
  check_tokens(a);
  cpu::token_loss_vjp(a.inputs[0].as<float>(), a.inputs[1].as<int32_t>(), a.grad_output.as<float>(),
                      a.grad.as<float>(), a.inputs[1].shape.numel(), a.inputs[0].shape.back());
}

void device_forward(const Op&, const Arguments& a) {
  device::token_loss(a.queue, a.inputs[0].as<float>(), a.inputs[1].as<int32_t>(), a.output.as<float>(),
                     a.inputs[1].shape.numel(), a.inputs[0].shape.back());
}

void device_vjp(const Op&, const Arguments& a) {
  device::token_loss_vjp(a.queue, a.inputs[0].as<float>(), a.inputs[1].as<int32_t>(),
                         a.grad_output.as<float>(), a.grad.as<float>(), a.inputs[1].shape.numel(),
                         a.inputs[0].shape.back());
}

}  // namespace

extern const OpKind token_loss_kind{"token_loss",
                                    "−log of the probability of the right token",
                                    {{Direction::forward, ref_forward, cpu_forward, device_forward},
                                     {Direction::vjp_input, ref_vjp, cpu_vjp, device_vjp}},
                                    {"input", "tokens"}};

OpPtr token_loss() { return std::make_shared<TokenLossOp>(); }

}  // namespace loupe
