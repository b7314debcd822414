#include "kernels/attention_statistics/attention_statistics.h"

#include <cmath>

namespace loupe {

extern const OpKind attention_statistics_kind;

namespace {

class AttentionStatisticsOp final : public Op {
 public:
  explicit AttentionStatisticsOp(const AttentionStatistics& a) : a_(a) {
    if (a_.kv_heads == 0) a_.kv_heads = a_.heads;
    if (a_.heads < 1 || a_.kv_heads < 1 || a_.heads % a_.kv_heads != 0)
      throw UsageError("attention_statistics takes heads that kv_heads divides, both at least 1, got " +
                       std::to_string(a_.heads) + " and " + std::to_string(a_.kv_heads));
    if (!std::isfinite(a_.scale) || a_.sets < 0 || a_.sets > kMostSets)
      throw UsageError("attention_statistics takes a finite scale and at most " + std::to_string(kMostSets) +
                       " sets, got " + std::to_string(a_.scale) + " and " + std::to_string(a_.sets));
  }
  const OpKind& kind() const override { return attention_statistics_kind; }
  std::string describe() const override {
    std::string s = std::to_string(a_.heads) + (a_.heads == 1 ? " head" : " heads");
    if (a_.kv_heads != a_.heads) s += ", " + std::to_string(a_.kv_heads) + " of keys";
    if (a_.causal) s += ", causal";
    if (a_.sets) s += ", " + std::to_string(a_.sets) + (a_.sets == 1 ? " set" : " sets");
    if (a_.padding) s += ", padding mask";
    return s;
  }
  std::vector<Type> infer(Types inputs) const override;
  int64_t macs(Shapes s) const override { return 2 * s[0].numel() * s[1][1]; }
  std::optional<Window> window() const override { return std::nullopt; }
  Call prepare(Backend, Direction, Shapes, const KernelOptions&) const override;
  int64_t accumulation_length(Direction, Shapes s) const override {
    // As attention's scores, and a sum over the keys, or for the profile the queries.
    return 2 * s[0][2] / a_.heads + 4 * s[1][1];
  }

  AttentionSizes sizes(const Shape& q) const {
    const int64_t width = q[2] / a_.heads;
    return {.n = q[0],
            .heads = a_.heads,
            .kv_heads = a_.kv_heads,
            .queries = q[1],
            .keys = q[1],
            .width = width,
            .causal = a_.causal,
            .scale = a_.scale != 0 ? a_.scale : 1 / std::sqrt(static_cast<double>(width)),
            .bias_size = {},
            .bias_stride = {}};
  }
  template <typename T>
  AttentionOperands<T> operands(std::span<const Array> x) const {
    return {x[0].as<T>(), x[1].as<T>(), nullptr, nullptr, a_.padding ? x.back().as<uint8_t>() : nullptr};
  }
  StatisticsArrays arrays(std::span<const Array> x) const {
    return {x[2].as<int32_t>(), a_.sets > 0 ? x[3].as<int32_t>() : nullptr, a_.sets};
  }

 private:
  size_t count() const { return 3 + (a_.sets > 0 ? 1 : 0) + (a_.padding ? 1 : 0); }
  AttentionStatistics a_;
};

std::vector<Type> AttentionStatisticsOp::infer(Types inputs) const {
  if (inputs.size() != count())
    throw UsageError("attention_statistics (" + describe() + ") takes " + std::to_string(count()) +
                     " inputs, got " + std::to_string(inputs.size()));
  const Shape &q = inputs[0].shape, &k = inputs[1].shape;
  const bool fit = q.rank() == 3 && k.rank() == 3 && q.numel() > 0 && q[2] % a_.heads == 0 && k[0] == q[0] &&
                   k[1] == q[1] && k[2] == q[2] / a_.heads * a_.kv_heads;
  if (!fit)
    throw UsageError("attention_statistics of " + describe() +
                     " takes non-empty queries and keys (N, L, heads · d), got " + q.str() + " and " +
                     k.str());
  for (size_t i = 0; i < count(); ++i) {
    const bool mask = a_.padding && i + 1 == count(), real = i < 2;
    const Dtype type = inputs[i].dtype;
    if (real ? type != Dtype::f32 && type != Dtype::f64
             : type != (mask ? Dtype::u8 : Dtype::i32) || inputs[i].shape != Shape{q[0], q[1]})
      throw UsageError(std::string("attention_statistics takes ") +
                       (real ? "queries and keys of floats"
                             : std::string(mask ? "a padding mask u8 " : "positions and sets i32 ") +
                                   Shape{q[0], q[1]}.str()) +
                       ", got " + std::string(dtype_name(type)) + " " + inputs[i].shape.str());
  }
  return {{inputs[0].dtype, {q[0], a_.heads, kStatistics + a_.sets, q[1]}},
          {inputs[0].dtype, {q[0], a_.heads, 2 * q[1] - 1}}};
}

Call AttentionStatisticsOp::prepare(Backend backend, Direction direction, Shapes shapes,
                                    const KernelOptions&) const {
  Call call = table_call(backend, direction);
  const AttentionSizes a = sizes(shapes[0]);
  if (backend == Backend::cpu) {
    call.describe = "blocks of keys, 16 queries at a time, twice";
    call.workspace = cpu::attention_statistics_workspace(a) * int64_t{sizeof(float)};
  } else if (backend != Backend::ref) {
    if (a.width > device::kAttentionWidth)
      throw Error("attention_statistics on a device takes heads of at most 256 numbers, got " +
                  std::to_string(a.width));
    call.describe = "a warp for each query, and for each offset";
    call.workspace = a.n * a.heads * a.queries * int64_t{sizeof(float)};
  }
  return call;
}

const AttentionStatisticsOp& self(const Op& op) { return static_cast<const AttentionStatisticsOp&>(op); }

template <typename T>
T* profile_of(const Arguments& a) {
  return a.outputs.size() > 1 ? a.outputs[1].as<T>() : nullptr;
}

void on_ref(const Op& op, const Arguments& a) {
  with_float_type(a.inputs[0].dtype, [&](auto t) {
    using T = decltype(t);
    ref::attention_statistics(self(op).sizes(a.inputs[0].shape), self(op).operands<T>(a.inputs),
                              self(op).arrays(a.inputs), a.output.as<T>(), profile_of<T>(a));
  });
}

void on_cpu(const Op& op, const Arguments& a) {
  cpu::attention_statistics(self(op).sizes(a.inputs[0].shape), self(op).operands<float>(a.inputs),
                            self(op).arrays(a.inputs), a.output.as<float>(), profile_of<float>(a),
                            reinterpret_cast<float*>(a.workspace.data()));
}

void on_device(const Op& op, const Arguments& a) {
  device::attention_statistics(a.queue, self(op).sizes(a.inputs[0].shape), self(op).operands<float>(a.inputs),
                               self(op).arrays(a.inputs), a.output.as<float>(), profile_of<float>(a),
                               reinterpret_cast<float*>(a.workspace.data()));
}

}  // namespace

extern const OpKind attention_statistics_kind{"attention_statistics",
                                              "what is asked of attention's pattern, without the pattern",
                                              {{Direction::forward, on_ref, on_cpu, on_device}},
                                              {"query", "key", "earlier", "set", "padding"}};

OpPtr attention_statistics(AttentionStatistics attributes) {
  return std::make_shared<AttentionStatisticsOp>(attributes);
}

}  // namespace loupe
