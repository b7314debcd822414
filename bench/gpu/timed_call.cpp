#include "bench/gpu/timed_call.h"

#include <algorithm>
#include <bit>
#include <random>

namespace loupe::bench {

namespace {

std::vector<float> random_numbers() {
  std::vector<float> numbers(1 << 20);
  std::mt19937 engine(1);
  for (float& x : numbers) x = static_cast<float>(engine() % 20001) / 10000 - 1;
  return numbers;
}

template <typename T>
std::vector<std::byte> bytes_of(const std::vector<T>& numbers) {
  const auto* bytes = reinterpret_cast<const std::byte*>(numbers.data());
  return {bytes, bytes + numbers.size() * sizeof(T)};
}

}  // namespace

Memory::Memory(const Place& place, int64_t bytes) : place_(place), bytes_(bytes) {
  data_ = std::shared_ptr<void>(place.module.allocate(std::max<int64_t>(bytes, 1)),
                                [&module = place.module](void* p) { module.release(p); });
}

void Memory::zero() const { fill(std::vector<std::byte>(4 << 20)); }

void Memory::random() const {
  static const std::vector<std::byte> pattern = bytes_of(random_numbers());
  fill(pattern);
}

void Memory::random_bf16() const {
  static const std::vector<std::byte> pattern = [] {
    std::vector<uint16_t> numbers;  // the upper half of a float
    for (const float x : random_numbers())
      numbers.push_back(static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16));
    return bytes_of(numbers);
  }();
  fill(pattern);
}

void Memory::fill(const std::vector<std::byte>& pattern) const {
  const auto length = static_cast<int64_t>(pattern.size());
  for (int64_t at = 0; at < bytes_; at += length)
    place_.module.upload(static_cast<std::byte*>(data()) + at, pattern.data(), std::min(length, bytes_ - at),
                         place_.stream);
}

std::vector<Type> operands_of(const KernelCase& c) {
  std::vector<Type> all;
  for (size_t i = 0; i < c.inputs.size(); ++i)
    all.push_back({i < c.types.size() ? c.types[i] : Dtype::f32, c.inputs[i]});
  for (const ParameterSpec& p : c.op->parameters(c.inputs)) all.push_back({Dtype::f32, p.shape});
  return all;
}

std::vector<Shape> shapes_of(const std::vector<Type>& types) {
  std::vector<Shape> shapes;
  for (const Type& t : types) shapes.push_back(t.shape);
  return shapes;
}

Kernel kernel_of(const Rung& rung, Direction d) {
  return d.is_forward() ? rung.forward : d == Direction::vjp_input ? rung.vjp_input : nullptr;
}

TimedCall::TimedCall(const Place& place, const Subject& s)
    : place_(place),
      op_(*s.test->op),
      types_(operands_of(*s.test)),
      shapes_(shapes_of(types_)),
      call_(op_.prepare(place.module.backend(), s.direction, shapes_, kOurs)) {
  if (s.rung) {
    call_.packing.clear();
    call_.run = [&op = op_, kernel = kernel_of(*s.rung, s.direction)](const Arguments& a) { kernel(op, a); };
  }
  a_.direction = s.direction;
  a_.queue = {&place.module, place.stream};
  read_operands();
  const auto record = op_.record(shapes_);
  if (record) a_.record = {nullptr, record->dtype, record->shape};
  for (const Type& t : op_.infer(types_)) outputs_.push_back({nullptr, t.dtype, t.shape});
  if (s.direction.is_forward()) {
    if (record) a_.record.data = result(a_.record);
    for (Array& y : outputs_) y.data = result(y);
  } else {
    vjp(s.direction, record.has_value());
  }
  a_.outputs = outputs_;
  a_.output = outputs_[0];
  a_.workspace = {static_cast<std::byte*>(memory(call_.workspace).data()),
                  static_cast<size_t>(call_.workspace)};
}

void TimedCall::read_operands() {
  const uint32_t read = a_.direction.is_forward() ? ~0u : op_.needs(a_.direction).operands;
  for (size_t i = 0; i < types_.size(); ++i) {
    Array a{nullptr, types_[i].dtype, types_[i].shape};
    const auto packing =
        std::ranges::find(call_.packing, static_cast<int>(i), [](const Packing& p) { return p.operand; });
    if (packing != call_.packing.end()) {
      const Memory& m = memory(packing->floats * dtype_bytes(Dtype::f32));
      m.random();
      bytes_ += m.bytes();
      a.data = m.data();
    } else if (read >> i & 1) {
      a.data = operand(a);
    }
    inputs_.push_back(a);
  }
  a_.inputs = inputs_;
}

void TimedCall::vjp(Direction d, bool record) {
  const Needs needs = op_.needs(d);
  if (record && needs.record) a_.record.data = read_record(a_.record);
  for (Array& y : outputs_) {
    grad_outputs_.push_back(y);
    if (y.dtype == Dtype::f32) grad_outputs_.back().data = operand(y);
    if (needs.output) y.data = operand(y);
  }
  a_.grad_outputs = grad_outputs_;
  a_.grad_output = grad_outputs_[0];
  a_.grad = {nullptr, Dtype::f32, shapes_[static_cast<size_t>(d.operand)]};
  a_.grad.data = result(a_.grad);
  if (op_.kind().name == "concat") bytes_ = 2 * a_.grad.bytes();  // it reads its own part of dL/dy
}

void* TimedCall::operand(const Array& a) {
  const Memory& m = memory(a.bytes());
  a.dtype == Dtype::f32 ? m.random()
                        : m.zero();  // switch 0 is a cell of every window, index 0 in every table
  bytes_ += m.bytes();
  return m.data();
}

// Masks: random bits. Switches: cell 0. Numbers: positive ones would do, any do for the time.
void* TimedCall::read_record(const Array& a) {
  const Memory& m = memory(a.bytes());
  a.dtype == Dtype::u8 ? m.zero() : m.random();
  bytes_ += m.bytes();
  return m.data();
}

void* TimedCall::result(const Array& a) {
  const Memory& m = memory(a.bytes());
  bytes_ += m.bytes();
  return m.data();
}

}  // namespace loupe::bench
