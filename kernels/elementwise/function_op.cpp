#include "kernels/elementwise/function_op.h"

#include <algorithm>
#include <memory>

namespace loupe {

const FunctionInfo& function_info(const Function& f) {
  const auto all = all_functions();
  if (f.id < 0 || static_cast<size_t>(f.id) >= all.size())
    throw Error("no elementwise function has the number " + std::to_string(f.id));
  return all[static_cast<size_t>(f.id)];
}

std::string describe(const Function& f, bool with_name) {
  const FunctionInfo& info = function_info(f);
  std::string text(with_name ? info.name : "");
  const float values[] = {f.a, f.b};
  for (size_t i = 0; i < info.parameters.size(); ++i) {
    std::string value = std::to_string(values[i]);
    if (value.find('.') != std::string::npos) value.erase(value.find_last_not_of('0') + 1);
    if (value.back() == '.') value.pop_back();
    text += (text.empty() ? "" : ", ") + std::string(info.parameters[i].name) + " " + value;
  }
  return text;
}

Record function_record(const Function& f, const Shape& shape) {
  return {function_info(f).keeps == Keeps::bit ? Dtype::bit : Dtype::f32, shape};
}

OpPtr function_op(const Function& f) {
  function_info(f);
  return std::make_shared<FunctionOp>(f);
}

OpPtr function_op(std::string_view name, std::initializer_list<float> parameters) {
  const auto all = all_functions();
  const auto found = std::ranges::find(all, name, &FunctionInfo::name);
  if (found == all.end()) throw UsageError("there is no elementwise function " + std::string(name));
  if (parameters.size() > found->parameters.size())
    throw UsageError(std::string(name) + " takes at most " + std::to_string(found->parameters.size()) +
                     " parameter(s), got " + std::to_string(parameters.size()));
  float values[2] = {};
  for (size_t i = 0; i < found->parameters.size(); ++i)
    values[i] = i < parameters.size() ? parameters.begin()[i] : found->parameters[i].usual;
  return function_op(Function{static_cast<int16_t>(found - all.begin()), values[0], values[1]});
}

const OpKind& FunctionOp::kind() const { return *kFunctionKinds[function_.id]; }

Shape FunctionOp::shape(Shapes inputs) const {
  const std::string_view name = function_info(function_).name;
  expect_inputs(name, inputs, 1);
  expect_not_empty(name, inputs[0]);
  return inputs[0];
}

namespace {

// Images and their size: bits of a record are counted within an image.
struct Images {
  int64_t n, image;
  explicit Images(const Shape& s) : n(s.rank() ? s[0] : 1), image(s.numel() / std::max<int64_t>(n, 1)) {}
};

void forward(Backend backend, const Op& op, const Arguments& a) {
  finish(backend, a.queue, {.function = op.function()}, a.inputs[0], {}, a.output, a.record);
}
void vjp(Backend backend, const Op& op, const Arguments& a) {
  finish(backend, a.queue, {.function = op.function(), .row = Epilogue::Row::slope}, a.grad_output, {},
         a.grad, a.record);
}
void ref_forward(const Op& op, const Arguments& a) { forward(Backend::ref, op, a); }
void ref_vjp(const Op& op, const Arguments& a) { vjp(Backend::ref, op, a); }
void cpu_forward(const Op& op, const Arguments& a) { forward(Backend::cpu, op, a); }
void cpu_vjp(const Op& op, const Arguments& a) { vjp(Backend::cpu, op, a); }
void device_forward(const Op& op, const Arguments& a) { forward(a.queue.module->backend(), op, a); }
void device_vjp(const Op& op, const Arguments& a) { vjp(a.queue.module->backend(), op, a); }

}  // namespace

OpKind function_kind(int16_t id) {
  const FunctionInfo& info = function_info({.id = id});
  return {info.name,
          info.summary,
          {{Direction::forward, ref_forward, cpu_forward, device_forward},
           {Direction::vjp_input, ref_vjp, cpu_vjp, device_vjp}}};
}

void finish(Backend backend, const Queue& queue, const Epilogue& e, const Array& from, const Array& residual,
            const Array& to, const Array& record) {
  const Images s(to.shape);
  if (backend == Backend::ref)
    return with_float_type(to.dtype, [&](auto t) {
      using T = decltype(t);
      ref::finish(e, from.as<T>(), residual.as<T>(), to.as<T>(), record.data, s.n, s.image);
    });
  const float *x = from.as<float>(), *r = residual.as<float>();
  if (backend != Backend::cpu)
    return device::finish(queue, e, x, r, to.as<float>(), record.data, s.n, s.image);
  if (to.layout == Layout::planar)
    return cpu::finish_planar(e, x, r, to.as<float>(), record.data, s.n, s.image);
  const auto [n, c, h, w] = Nchw::of(to.shape);
  cpu::finish_blocked(e, x, r, to.as<float>(), record.data, n, c, h * w);
}

void channels_on(Backend backend, const Queue& queue, const Array& mask, uint8_t* on) {
  const auto [n, c, h, w] = Nchw::of(mask.shape);
  if (backend == Backend::cuda || backend == Backend::sim)
    return device::channels_on(queue, mask.as<uint8_t>(), on, n, c, h * w);
  if (mask.layout == Layout::blocked) return cpu::channels_on(mask.as<uint16_t>(), on, n, c, h * w);
  ref::channels_on(mask.as<uint8_t>(), on, n, c, h * w);
}

}  // namespace loupe
