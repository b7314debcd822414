#include "tests/support/op_call.h"

#include <algorithm>
#include <cstring>

#include "tests/support/guarded.h"

namespace loupe::test {

namespace {

bool is_real(Dtype d) { return d == Dtype::f32 || d == Dtype::f64; }

std::vector<std::byte> bytes_of(Guarded& g) { return {g.bytes().begin(), g.bytes().end()}; }

// The buffers of one call, filled once.
class GuardedCall {
 public:
  GuardedCall(const Op& op, Direction direction, const How& how, const Operands& in)
      : op_(op),
        how_(how),
        in_(in),
        given_(given_of(op, in)),
        wish_(how.kernel ? LayoutWish::planar : op.layout(how.backend, in.shapes)),
        call_(op.prepare(how.backend, direction, in.shapes, how.options)) {
    if (how.kernel) {
      call_.packing.clear();
      call_.run = [&op, kernel = how.kernel](const Arguments& a) { kernel(op, a); };
    }
    if (how.backend == Backend::sim || how.backend == Backend::cuda)
      a_.queue.module = &DeviceModule::of(how.backend);
    a_.direction = direction;
    a_.epilogue = how.epilogue;
    buffers_.reserve(in.inputs.size() + 2 * output_types().size() + 8);  // addresses must stay
    operands();
    if (direction.is_forward())
      forward();
    else
      vjp();
    a_.workspace = {static_cast<std::byte*>(buffer("the workspace", call_.workspace).address()),
                    static_cast<size_t>(call_.workspace)};
    scratch_.push_back(&buffers_.back());
  }

  Result run(std::byte fill) {
    for (Guarded* s : scratch_) s->fill(fill);
    for (const Guarded& b : buffers_) b.upload();
    call_.run(a_);
    for (Guarded& b : buffers_) {
      b.download();
      b.check();
    }
    for (const Destination& d : destinations_) d.of->bytes = bytes_of(*d.buffer);
    return result_;
  }

 private:
  struct Destination {
    Stored* of;
    Guarded* buffer;
  };

  Dtype type_of(size_t i) const { return i < how_.input_types.size() ? how_.input_types[i] : how_.dtype; }
  Dtype recorded(Dtype dtype) const { return is_real(dtype) ? how_.dtype : dtype; }
  bool is_parameter(size_t i) const { return i >= given_; }
  Layout layout_of(const Shape& s) const { return layout_on(how_.backend, wish_, how_.layout, s); }
  Layout layout_of(size_t i) const { return is_parameter(i) ? Layout::planar : layout_of(in_.shapes[i]); }
  std::string name_of(size_t i) const {
    const OpKind& kind = op_.kind();
    if (kind.variadic || i >= kind.operands.size()) return "input " + std::to_string(i);
    return std::string(kind.operands[i]);
  }

  std::vector<Type> output_types() const {
    std::vector<Type> types;
    for (size_t i = 0; i < in_.shapes.size(); ++i)  // a graph's type of the device's float is f32
      types.push_back({is_real(type_of(i)) ? Dtype::f32 : type_of(i), in_.shapes[i]});
    return op_.infer(types);
  }

  Guarded& buffer(std::string what, int64_t bytes) {
    return buffers_.emplace_back(std::move(what), bytes, a_.queue);
  }
  Array operand(std::string what, const Stored& s) {
    return {buffers_.emplace_back(std::move(what), s, a_.queue).address(), s.dtype, s.shape, s.layout};
  }
  // An array to be written, or read, in the layout of this call.
  Array result(std::string what, Stored& s) {
    Guarded& b = buffer(std::move(what), array_bytes(s.dtype, s.shape, s.layout));
    scratch_.push_back(&b);
    destinations_.push_back({&s, &b});
    return {b.address(), s.dtype, s.shape, s.layout};
  }
  Array result_in_place(size_t taken, Stored& s) {
    Guarded& b = buffers_[taken];
    b.release();
    destinations_.push_back({&s, &b});
    return {b.address(), s.dtype, s.shape, s.layout};
  }
  Stored laid_out(const Numbers& numbers, Dtype dtype, const Shape& shape) const {
    return Stored::of(numbers, dtype, shape, layout_of(shape));
  }
  Stored relayed(const Stored& s) const { return laid_out(s.numbers(), recorded(s.dtype), s.shape); }

  // A given operand that the direction does not name is null; a parameter is there all the same, but holds
  // whatever.
  void operands() {
    const uint32_t read = a_.direction.is_forward() ? ~0u : op_.needs(a_.direction).operands;
    for (size_t i = 0; i < in_.shapes.size(); ++i) {
      Array a{nullptr, type_of(i), in_.shapes[i], layout_of(i)};
      const auto packing =
          std::ranges::find(call_.packing, static_cast<int>(i), [](const Packing& p) { return p.operand; });
      if (!(read >> i & 1)) {
        if (packing != call_.packing.end())
          throw Violation("packs " + name_of(i) + ", which needs() does not name");
        if (is_parameter(i)) {
          Guarded& b = buffer(name_of(i) + ", which needs() does not name", a.bytes());
          scratch_.push_back(&b);
          a.data = b.address();
        }
      } else if (packing != call_.packing.end()) {
        a = packed(i, *packing);
      } else {
        a = operand(name_of(i), Stored::of(in_.inputs[i], a.dtype, a.shape, a.layout));
      }
      inputs_.push_back(a);
    }
    a_.inputs = inputs_;
  }

  Array packed(size_t i, const Packing& packing) {
    if (how_.dtype != Dtype::f32) throw Violation("packs " + name_of(i) + " of a call in double");
    const Stored plain = Stored::of(in_.inputs[i], Dtype::f32, in_.shapes[i], Layout::planar);
    const std::string what = "the packed " + name_of(i);
    std::vector<std::byte> first;
    for (const auto fill : {std::byte{0xFF}, std::byte{0x5A}}) {
      Guarded from(name_of(i), plain, {}), to(what, packing.floats * dtype_bytes(Dtype::f32), {});
      to.fill(fill);
      packing.pack(reinterpret_cast<const float*>(from.data()), reinterpret_cast<float*>(to.data()));
      from.check();
      to.check();
      if (!first.empty() && first != bytes_of(to))
        throw Violation("the packing left part of " + what + " unwritten");
      first = bytes_of(to);
    }
    Array a = operand(what, Stored{Dtype::f32, {packing.floats}, Layout::planar, first});
    a.shape = in_.shapes[i];
    return a;
  }

  void residual(const Shape& shape) {
    if (how_.epilogue.residual)
      a_.residual = operand("the residual", laid_out(in_.residual, how_.dtype, shape));
  }

  void forward() {
    const std::vector<Type> types = output_types();
    result_.more.resize(types.size() - 1);
    for (size_t k = 0; k < types.size(); ++k) {
      Stored& s = k ? result_.more[k - 1] : result_.value;
      s = {recorded(types[k].dtype), types[k].shape, layout_of(types[k].shape), {}};
      Array a{nullptr, s.dtype, s.shape, s.layout};
      if (how_.unwanted != static_cast<int>(k)) {
        const std::string what = k ? "output " + std::to_string(k) : "the output";
        a = how_.in_place && k == 0 ? result_in_place(0, s) : result(what, s);
      }
      outputs_.push_back(a);
    }
    a_.output = outputs_[0];
    a_.outputs = outputs_;
    residual(types[0].shape);
    if (!how_.tape) return;
    if (const auto r = op_.record(in_.shapes)) {
      result_.record = Stored{recorded(r->dtype), r->shape, layout_of(r->shape), {}};
      a_.record = result("the record", *result_.record);
    }
    if (const auto& r = how_.epilogue_keeps) {
      result_.epilogue_record = Stored{recorded(r->dtype), r->shape, layout_of(r->shape), {}};
      a_.epilogue_record = result("the epilogue's record", *result_.epilogue_record);
    }
  }

  void vjp() {
    const auto at = static_cast<size_t>(a_.direction.operand);
    const std::vector<Type> types = output_types();
    const Needs needs = op_.needs(a_.direction);
    const size_t signal = buffers_.size();
    for (size_t k = 0; k < types.size(); ++k) {
      const Shape& shape = types[k].shape;
      const Dtype dtype = recorded(types[k].dtype);
      Array y{nullptr, dtype, shape, layout_of(shape)}, g = y;
      const Numbers& numbers = k ? in_.more_grad_outputs.at(k - 1) : in_.grad_output;
      if (!numbers.empty()) g = operand("dL/dy", laid_out(numbers, dtype, shape));
      if (needs.output) y = operand("y", relayed(k ? in_.more_outputs[k - 1] : *in_.output));
      outputs_.push_back(y);
      grad_outputs_.push_back(g);
    }
    a_.output = outputs_[0];
    a_.outputs = outputs_;
    a_.grad_output = grad_outputs_[0];
    a_.grad_outputs = grad_outputs_;
    if (needs.record) a_.record = operand("the record", relayed(*in_.record));
    if (in_.epilogue_record)
      a_.epilogue_record = operand("the epilogue's record", relayed(*in_.epilogue_record));
    residual(in_.shapes[at]);
    result_.value = {how_.dtype, in_.shapes[at], layout_of(at), {}};
    a_.grad = how_.in_place ? result_in_place(signal, result_.value) : result("the gradient", result_.value);
  }

  const Op& op_;
  const How& how_;
  const Operands& in_;
  size_t given_;
  LayoutWish wish_;
  loupe::Call call_;
  std::vector<Guarded> buffers_;
  std::vector<Guarded*> scratch_;  // what holds anything before a run
  std::vector<Destination> destinations_;
  std::vector<Array> inputs_, outputs_, grad_outputs_;
  Arguments a_;
  Result result_;
};

// Throws unless both runs left the same bytes.
void expect_written(const std::string& what, const Stored& a, const Stored& b) {
  if (a.bytes == b.bytes) return;
  const Numbers x = a.numbers(), y = b.numbers();
  for (size_t i = 0; i < x.size(); ++i)
    if (std::memcmp(&x[i], &y[i], sizeof x[i]) != 0)
      throw Violation(what + " at " + coordinates(a.shape, static_cast<int64_t>(i)) +
                      " was not written, or depends on what memory held before");
  throw Violation("the padding of " + what + " was not written");
}

void expect_zero_padding(const std::string& what, const Stored& a) {
  // A switch of a padding lane points at a zero, wherever it points. What was not wanted has no bytes.
  if (a.dtype == Dtype::u8 || a.bytes.empty()) return;
  if (Stored::of(a.numbers(), a.dtype, a.shape, a.layout).bytes != a.bytes)
    throw Violation("the padding of " + what + " is not zero");
}

// Every array of a result, with its name.
template <typename Visit>
void each_array(const Result& r, const Visit& visit) {
  visit("the result", r.value);
  for (size_t k = 0; k < r.more.size(); ++k) visit("output " + std::to_string(k + 1), r.more[k]);
  if (r.record) visit("the record", *r.record);
  if (r.epilogue_record) visit("the epilogue's record", *r.epilogue_record);
}

}  // namespace

size_t given_of(const Op& op, const Operands& o) {
  if (o.given) return *o.given;
  for (size_t given = 1; given < o.shapes.size(); ++given) {
    try {
      if (given + op.parameters(std::span(o.shapes).first(given)).size() == o.shapes.size()) return given;
    } catch (const UsageError&) {
      continue;  // more are given
    }
  }
  return o.shapes.size();
}

Layout layout_on(Backend backend, LayoutWish wish, std::optional<Layout> chosen, const Shape& shape) {
  const bool blocked = wish == LayoutWish::blocked || (wish == LayoutWish::any && chosen == Layout::blocked);
  if (blocked && backend != Backend::cpu)
    throw Violation("wants blocked arrays on " + std::string(backend_name(backend)));
  return blocked && (shape.rank() == 2 || shape.rank() == 4) ? Layout::blocked : Layout::planar;
}

Result call(const Op& op, Direction direction, const How& how, const Operands& operands) {
  std::vector<Result> results;
  for (const auto fill : {std::byte{0xFF}, std::byte{0x5A}}) {  // as a float: NaN, and 1.5e16
    GuardedCall c(op, direction, how, operands);
    results.push_back(c.run(fill));
    each_array(results.back(), expect_zero_padding);
  }
  std::vector<const Stored*> second;
  each_array(results[1], [&](const std::string&, const Stored& s) { second.push_back(&s); });
  auto other = second.begin();
  each_array(results[0],
             [&](const std::string& what, const Stored& s) { expect_written(what, s, **other++); });
  return results[0];
}

}  // namespace loupe::test
