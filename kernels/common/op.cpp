#include "kernels/common/op.h"

namespace loupe {

std::string_view backend_name(Backend b) {
  switch (b) {
    case Backend::ref:
      return "ref";
    case Backend::cpu:
      return "cpu";
    case Backend::cuda:
      return "cuda";
    case Backend::sim:
      return "sim";
  }
  return "?";
}

namespace {

Kernel cell(const OpKind& kind, Backend backend, Direction direction) {
  if (kind.variadic && !direction.is_forward()) direction = Direction::vjp_input;
  for (const OpKind::Row& row : kind.kernels) {
    if (row.direction != direction) continue;
    if (backend == Backend::ref) return row.ref;
    return backend == Backend::cpu ? row.cpu : row.device;
  }
  return nullptr;
}

}  // namespace

bool OpKind::has(Backend backend, Direction direction) const {
  return cell(*this, backend, direction) != nullptr;
}

Kernel OpKind::kernel(Backend backend, Direction direction) const {
  if (const Kernel found = cell(*this, backend, direction)) return found;
  throw Error(std::string(name) + " has no " + direction_name(direction) + " kernel on the " +
              std::string(backend_name(backend)) + " backend (`loupe ops` lists what there is)");
}

std::string OpKind::direction_name(Direction direction) const {
  if (direction.is_forward()) return "forward";
  const auto i = static_cast<size_t>(direction.operand);
  if (i < operands.size()) return "vjp_" + std::string(operands[i]);
  return "vjp_" + (variadic ? std::string(operands.back()) : "operand") + "_" + std::to_string(i);
}

std::vector<Type> Op::infer(Types inputs) const {
  std::vector<Shape> shapes;
  Dtype real = Dtype::f32;
  for (const Type& t : inputs) {
    if (t.dtype != Dtype::f32 && t.dtype != Dtype::f64)
      throw UsageError(std::string(kind().name) + " takes floats, got " + std::string(dtype_name(t.dtype)) +
                       " " + t.shape.str());
    if (t.dtype == Dtype::f64) real = Dtype::f64;
    shapes.push_back(t.shape);
  }
  return {{real, shape(shapes)}};
}

Shape Op::shape(Shapes) const {
  throw Error(std::string(kind().name) + " has more to say of its outputs than a shape: ask infer()");
}

Call Op::prepare(Backend backend, Direction direction, Shapes, const KernelOptions&) const {
  return table_call(backend, direction);
}

Call Op::table_call(Backend backend, Direction direction) const {
  return {
      .run = [this, kernel = kind().kernel(backend, direction)](const Arguments& a) { kernel(*this, a); }};
}

void Op::expect_parameters(Shapes inputs, size_t given) const {
  if (inputs.size() < given) return expect_inputs(kind().name, inputs, given);
  const auto specs = parameters(inputs.first(given));
  if (inputs.size() == given && !specs.empty())
    throw UsageError(std::string(kind().name) + " lacks its " + specs[0].name);
  expect_inputs(kind().name, inputs, given + specs.size());
  for (size_t p = 0; p < specs.size(); ++p)
    if (inputs[given + p] != specs[p].shape)
      throw UsageError(std::string(kind().name) + ": its " + specs[p].name + " must be " +
                       specs[p].shape.str() + ", got " + inputs[given + p].str());
}

LayoutWish maps_wish(Backend backend, const Shape& input) {
  return backend == Backend::cpu && (input.rank() == 2 || input.rank() == 4) ? LayoutWish::blocked
                                                                             : LayoutWish::planar;
}

void expect_inputs(std::string_view op, Op::Shapes inputs, size_t count) {
  if (inputs.size() != count)
    throw UsageError(std::string(op) + " takes " + std::to_string(count) + " input(s), got " +
                     std::to_string(inputs.size()));
}

Nchw expect_maps(std::string_view op, const Shape& input) {
  if (input.rank() != 4 || input.numel() == 0)
    throw UsageError(std::string(op) + " takes non-empty maps (N, C, H, W), got " + input.str());
  return Nchw::of(input);
}

void expect_not_empty(std::string_view op, const Shape& input) {
  if (input.numel() == 0) throw UsageError(std::string(op) + " takes a non-empty input, got " + input.str());
}

int expect_axis(std::string_view op, const Shape& input, int axis) {
  if (axis >= -input.rank() && axis < input.rank()) return axis < 0 ? axis + input.rank() : axis;
  throw UsageError(std::string(op) + ": " + input.str() + " has no axis " + std::to_string(axis));
}

}  // namespace loupe
