#include "kernels/secant_max_pool2d/secant_max_pool2d.h"

#include <algorithm>

#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/max_unpool2d/max_unpool2d.h"

namespace loupe {

extern const OpKind secant_max_pool2d_kind;

namespace {

Pair map_of(const Shape& s) { return {s[2], s[3]}; }

// Where the pooled map that nobody reads, the two shares, the switches and, on a device, a map lie in the workspace.
struct Scratch {
  int64_t pooled, own, other, map, switches, bytes;
  Scratch(Dtype real, Layout layout, const Shape& s, const Shape& x, bool with_map) {
    const int64_t numbers = round_up(array_bytes(real, s, layout), 64);
    pooled = 0;
    own = pooled + numbers;
    other = own + numbers;
    map = other + numbers;
    switches = map + (with_map ? round_up(array_bytes(real, x, layout), 64) : 0);
    bytes = switches + array_bytes(Dtype::u8, s, layout);
  }
};

class SecantMaxPool2dOp final : public Op {
 public:
  explicit SecantMaxPool2dOp(const Pooling& pooling) : pooling_(pooling) {}
  const OpKind& kind() const override { return secant_max_pool2d_kind; }
  std::string describe() const override { return pooling_.str(); }
  Shape shape(Shapes inputs) const override {
    const std::string op(kind().name);
    expect_inputs(op, inputs, 2);
    const Nchw s = expect_maps(op, inputs[0]), x = expect_maps(op, inputs[1]);
    const Pair pooled = pooling_.pooled(op, {x.h, x.w});
    expect_switch_fits(op, pooling_.kernel);
    if (s.n != x.n || s.c != x.c || Pair(s.h, s.w) != pooled)
      throw UsageError(op + ": pooling " + inputs[1].str() + " (" + pooling_.str() + ") gives " +
                       pooled.str() + " windows a map, but there is a signal for " + inputs[0].str());
    return inputs[1];
  }
  std::optional<Window> window() const override { return std::nullopt; }  // it looks at another row
  LayoutWish layout(Backend b, Shapes inputs) const override { return maps_wish(b, inputs[1]); }
  Needs needs(Direction) const override { return {.operands = 2}; }
  int64_t accumulation_length(Direction, Shapes) const override { return 2 * pooling_.overlap(); }
  Call prepare(Backend backend, Direction direction, Shapes inputs, const KernelOptions&) const override {
    Call call = table_call(backend, direction);
    if (backend == Backend::ref)  // it may be called in double
      call.workspace = Scratch(Dtype::f64, Layout::planar, inputs[0], inputs[1], false).bytes;
    else
      call.workspace = Scratch(Dtype::f32, backend == Backend::cpu ? Layout::blocked : Layout::planar,
                               inputs[0], inputs[1], backend != Backend::cpu)
                           .bytes;
    return call;
  }
  const Pooling& pooling() const { return pooling_; }

 private:
  Pooling pooling_;
};

const Pooling& pooling_of(const Op& op) { return static_cast<const SecantMaxPool2dOp&>(op).pooling(); }

// pool(x, pooled, switches) and unpool(own, switches, y) are the layout's; planes of one row of the batch, each of `lanes`
// channels side by side.
template <typename T, typename Pool, typename Unpool>
void on_host(const Op& op, const Arguments& a, Layout layout, int64_t planes, int64_t lanes, const Pool& pool,
             const Unpool& unpool) {
  const Pooling& p = pooling_of(op);
  const Shape &s = a.inputs[0].shape, &x = a.inputs[1].shape;
  const Scratch scratch(a.output.dtype, layout, s, x, false);
  const auto numbers = [&](int64_t at) { return reinterpret_cast<T*>(a.workspace.data() + at); };
  T *own = numbers(scratch.own), *other = numbers(scratch.other), *to = a.output.as<T>();
  auto* switches = reinterpret_cast<uint8_t*>(a.workspace.data() + scratch.switches);
  pool(a.inputs[1].as<T>(), numbers(scratch.pooled), switches);
  const int64_t pooled_row = planes * s[2] * s[3] * lanes, map_row = planes * x[2] * x[3] * lanes,
                open = s[0] - 1;
  host::chord_shares<T>(p, map_of(x), map_of(s), lanes, a.inputs[0].as<T>(), a.inputs[1].as<T>(),
                        a.inputs[1].as<T>() + map_row, switches, switches + pooled_row, own, other,
                        open * planes);
  std::fill_n(own + open * pooled_row, pooled_row, T(0));
  unpool(own, switches, to);
  host::add_shares<T>(p, map_of(x), map_of(s), lanes, other, switches + pooled_row, to, open * planes);
}

void ref_forward(const Op& op, const Arguments& a) {
  const Shape &s = a.inputs[0].shape, &x = a.inputs[1].shape;
  const Pooling& p = pooling_of(op);
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    on_host<T>(
        op, a, Layout::planar, x[1], 1,
        [&](const T* from, T* pooled, uint8_t* switches) {
          ref::max_pool2d(p, map_of(x), map_of(s), from, pooled, switches, x[0] * x[1]);
        },
        [&](const T* own, const uint8_t* switches, T* to) {
          ref::max_unpool2d(p, map_of(x), map_of(s), own, switches, to, x[0] * x[1]);
        });
  });
}

// g at the two places of each window, by their shares.
void ref_vjp(const Op& op, const Arguments& a) {
  const Shape &s = a.grad.shape, &x = a.inputs[1].shape;
  const Pooling& p = pooling_of(op);
  const Scratch scratch(a.grad.dtype, Layout::planar, s, x, false);
  const int64_t row = x[1] * s[2] * s[3], map_row = x[1] * x[2] * x[3], open = (s[0] - 1) * x[1];
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    const auto numbers = [&](int64_t at) { return reinterpret_cast<T*>(a.workspace.data() + at); };
    T *pooled = numbers(scratch.pooled), *own = numbers(scratch.own), *other = numbers(scratch.other);
    T *grad = a.grad.as<T>(), *maps = a.inputs[1].as<T>(), *g = a.grad_output.as<T>();
    auto* switches = reinterpret_cast<uint8_t*>(a.workspace.data() + scratch.switches);
    ref::max_pool2d(p, map_of(x), map_of(s), maps, pooled, switches, x[0] * x[1]);
    std::fill_n(pooled, s.numel(), T(1));
    host::chord_shares<T>(p, map_of(x), map_of(s), 1, pooled, maps, maps + map_row, switches, switches + row,
                          own, other, open);
    std::fill_n(own + open * s[2] * s[3], row, T(0));
    ref::max_unpool2d_vjp(p, map_of(x), map_of(s), g, switches, grad, x[0] * x[1]);
    for (int64_t i = 0; i < s.numel(); ++i) grad[i] *= own[i];
    ref::max_unpool2d_vjp(p, map_of(x), map_of(s), g, switches + row, pooled, open);
    for (int64_t i = 0; i < open * s[2] * s[3]; ++i) grad[i] += other[i] * pooled[i];
  });
}

void cpu_forward(const Op& op, const Arguments& a) {
  const Shape &s = a.inputs[0].shape, &x = a.inputs[1].shape;
  const Pooling& p = pooling_of(op);
  on_host<float>(
      op, a, Layout::blocked, blocks(x[1]), kBlock,
      [&](const float* from, float* pooled, uint8_t* switches) {
        cpu::max_pool2d(p, map_of(x), map_of(s), from, pooled, switches, x[0], x[1]);
      },
      [&](const float* own, const uint8_t* switches, float* to) {
        cpu::max_unpool2d(p, map_of(x), map_of(s), own, switches, to, x[0], x[1]);
      });
}

void device_forward(const Op& op, const Arguments& a) {
  const Shape &s = a.inputs[0].shape, &x = a.inputs[1].shape;
  const Pooling& p = pooling_of(op);
  const Scratch scratch(Dtype::f32, Layout::planar, s, x, true);
  const auto numbers = [&](int64_t at) { return reinterpret_cast<float*>(a.workspace.data() + at); };
  float *own = numbers(scratch.own), *other = numbers(scratch.other), *map = numbers(scratch.map);
  auto* switches = reinterpret_cast<uint8_t*>(a.workspace.data() + scratch.switches);
  const int64_t planes = x[0] * x[1], open = (x[0] - 1) * x[1];
  device::max_pool2d(a.queue, p, map_of(x), map_of(s), a.inputs[1].as<float>(), numbers(scratch.pooled),
                     switches, planes);
  device::chord_shares(a.queue, p, map_of(x), map_of(s), a.inputs[0].as<float>(), a.inputs[1].as<float>(),
                       switches, own, other, planes, open, x[1]);
  device::max_unpool2d(a.queue, p, map_of(x), map_of(s), own, switches, a.output.as<float>(), planes);
  if (open == 0) return;
  device::max_unpool2d(a.queue, p, map_of(x), map_of(s), other, switches + x[1] * s[2] * s[3], map, open);
  device::add_numbers(a.queue, map, a.output.as<float>(), open * x[2] * x[3]);
}

}  // namespace

extern const OpKind secant_max_pool2d_kind{"secant_max_pool2d",
                                           "a signal sent down a max pool's chords to the next row",
                                           {{Direction::forward, ref_forward, cpu_forward, device_forward},
                                            {Direction::vjp_input, ref_vjp, nullptr}},
                                           {"input", "map"}};

OpPtr secant_max_pool2d(const Pooling& pooling) { return std::make_shared<SecantMaxPool2dOp>(pooling); }

}  // namespace loupe
