#include "kernels/elementwise/binary_op.h"

#include <algorithm>
#include <vector>

#include "kernels/common/parallel.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/numbers_ref.h"

namespace loupe {

namespace {

// The dimensions as they lie in memory, padded with ones from the left to `rank`.
std::vector<int64_t> dims_in(const Shape& s, Layout layout, int rank) {
  if (layout == Layout::blocked) {
    const auto [n, c, h, w] = Nchw::of(s);
    return {n, blocks(c), h, w, kBlock};
  }
  std::vector<int64_t> dims(static_cast<size_t>(rank - s.rank()), 1);
  dims.insert(dims.end(), s.dims().begin(), s.dims().end());
  return dims;
}

// Puts `outer` before the dimensions there are, or makes one of the first and it.
void prepend(BinarySum::Dims& dims, const BinarySum::Dim& outer) {
  if (dims.rank > 0) {
    BinarySum::Dim& first = dims.dim[0];
    if (outer.g == first.size * first.g && outer.a == first.size * first.a &&
        outer.b == first.size * first.b) {
      first.size *= outer.size;
      return;
    }
  }
  std::copy_backward(dims.dim, dims.dim + dims.rank, dims.dim + dims.rank + 1);
  dims.dim[0] = outer;
  ++dims.rank;
}

}  // namespace

BinarySum binary_sum(Binary kind, Direction direction, const Shape& a, const Shape& b, Layout layout) {
  const int rank = std::max(a.rank(), b.rank());
  const std::vector<int64_t> a_dims = dims_in(a, layout, rank), b_dims = dims_in(b, layout, rank);
  BinarySum s{.kind = kind, .operand = direction.operand};
  int64_t g = 1, a_step = 1, b_step = 1;
  bool innermost = true;
  for (size_t i = a_dims.size(); i-- > 0;) {
    const int64_t size = std::max(a_dims[i], b_dims[i]);
    if (size == 1) continue;
    const BinarySum::Dim dim{size, g, a_dims[i] == 1 ? 0 : a_step, b_dims[i] == 1 ? 0 : b_step};
    const bool summed = (s.operand == 0 && dim.a == 0) || (s.operand == 1 && dim.b == 0);
    if (innermost) s.rows = summed;
    innermost = false;
    prepend(summed ? s.summed : s.kept, dim);
    g *= size;
    a_step *= a_dims[i];
    b_step *= b_dims[i];
  }
  if (s.kept.rank == 0) prepend(s.kept, {});
  return s;
}

Shape BinaryOp::shape(Shapes inputs) const {
  expect_inputs(kind_.name, inputs, 2);
  for (const Shape& s : inputs) expect_not_empty(kind_.name, s);
  const Shape& a = inputs[0];
  const Shape& b = inputs[1];
  const int rank = std::max(a.rank(), b.rank());
  std::vector<int64_t> dims;
  for (int i = -rank; i < 0; ++i) {
    const int64_t m = a.rank() + i < 0 ? 1 : a[a.rank() + i], n = b.rank() + i < 0 ? 1 : b[b.rank() + i];
    if (m != n && m != 1 && n != 1)
      throw UsageError(std::string(kind_.name) + " takes shapes that broadcast, got " + a.str() + " and " +
                       b.str() + ": counted from the right, dimensions must be equal, or 1 in one of them");
    dims.push_back(std::max(m, n));
  }
  return Shape(dims);
}

std::optional<OnWindow> BinaryOp::on_window(Shapes inputs) const {
  const Shape y = shape(inputs);
  OnWindow w{.maps = 0};
  for (size_t i = 0; i < 2; ++i) {
    const Shape& s = inputs[i];
    const bool whole_maps = s.rank() < 2 ? s.numel() == 1 : s[s.rank() - 2] == 1 && s[s.rank() - 1] == 1;
    if (s == y)
      w.maps |= uint64_t{1} << i;
    else if (!whole_maps)
      return std::nullopt;
  }
  return w;
}

// Blocked operands must agree in the channels of their blocks.
LayoutWish BinaryOp::layout(Backend backend, Shapes inputs) const {
  const Shape &a = inputs[0], &b = inputs[1];
  if (a == b || backend != Backend::cpu) return LayoutWish::any;
  const bool blocks_alike = a.rank() == b.rank() && (a.rank() == 2 || a.rank() == 4) && a[1] == b[1];
  return blocks_alike ? LayoutWish::any : LayoutWish::planar;
}

bool BinaryOp::fuses(Backend, Direction d, const Epilogue& e, Shapes inputs) const {
  return binary_ == Binary::add && inputs[0] == inputs[1] && d.is_forward() && !e.residual &&
         e.row == Epilogue::Row::none;
}

Needs BinaryOp::needs(Direction d) const {
  if (d.is_forward()) return {.operands = 3};
  Needs n;
  ref::binary_terms::visit(binary_, [&](auto f) { n.operands = decltype(f)::reads[d.operand]; });
  return n;
}

int64_t BinaryOp::accumulation_length(Direction d, Shapes inputs) const {
  if (d.is_forward()) return 0;
  const int64_t terms = shape(inputs).numel() / inputs[static_cast<size_t>(d.operand)].numel();
  return terms > 1 ? terms : 0;
}

namespace {

// Padding lanes of a blocked array become zero: 0 / 0 and 0 = 0 are not.
void clear_padding(const Array& a) {
  const auto [n, c, h, w] = Nchw::of(a.shape);
  const int64_t pixels = h * w, used = c % kBlock;
  if (a.layout != Layout::blocked || used == 0) return;
  parallel_for(n, [&](int64_t b) {
    float* last = a.as<float>() + ((b + 1) * blocks(c) - 1) * pixels * kBlock;
    for (int64_t p = 0; p < pixels; ++p) std::fill(last + p * kBlock + used, last + (p + 1) * kBlock, 0.0f);
  });
}

void run(Backend backend, const Op& op, const Arguments& x) {
  const Binary kind = static_cast<const BinaryOp&>(op).binary();
  const Array &a = x.inputs[0], &b = x.inputs[1];
  const bool forward = x.direction.is_forward();
  if (kind == Binary::add && forward && a.shape == b.shape)  // the residual connection: an epilogue alone
    return finish(backend, x.queue, {.function = x.epilogue.function, .residual = true}, a, b, x.output,
                  x.epilogue_record);
  const Array& to = forward ? x.output : x.grad;
  const BinarySum s = binary_sum(kind, x.direction, a.shape, b.shape, to.layout);
  const Array& g = x.grad_output;
  if (backend == Backend::ref)
    return with_float_type(to.dtype, [&](auto t) {
      using T = decltype(t);
      ref::binary(s, g.as<T>(), a.as<T>(), b.as<T>(), to.as<T>());
    });
  if (backend != Backend::cpu)
    return device::binary(x.queue, s, g.as<float>(), a.as<float>(), b.as<float>(), to.as<float>());
  cpu::binary(s, g.as<float>(), a.as<float>(), b.as<float>(), to.as<float>());
  const bool fills = kind == Binary::div || kind == Binary::less_or_equal || kind == Binary::equal;
  if (fills && to.layout == Layout::blocked) clear_padding(to);
}

void ref_run(const Op& op, const Arguments& a) { run(Backend::ref, op, a); }
void cpu_run(const Op& op, const Arguments& a) { run(Backend::cpu, op, a); }
void device_run(const Op& op, const Arguments& a) { run(a.queue.module->backend(), op, a); }

}  // namespace

OpKind binary_kind(std::string_view name, std::string_view summary) {
  return {.name = name,
          .summary = summary,
          .kernels = {{Direction::forward, ref_run, cpu_run, device_run},
                      {Direction::vjp(0), ref_run, cpu_run, device_run},
                      {Direction::vjp(1), ref_run, cpu_run, device_run}},
          .operands = {"input", "other"}};
}

}  // namespace loupe
