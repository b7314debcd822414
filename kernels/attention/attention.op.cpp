#include "kernels/attention/attention.h"

#include <cmath>

#include "kernels/common/strided_copy.h"

namespace loupe {

extern const OpKind attention_kind;

namespace {

constexpr uint32_t bit(int i) { return 1u << i; }

class AttentionOp final : public Op {
 public:
  explicit AttentionOp(const Attention& a) : a_(a) {
    if (a_.kv_heads == 0) a_.kv_heads = a_.heads;
    if (a_.heads < 1 || a_.kv_heads < 1 || a_.heads % a_.kv_heads != 0)
      throw UsageError("attention takes heads that kv_heads divides, both at least 1, got " +
                       std::to_string(a_.heads) + " and " + std::to_string(a_.kv_heads));
    if (!std::isfinite(a_.scale))
      throw UsageError("attention takes a finite scale, got " + std::to_string(a_.scale));
  }
  const OpKind& kind() const override { return attention_kind; }
  std::string describe() const override;
  std::vector<Type> infer(Types inputs) const override;
  int64_t macs(Shapes s) const override { return 2 * s[0].numel() * s[1][1]; }
  std::optional<Window> window() const override { return std::nullopt; }
  std::optional<Record> record(Shapes s) const override {
    return Record{Dtype::f32, {s[0][0], a_.heads, s[0][1]}};
  }
  Needs needs(Direction direction) const override {
    if (direction.is_forward()) return {};
    const uint32_t masks = (a_.bias ? bit(3) : 0) | (a_.padding ? bit(mask_operand()) : 0);
    const bool of_values = direction.operand == 2;  // which needs the pattern alone
    return {
        .operands = bit(0) | bit(1) | (of_values ? 0 : bit(2)) | masks, .output = !of_values, .record = true};
  }
  Call prepare(Backend, Direction, Shapes, const KernelOptions&) const override;
  int64_t accumulation_length(Direction direction, Shapes s) const override {
    const int64_t queries = s[0][1], keys = s[1][1], width = s[0][2] / a_.heads;
    // A score's products, and over the keys l and y, both rescaled by some blocks' factors.
    const int64_t scores = 2 * width + 3 * keys, group = a_.heads / a_.kv_heads;
    if (direction.is_forward()) return scores;
    if (direction.operand == 0) return scores + keys;
    if (direction.operand < 3) return scores + group * queries;
    const Shape& b = s[3];
    return scores + (b[0] == 1 ? s[0][0] : 1) * (b[1] == 1 ? a_.heads : 1) * (b[2] == 1 ? queries : 1);
  }

  AttentionSizes sizes(Shapes s) const;
  template <typename T>
  AttentionOperands<T> operands(std::span<const Array> x) const {
    const Array *bias = a_.bias ? &x[3] : nullptr,
                *padding = a_.padding ? &x[size_t(mask_operand())] : nullptr;
    return {x[0].as<T>(), x[1].as<T>(), x[2].as<T>(), bias ? bias->as<T>() : nullptr,
            padding ? padding->as<uint8_t>() : nullptr};
  }
  bool pattern() const { return a_.pattern; }

 private:
  int mask_operand() const { return a_.bias ? 4 : 3; }
  Attention a_;
};

std::string AttentionOp::describe() const {
  std::string s = std::to_string(a_.heads) + (a_.heads == 1 ? " head" : " heads");
  if (a_.kv_heads != a_.heads) s += ", " + std::to_string(a_.kv_heads) + " of keys";
  if (a_.causal) s += ", causal";
  if (a_.scale != 0) s += ", scale " + std::to_string(a_.scale);
  if (a_.bias) s += ", bias";
  if (a_.padding) s += ", padding mask";
  if (a_.pattern) s += ", pattern handed out";
  return s;
}

std::vector<Type> AttentionOp::infer(Types inputs) const {
  const size_t count = 3 + (a_.bias ? 1 : 0) + (a_.padding ? 1 : 0);
  if (inputs.size() != count)
    throw UsageError("attention (" + describe() + ") takes " + std::to_string(count) + " inputs, got " +
                     std::to_string(inputs.size()));
  const Shape &q = inputs[0].shape, &k = inputs[1].shape, &v = inputs[2].shape;
  for (const Shape* s : {&q, &k, &v})
    if (s->rank() != 3 || s->numel() == 0)
      throw UsageError("attention takes non-empty queries, keys and values (N, L, heads · d), got " +
                       s->str());
  const int64_t width = q[2] / a_.heads;
  if (q[2] % a_.heads != 0 || k[2] != width * a_.kv_heads || k[0] != q[0] || v != k)
    throw UsageError("attention of " + describe() + " cannot take queries " + q.str() + " with keys " +
                     k.str() + " and values " + v.str());
  const Shape pattern{q[0], a_.heads, q[1], k[1]};
  if (a_.bias) {
    const Shape& b = inputs[3].shape;
    bool fits = b.rank() == 4;
    for (int d = 0; fits && d < 4; ++d) fits = b[d] == 1 || b[d] == pattern[d];
    if (!fits)
      throw UsageError("attention takes a bias whose sizes are 1 or those of " + pattern.str() + ", got " +
                       b.str());
  }
  for (size_t i = 0; i < count; ++i) {
    const bool mask = a_.padding && i == static_cast<size_t>(mask_operand());
    const bool real = inputs[i].dtype == Dtype::f32 || inputs[i].dtype == Dtype::f64;
    if (mask ? inputs[i].dtype != Dtype::u8 || inputs[i].shape != Shape{q[0], k[1]} : !real)
      throw UsageError(std::string("attention takes ") +
                       (mask ? "a padding mask u8 " + Shape{q[0], k[1]}.str() : "floats") + ", got " +
                       std::string(dtype_name(inputs[i].dtype)) + " " + inputs[i].shape.str());
  }
  std::vector<Type> outputs{{inputs[0].dtype, q}};
  if (a_.pattern) outputs.push_back({inputs[0].dtype, pattern});
  return outputs;
}

AttentionSizes AttentionOp::sizes(Shapes s) const {
  const int64_t width = s[0][2] / a_.heads;
  AttentionSizes a{.n = s[0][0],
                   .heads = a_.heads,
                   .kv_heads = a_.kv_heads,
                   .queries = s[0][1],
                   .keys = s[1][1],
                   .width = width,
                   .causal = a_.causal,
                   .scale = a_.scale != 0 ? a_.scale : 1 / std::sqrt(static_cast<double>(width)),
                   .bias_size = {},
                   .bias_stride = {}};
  int64_t stride = 1;
  for (int d = 3; a_.bias && d >= 0; --d) {
    a.bias_size[d] = s[3][d];
    a.bias_stride[d] = s[3][d] == 1 ? 0 : stride;
    stride *= s[3][d];
  }
  return a;
}

// Of a kernel: everything that the three backends have in common.
struct Problem {
  const AttentionOp& op;
  const Arguments& a;
  Shape shapes[5];

  Problem(const Op& o, const Arguments& arguments) : op(static_cast<const AttentionOp&>(o)), a(arguments) {
    for (size_t i = 0; i < a.inputs.size(); ++i) shapes[i] = a.inputs[i].shape;
  }
  AttentionSizes sizes() const { return op.sizes({shapes, a.inputs.size()}); }
  template <typename T>
  AttentionOperands<T> operands() const {
    return op.operands<T>(a.inputs);
  }
  template <typename T>
  T* pattern() const {
    return op.pattern() && a.outputs.size() > 1 ? a.outputs[1].as<T>() : nullptr;
  }
  template <typename T>
  AttentionSignals<T> signals() const {
    const bool two = op.pattern() && a.grad_outputs.size() > 1;
    return {a.output.as<T>(), a.grad_output.as<T>(), two ? a.grad_outputs[1].as<T>() : nullptr,
            a.record.as<T>()};
  }
  // A vjp that is zero whatever the numbers: of v where only the pattern's gradient is there, and of a bias
  // that is the same for all keys of a query, which changes no pattern.
  bool is_zero() const {
    const bool same_for_all_keys = a.direction.operand == 3 && shapes[3][3] == 1 && shapes[1][1] > 1;
    return same_for_all_keys || (a.direction.operand == 2 && !a.grad_output);
  }
  float* workspace() const { return reinterpret_cast<float*>(a.workspace.data()); }
};

void ref_forward(const Op& op, const Arguments& a) {
  const Problem p(op, a);
  with_float_type(a.inputs[0].dtype, [&](auto t) {
    using T = decltype(t);
    ref::attention(p.sizes(), p.operands<T>(), a.output.as<T>(), p.pattern<T>(), a.record.as<T>());
  });
}

void ref_vjp(const Op& op, const Arguments& a) {
  const Problem p(op, a);
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::attention_vjp(p.sizes(), p.operands<T>(), p.signals<T>(), a.direction.operand, a.grad.as<T>());
  });
}

void cpu_forward(const Op& op, const Arguments& a) {
  const Problem p(op, a);
  cpu::attention(p.sizes(), p.operands<float>(), a.output.as<float>(), p.pattern<float>(),
                 a.record.as<float>(), p.workspace());
}

void cpu_vjp(const Op& op, const Arguments& a) {
  const Problem p(op, a);
  if (p.is_zero()) return fill(Backend::cpu, a.queue, a.grad, 0);
  cpu::attention_vjp(p.sizes(), p.operands<float>(), p.signals<float>(), a.direction.operand,
                     a.grad.as<float>(), p.workspace());
}

void device_forward(const Op& op, const Arguments& a) {
  const Problem p(op, a);
  device::attention(a.queue, p.sizes(), p.operands<float>(), a.output.as<float>(), p.pattern<float>(),
                    a.record.as<float>());
}

void device_vjp(const Op& op, const Arguments& a) {
  const Problem p(op, a);
  if (p.is_zero()) return fill(Backend::cuda, a.queue, a.grad, 0);
  device::attention_vjp(a.queue, p.sizes(), p.operands<float>(), p.signals<float>(), a.direction.operand,
                        a.grad.as<float>(), p.workspace());
}

Call AttentionOp::prepare(Backend backend, Direction direction, Shapes shapes, const KernelOptions&) const {
  Call call = table_call(backend, direction);
  if (direction.operand == 3 && !a_.bias) throw Error("attention without a bias has no vjp of one");
  const AttentionSizes a = sizes(shapes);
  if (backend == Backend::cpu) {
    call.describe = "blocks of keys, 16 queries at a time";
    if (direction.operand > 0) call.describe = "blocks of queries, 16 keys at a time";
    call.workspace = cpu::attention_workspace(a) * int64_t{sizeof(float)};
  } else if (backend != Backend::ref) {
    if (a.width > device::kAttentionWidth)
      throw Error("attention on a device takes heads of at most 256 numbers, got " + std::to_string(a.width));
    call.describe = "tiles of 64 queries and 64 keys";
    if (!direction.is_forward()) call.workspace = a.n * a.heads * a.queries * int64_t{sizeof(float)};
  }
  return call;
}

}  // namespace

extern const OpKind attention_kind{"attention",
                                   "softmax(q·kᵀ)·v in several heads, in blocks of keys",
                                   {{Direction::forward, ref_forward, cpu_forward, device_forward},
                                    {Direction::vjp(0), ref_vjp, cpu_vjp, device_vjp},
                                    {Direction::vjp(1), ref_vjp, cpu_vjp, device_vjp},
                                    {Direction::vjp(2), ref_vjp, cpu_vjp, device_vjp},
                                    {Direction::vjp(3), ref_vjp, cpu_vjp, device_vjp}},
                                   {"query", "key", "value", "bias", "padding"}};

OpPtr attention(Attention attributes) { return std::make_shared<AttentionOp>(attributes); }

}  // namespace loupe
