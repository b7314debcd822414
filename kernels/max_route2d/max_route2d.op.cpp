#include "kernels/max_route2d/max_route2d.h"

#include "kernels/max_unpool2d/max_unpool2d.h"

namespace loupe {

extern const OpKind max_route2d_kind;

namespace {

Pair map_of(const Shape& s) { return {s[2], s[3]}; }

// Where the rounded map, the pooled map that nobody reads and the switches lie in the workspace.
struct Scratch {
  int64_t map, pooled, switches, bytes;
  Scratch(Dtype real, Layout layout, const Shape& v, const Shape& x) {
    map = 0;
    pooled = map + round_up(array_bytes(real, x, layout), 64);
    switches = pooled + round_up(array_bytes(real, v, layout), 64);
    bytes = switches + array_bytes(Dtype::u8, v, layout);
  }
};

class MaxRoute2dOp final : public Op {
 public:
  explicit MaxRoute2dOp(const MaxRoute2d& a) : attributes_(a) {
    if (a.bits < 0 || a.bits > 60)
      throw UsageError("max_route2d rounds to 0 to 60 bits, got " + std::to_string(a.bits));
  }
  const OpKind& kind() const override { return max_route2d_kind; }
  std::string describe() const override {
    return attributes_.pooling.str() + ", rounded to 2^-" + std::to_string(attributes_.bits);
  }
  Shape shape(Shapes inputs) const override {
    const std::string op(kind().name);
    expect_inputs(op, inputs, 2);
    const Nchw v = expect_maps(op, inputs[0]), x = expect_maps(op, inputs[1]);
    const Pair pooled = attributes_.pooling.pooled(op, {x.h, x.w});
    expect_switch_fits(op, attributes_.pooling.kernel);
    if (v.n != x.n || v.c != x.c || Pair(v.h, v.w) != pooled)
      throw UsageError(op + ": pooling " + inputs[1].str() + " (" + attributes_.pooling.str() + ") gives " +
                       pooled.str() + " windows a map, but there are numbers for " + inputs[0].str());
    return inputs[1];
  }
  // A place is reached from several windows.
  std::optional<Window> window() const override { return std::nullopt; }
  LayoutWish layout(Backend b, Shapes inputs) const override { return maps_wish(b, inputs[1]); }
  Needs needs(Direction) const override { return {.operands = 2}; }  // the map
  int64_t accumulation_length(Direction direction, Shapes) const override {
    return direction.is_forward() ? attributes_.pooling.overlap() : 0;
  }
  Call prepare(Backend backend, Direction direction, Shapes inputs, const KernelOptions&) const override {
    Call call = table_call(backend, direction);
    if (backend == Backend::ref)  // it may be called in double
      call.workspace = Scratch(Dtype::f64, Layout::planar, inputs[0], inputs[1]).bytes;
    else if (backend == Backend::cpu)
      call.workspace = Scratch(Dtype::f32, Layout::blocked, inputs[0], inputs[1]).bytes;
    else
      call.workspace = inputs[0].numel();
    return call;
  }
  const MaxRoute2d& attributes() const { return attributes_; }

 private:
  MaxRoute2d attributes_;
};

const MaxRoute2d& attributes_of(const Op& op) { return static_cast<const MaxRoute2dOp&>(op).attributes(); }

void ref_run(const Op& op, const Arguments& a) {
  const auto& [pooling, bits] = attributes_of(op);
  const Shape &v = a.inputs[0].shape, &x = a.inputs[1].shape;
  const bool forward = a.direction.is_forward();
  const Array& to = forward ? a.output : a.grad;
  const Scratch scratch(to.dtype, Layout::planar, v, x);
  with_float_type(to.dtype, [&](auto t) {
    using T = decltype(t);
    auto* map = reinterpret_cast<T*>(a.workspace.data() + scratch.map);
    auto* switches = reinterpret_cast<uint8_t*>(a.workspace.data() + scratch.switches);
    host::round_to_grid(bits, a.inputs[1].as<T>(), map, x.numel());
    ref::max_pool2d(pooling, map_of(x), map_of(v), map,
                    reinterpret_cast<T*>(a.workspace.data() + scratch.pooled), switches, x[0] * x[1]);
    const T* from = forward ? a.inputs[0].as<T>() : a.grad_output.as<T>();
    (forward ? ref::max_unpool2d<T> : ref::max_unpool2d_vjp<T>)(pooling, map_of(x), map_of(v), from, switches,
                                                                to.as<T>(), x[0] * x[1]);
  });
}

void cpu_run(const Op& op, const Arguments& a) {
  const auto& [pooling, bits] = attributes_of(op);
  const Shape &v = a.inputs[0].shape, &x = a.inputs[1].shape;
  const bool forward = a.direction.is_forward();
  const Scratch scratch(Dtype::f32, Layout::blocked, v, x);
  auto* map = reinterpret_cast<float*>(a.workspace.data() + scratch.map);
  auto* switches = reinterpret_cast<uint8_t*>(a.workspace.data() + scratch.switches);
  host::round_to_grid(bits, a.inputs[1].as<float>(), map, a.inputs[1].bytes() / int64_t{sizeof(float)});
  cpu::max_pool2d(pooling, map_of(x), map_of(v), map,
                  reinterpret_cast<float*>(a.workspace.data() + scratch.pooled), switches, x[0], x[1]);
  (forward ? cpu::max_unpool2d : cpu::max_unpool2d_vjp)(
      pooling, map_of(x), map_of(v), (forward ? a.inputs[0] : a.grad_output).as<float>(), switches,
      (forward ? a.output : a.grad).as<float>(), x[0], x[1]);
}

void device_run(const Op& op, const Arguments& a) {
  const auto& [pooling, bits] = attributes_of(op);
  const Shape &v = a.inputs[0].shape, &x = a.inputs[1].shape;
  const bool forward = a.direction.is_forward();
  auto* switches = reinterpret_cast<uint8_t*>(a.workspace.data());
  device::rounded_switches(a.queue, pooling, bits, map_of(x), map_of(v), a.inputs[1].as<float>(), switches,
                           x[0] * x[1]);
  (forward ? device::max_unpool2d : device::max_unpool2d_vjp)(
      a.queue, pooling, map_of(x), map_of(v), (forward ? a.inputs[0] : a.grad_output).as<float>(), switches,
      (forward ? a.output : a.grad).as<float>(), x[0] * x[1]);
}

}  // namespace

extern const OpKind max_route2d_kind{"max_route2d",
                                     "each number to where its window of a map is largest; they add up",
                                     {{Direction::forward, ref_run, cpu_run, device_run},
                                      {Direction::vjp_input, ref_run, cpu_run, device_run}},
                                     {"input", "map"}};

OpPtr max_route2d(const MaxRoute2d& attributes) { return std::make_shared<MaxRoute2dOp>(attributes); }

}  // namespace loupe
