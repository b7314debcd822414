#include "bench/kernels/support/call.h"

#include <algorithm>
#include <new>

namespace loupe {

Buffer::Buffer(int64_t bytes)
    : bytes_(static_cast<size_t>(round_up(bytes, 64))),
      data_(static_cast<std::byte*>(::operator new(bytes_, std::align_val_t(64)))) {
  std::fill_n(data_.get(), bytes_, std::byte(0));
}
void Buffer::Free::operator()(std::byte* p) const { ::operator delete(p, std::align_val_t(64)); }

Array BenchCall::make(Dtype dtype, const Shape& shape, Layout layout) {
  Array array{nullptr, dtype, shape, layout};
  memory_.emplace_back(array.bytes());
  array.data = memory_.back().as<void>();
  return array;
}

BenchCall::BenchCall(const OpPtr& op, const std::vector<Shape>& given, Direction direction,
                     const KernelOptions& options)
    : op_(op) {
  std::vector<Shape> shapes = given;
  for (const ParameterSpec& p : op->parameters(given)) shapes.push_back(p.shape);
  const Shape result = op->shape(shapes);
  const bool blocked = op->layout(Backend::cpu, shapes) == LayoutWish::blocked;
  const auto layout = [&](const Shape& s) {
    return blocked && (s.rank() == 2 || s.rank() == 4) ? Layout::blocked : Layout::planar;
  };
  const Needs needs = op->needs(direction);
  call_ = op->prepare(Backend::cpu, direction, shapes, options);
  int64_t bytes = 0;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Array& x = operands_.emplace_back(
        make(Dtype::f32, shapes[i], i < given.size() ? layout(shapes[i]) : Layout::planar));
    std::fill_n(x.as<float>(), x.bytes() / 4, 0.01f);
    if (direction.is_forward() || needs.operands >> i & 1) bytes += x.bytes();
  }
  for (const Packing& p : call_.packing) {
    memory_.emplace_back(p.floats * 4);
    Array& operand = operands_[static_cast<size_t>(p.operand)];
    p.pack(operand.as<float>(), memory_.back().as<float>());
    operand.data = memory_.back().as<void>();
  }
  Arguments& a = arguments_;
  a.direction = direction;
  a.inputs = operands_;
  const Array y = make(Dtype::f32, result, layout(result));
  bytes += y.bytes();
  (direction.is_forward() ? a.output : a.grad_output) = y;
  if (!direction.is_forward()) {
    const auto i = static_cast<size_t>(direction.operand);
    a.output = make(Dtype::f32, result, layout(result));
    a.grad = make(Dtype::f32, shapes[i], i < given.size() ? layout(shapes[i]) : Layout::planar);
    bytes += a.grad.bytes() + (needs.output ? y.bytes() : 0);
  }
  if (const auto record = op->record(shapes); record && (direction.is_forward() || needs.record)) {
    a.record = make(record->dtype, record->shape, layout(record->shape));
    bytes += a.record.bytes();
  }
  memory_.emplace_back(call_.workspace);
  a.workspace = memory_.back().span();
  const bool adds_up = direction != Direction::vjp_bias;  // the vjp to a bias multiplies nothing
  macs_ = adds_up ? static_cast<double>(op->macs(shapes)) : 0;
  bytes_ = static_cast<double>(bytes);
}

double BenchCall::floor() const { return std::max(2 * macs_ / fma_peak(), bytes_ / copy_bandwidth()); }

void run(benchmark::State& state, const std::list<BenchCall>& calls) {
  double macs = 0, floor = 0;
  for (const BenchCall& call : calls) {
    macs += call.macs();
    floor += call.floor();
    call();  // touches its memory
  }
  for (auto _ : state)
    for (const BenchCall& call : calls) call();
  const auto rate = benchmark::Counter::kIsIterationInvariantRate;
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * macs, rate);
  state.counters["of_peak"] = benchmark::Counter(2 * macs / fma_peak(), rate);
  state.counters["of_floor"] = benchmark::Counter(floor, rate);
}

void add_benches(const std::string& name, const OpPtr& op, const std::vector<Shape>& given,
                 const std::vector<Direction>& directions, const KernelOptions& options) {
  for (const Direction direction : directions)
    benchmark::RegisterBenchmark((name + "/" + op->kind().direction_name(direction)).c_str(),
                                 [=](benchmark::State& state) {
                                   std::list<BenchCall> calls;
                                   calls.emplace_back(op, given, direction, options);
                                   run(state, calls);
                                 })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
}

}  // namespace loupe
