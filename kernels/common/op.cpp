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

std::string_view direction_name(Direction d) {
  switch (d) {
    case Direction::forward:
      return "forward";
    case Direction::vjp_input:
      return "vjp_input";
    case Direction::vjp_weight:
      return "vjp_weight";
    case Direction::vjp_bias:
      return "vjp_bias";
  }
  return "?";
}

namespace {

Kernel cell(const OpKind& kind, Backend backend, Direction direction) {
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
  throw Error(std::string(name) + " has no " + std::string(direction_name(direction)) + " kernel on the " +
              std::string(backend_name(backend)) + " backend (`loupe ops` lists what there is)");
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

}  // namespace loupe
