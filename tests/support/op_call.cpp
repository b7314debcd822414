#include "tests/support/op_call.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace loupe::test {

namespace {

int64_t image_elements(const Shape& s) { return s.rank() && s[0] ? s.numel() / s[0] : s.numel(); }

// Where row-major element `i` of an array lies, counted in elements (in bits, for bit).
int64_t position(const Stored& a, int64_t i) {
  const int64_t image = image_elements(a.shape), n = i / image, r = i % image;
  if (a.layout == Layout::planar) return a.dtype == Dtype::bit ? n * round_up(image, 8) + r : i;
  const Nchw s = Nchw::of(a.shape);
  const int64_t pixels = s.h * s.w, c = r / pixels, p = r % pixels;
  return ((n * blocks(s.c) + c / kBlock) * pixels + p) * kBlock + c % kBlock;
}

template <typename T>
T read(const std::byte* bytes, int64_t i) {
  T value;
  std::memcpy(&value, bytes + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <typename T>
void write(std::byte* bytes, int64_t i, double number) {
  const T value = static_cast<T>(number);
  std::memcpy(bytes + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

double get(const Stored& a, int64_t at) {
  const std::byte* b = a.bytes.data();
  switch (a.dtype) {
    case Dtype::f32:
      return double{read<float>(b, at)};
    case Dtype::f64:
      return read<double>(b, at);
    case Dtype::i32:
      return read<int32_t>(b, at);
    case Dtype::u8:
      return read<uint8_t>(b, at);
    case Dtype::bit:
      return (read<uint8_t>(b, at / 8) >> (at % 8)) & 1;
  }
  return 0;
}

void set(Stored& a, int64_t at, double number) {
  std::byte* b = a.bytes.data();
  switch (a.dtype) {
    case Dtype::f32:
      return write<float>(b, at, number);
    case Dtype::f64:
      return write<double>(b, at, number);
    case Dtype::i32:
      return write<int32_t>(b, at, number);
    case Dtype::u8:
      return write<uint8_t>(b, at, number);
    case Dtype::bit:
      return write<uint8_t>(b, at / 8, read<uint8_t>(b, at / 8) | (number != 0) << (at % 8));
  }
}

// Memory for one array between two walls of sentinel bytes, aligned as an arena would align it. On a device
// it has a copy there: with its walls on cuda; on sim an allocation of its own size, outside which any access
// is an error.
class Guarded {
 public:
  Guarded(std::string what, int64_t size, const Queue& queue)
      : what_(std::move(what)), size_(static_cast<size_t>(size)), queue_(queue) {
    memory_.resize(kAlign + 2 * kWall + size_);
    const auto address = reinterpret_cast<uintptr_t>(memory_.data());
    start_ = (kAlign - address % kAlign) % kAlign + kWall;
    for (size_t i = 0; i < memory_.size(); ++i) memory_[i] = sentinel(i);
    if (!queue_.module) return;
    wall_ = queue_.module == sim_module() ? 0 : kWall;
    device_.reset(static_cast<std::byte*>(queue_.module->allocate(size + 2 * static_cast<int64_t>(wall_))),
                  [module = queue_.module](std::byte* p) { module->release(p); });
  }
  Guarded(std::string what, const Stored& s, const Queue& queue)
      : Guarded(std::move(what), static_cast<int64_t>(s.bytes.size()), queue) {
    std::copy(s.bytes.begin(), s.bytes.end(), data());
    original_ = s.bytes;
  }
  std::byte* data() { return memory_.data() + start_; }
  /// What the kernel is given.
  void* address() { return device_ ? device_.get() + wall_ : data(); }
  void upload() const {
    if (device_)
      queue_.module->upload(device_.get(), memory_.data() + start_ - wall_,
                            static_cast<int64_t>(size_ + 2 * wall_), queue_.stream);
  }
  void download() {
    if (device_)
      queue_.module->download(memory_.data() + start_ - wall_, device_.get(),
                              static_cast<int64_t>(size_ + 2 * wall_), queue_.stream);
  }
  std::span<std::byte> bytes() { return {data(), size_}; }
  void fill(std::byte value) { std::fill_n(data(), size_, value); }
  /// This array is a result now, and may change.
  void release() { original_.clear(); }

  void check() const {
    for (size_t i = 0; i < memory_.size(); ++i) {
      if (i == start_) i += size_;
      if (i < memory_.size() && memory_[i] != sentinel(i)) {
        const bool before = i < start_;
        throw Violation("wrote " + std::to_string(before ? start_ - i : i - start_ - size_ + 1) +
                        " byte(s) " + (before ? "before " : "past the end of ") + what_);
      }
    }
    if (!original_.empty() && std::memcmp(original_.data(), memory_.data() + start_, size_) != 0)
      throw Violation("changed its operand " + what_);
  }

 private:
  static constexpr size_t kAlign = 64, kWall = 256;
  static std::byte sentinel(size_t i) { return static_cast<std::byte>(0xC3 ^ (i * 7)); }

  static const DeviceModule* sim_module() { return &DeviceModule::of(Backend::sim); }

  std::string what_;
  size_t size_, start_ = 0, wall_ = 0;
  Queue queue_;
  std::shared_ptr<std::byte> device_;
  std::vector<std::byte> memory_;
  std::vector<std::byte> original_;
};

Stored shaped(Dtype dtype, const Shape& shape, Layout layout) {
  Stored s{dtype, shape, layout, {}};
  s.bytes.resize(static_cast<size_t>(array_bytes(dtype, shape, layout)));
  return s;
}

// The buffers of one call, filled once; the kernel may then run over them several times.
class Call {
 public:
  Call(const Op& op, Direction direction, const How& how, const Operands& in)
      : op_(op),
        how_(how),
        layout_(backend_layout(how.backend)),
        kernel_(how.kernel ? how.kernel : op.kind().kernel(how.backend, direction)) {
    if (how.backend == Backend::sim || how.backend == Backend::cuda)
      a_.queue.module = &DeviceModule::of(how.backend);
    const bool forward = direction == Direction::forward;
    const Needs needs = op.needs(direction);
    buffers_.reserve(in.inputs.size() + 2 * in.parameters.size() + 8);  // addresses must stay
    const Shape out = op.infer(in.shapes);

    for (size_t i = 0; i < in.shapes.size(); ++i) {
      const Dtype type = i < how.input_types.size() ? how.input_types[i] : how.dtype;
      Array a{nullptr, type, in.shapes[i], layout_};
      if (forward || needs.inputs)
        a.data = operand("input " + std::to_string(i), Stored::of(in.inputs[i], type, in.shapes[i], layout_));
      inputs_.push_back(a);
    }
    auto specs = op.parameters(in.shapes);
    if (in.parameters.size() > specs.size())
      specs.push_back(
          {"bias", {static_cast<int64_t>(in.parameters.back().size())}, ParameterSpec::Role::bias});
    for (size_t p = 0; p < specs.size(); ++p)
      parameters_.push_back(
          {parameter(p, specs[p], direction, in), how.dtype, specs[p].shape, Layout::planar});

    a_.inputs = inputs_;
    a_.parameters = parameters_;
    a_.input = how.input;
    a_.activation = how.activation;
    a_.output = {nullptr, how.dtype, out, layout_};
    if (forward) {
      value_ = shaped(how.dtype, out, layout_);
      a_.output.data = how.in_place ? take_over(0) : result("the output", value_);
      const auto record = how.activation ? std::optional(Saved{Dtype::bit, out}) : op.saved(in.shapes);
      if (record && how.tape) {
        saved_ = shaped(recorded(record->dtype), record->shape, layout_);
        a_.saved = {result("the saved record", *saved_), saved_->dtype, saved_->shape, layout_};
      }
    } else {
      a_.grad_output = {nullptr, how.dtype, out, layout_};
      const size_t at = buffers_.size();
      a_.grad_output.data = operand("dL/dy", Stored::of(in.grad_output, how.dtype, out, layout_));
      if (needs.output) a_.output.data = operand("y", relayed(*in.output, how.dtype));
      if (needs.saved) {
        const Stored s = relayed(*in.saved, recorded(in.saved->dtype));
        a_.saved = {operand("the saved record", s), s.dtype, s.shape, layout_};
      }
      const auto p = parameter_of(op, direction, in.shapes);
      value_ = p ? shaped(how.dtype, specs[*p].shape, Layout::planar)
                 : shaped(how.dtype, in.shapes[static_cast<size_t>(how.input)], layout_);
      a_.grad = {how.in_place ? take_over(at) : result("the gradient", value_), value_.dtype, value_.shape,
                 value_.layout};
    }
    buffers_.emplace_back("the workspace", op.workspace_bytes(how.backend, direction, in.shapes), a_.queue);
    workspace_ = &buffers_.back();
    a_.workspace = {static_cast<std::byte*>(workspace_->address()), workspace_->bytes().size()};
  }

  Result run(std::byte fill) {
    for (Guarded* r : results_) r->fill(fill);
    workspace_->fill(fill);
    for (const Guarded& b : buffers_) b.upload();
    kernel_(op_, a_);
    for (Guarded& b : buffers_) {
      b.download();
      b.check();
    }
    value_.bytes = bytes_of(how_.in_place ? *taken_ : *results_.front());
    if (saved_) saved_->bytes = bytes_of(*results_.back());
    return {value_, saved_};
  }

 private:
  static std::vector<std::byte> bytes_of(Guarded& g) { return {g.bytes().begin(), g.bytes().end()}; }
  Stored relayed(const Stored& s, Dtype dtype) const {
    return Stored::of(s.numbers(), dtype, s.shape, layout_);
  }

  // A record of numbers is of the call's type.
  Dtype recorded(Dtype dtype) const {
    return dtype == Dtype::f32 || dtype == Dtype::f64 ? how_.dtype : dtype;
  }

  void* operand(std::string what, const Stored& s) {
    return buffers_.emplace_back(std::move(what), s, a_.queue).address();
  }
  void* result(std::string what, const Stored& s) {
    results_.push_back(
        &buffers_.emplace_back(std::move(what), static_cast<int64_t>(s.bytes.size()), a_.queue));
    return results_.back()->address();
  }
  void* take_over(size_t buffer) {
    taken_ = &buffers_[buffer];
    taken_->release();
    return taken_->address();
  }

  void* parameter(size_t p, const ParameterSpec& spec, Direction direction, const Operands& in) {
    // Rungs of a ladder read parameters planar, as ref does.
    const bool planar = how_.dtype == Dtype::f64 || how_.kernel;
    const int64_t packed = planar ? 0 : op_.packed_size(how_.backend, direction, in.shapes, p);
    Stored plain = Stored::of(in.parameters[p], how_.dtype, spec.shape, Layout::planar);
    if (packed == 0) return operand(spec.name, plain);
    std::vector<std::byte> first;
    for (const auto fill : {std::byte{0xFF}, std::byte{0x5A}}) {
      Guarded from(spec.name, plain, {}), to("the packed " + spec.name, packed * 4, {});
      to.fill(fill);
      op_.pack(how_.backend, direction, in.shapes, p, reinterpret_cast<const float*>(from.data()),
               reinterpret_cast<float*>(to.data()));
      from.check();
      to.check();
      if (!first.empty() && first != bytes_of(to))
        throw Violation("pack() left part of the packed " + spec.name + " unwritten");
      first = bytes_of(to);
    }
    return operand("the packed " + spec.name, Stored{Dtype::f32, {packed}, Layout::planar, first});
  }

  const Op& op_;
  const How& how_;
  Layout layout_;
  Kernel kernel_;
  std::vector<Guarded> buffers_;
  std::vector<Guarded*> results_;  // the value (unless in place), then `saved`
  Guarded* taken_ = nullptr;
  Guarded* workspace_ = nullptr;
  std::vector<Array> inputs_, parameters_;
  Arguments a_;
  Stored value_;
  std::optional<Stored> saved_;
};

// Throws unless both runs left the same bytes.
void expect_written(const std::string& what, const Stored& a, const Stored& b) {
  if (a.bytes == b.bytes) return;
  for (int64_t i = 0; i < a.shape.numel(); ++i) {
    const double x = get(a, position(a, i)), y = get(b, position(b, i));
    if (std::memcmp(&x, &y, sizeof x) != 0)
      throw Violation(what + " at " + coordinates(a.shape, i) +
                      " was not written, or depends on what memory held before");
  }
  throw Violation("the padding of " + what + " was not written");
}

void expect_zero_padding(const std::string& what, const Stored& a) {
  if (a.dtype == Dtype::u8) return;  // a switch of a padding lane points at a zero, wherever it points
  if (Stored::of(a.numbers(), a.dtype, a.shape, a.layout).bytes != a.bytes)
    throw Violation("the padding of " + what + " is not zero");
}

}  // namespace

std::string coordinates(const Shape& shape, int64_t index) {
  std::string s;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    s = std::to_string(index % shape[d]) + (s.empty() ? "" : ", ") + s;
    index /= shape[d];
  }
  return "(" + s + ")";
}

Stored Stored::of(const Numbers& numbers, Dtype dtype, const Shape& shape, Layout layout) {
  Stored s = shaped(dtype, shape, layout);
  for (int64_t i = 0; i < shape.numel(); ++i) set(s, position(s, i), numbers[static_cast<size_t>(i)]);
  return s;
}

Numbers Stored::numbers() const {
  Numbers n(static_cast<size_t>(shape.numel()));
  for (int64_t i = 0; i < shape.numel(); ++i) n[static_cast<size_t>(i)] = get(*this, position(*this, i));
  return n;
}

Stored Stored::images(int64_t begin, int64_t count) const {
  const int64_t size = image_bytes(dtype, shape, layout);
  const auto first = bytes.begin() + begin * size;
  return {dtype, shape.with(0, count), layout, {first, first + count * size}};
}

std::optional<size_t> parameter_of(const Op& op, Direction direction, Op::Shapes shapes) {
  using Role = ParameterSpec::Role;
  const auto specs = op.parameters(shapes);
  for (size_t p = 0; p < specs.size(); ++p) {
    const Role r = specs[p].role;
    if (direction == Direction::vjp_weight && (r == Role::weight || r == Role::norm_weight)) return p;
    if (direction == Direction::vjp_bias && (r == Role::bias || r == Role::norm_bias)) return p;
  }
  return std::nullopt;
}

Result call(const Op& op, Direction direction, const How& how, const Operands& operands) {
  std::optional<Result> first;
  for (const auto fill : {std::byte{0xFF}, std::byte{0x5A}}) {  // as a float: NaN, and 1.5e16
    Call c(op, direction, how, operands);
    Result r = c.run(fill);
    expect_zero_padding("the result", r.value);
    if (r.saved) expect_zero_padding("the saved record", *r.saved);
    if (!first) {
      first = std::move(r);
      continue;
    }
    expect_written("the result", first->value, r.value);
    if (r.saved) expect_written("the saved record", *first->saved, *r.saved);
  }
  return *first;
}

}  // namespace loupe::test
