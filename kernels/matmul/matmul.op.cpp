#include "kernels/matmul/matmul.h"

#include <algorithm>

namespace loupe {

extern const OpKind matmul_kind;

namespace {

// A batch of matrices: operands, or dL/dy, seen in the batch of the output.
struct Matrices {
  Product::Strides strides;
  int64_t batch[Product::kDims] =
      {};  // from one matrix to the next along each dimension; 0 where it is repeated

  Matrices transposed() const {
    Matrices t = *this;
    std::swap(t.strides.row, t.strides.col);
    return t;
  }
};

// Size of dimension `d` of kDims of a batch; 1 where the shape has none.
int64_t batch_size(const Shape& s, int d) {
  const int at = d - (Product::kDims - (s.rank() - 2));
  return at < 0 ? 1 : s[at];
}

Matrices matrices_of(const Shape& s) {
  Matrices m{{s.back(), 1}};
  int64_t stride = s[s.rank() - 2] * s.back();
  for (int d = Product::kDims - 1; d >= 0; --d) {
    m.batch[d] = batch_size(s, d) == 1 ? 0 : stride;
    stride *= batch_size(s, d);
  }
  return m;
}

// Which arrays a product multiplies: 0 and 1 are the operands, 2 is dL/dy.
struct Roles {
  int left, right;
  Product product;
};

class MatMulOp : public Op {
 public:
  explicit MatMulOp(const MatMul& c) : c_(c) {}
  const OpKind& kind() const override { return matmul_kind; }
  std::string describe() const override {
    const std::string a = c_.transpose_a ? "aᵀ" : "a", b = c_.transpose_b ? "bᵀ" : "b";
    return a + " · " + b;
  }
  Shape shape(Shapes inputs) const override;
  int64_t macs(Shapes inputs) const override { return shape(inputs).numel() * inner(inputs); }
  std::optional<Window> window() const override { return std::nullopt; }
  Needs needs(Direction d) const override {
    return {.operands = d.is_forward() ? 0u : d.operand == 0 ? 2u : 1u};
  }
  Call prepare(Backend, Direction, Shapes, const KernelOptions&) const override;
  int64_t accumulation_length(Direction d, Shapes inputs) const override {
    return roles(d, inputs).product.length();
  }
  Roles roles(Direction, Shapes inputs) const;
  /// How a device cuts the sums: those of the gradient of a matrix that all images share.
  Parts parts(Direction, Shapes inputs) const;

 private:
  int64_t rows(const Shape& a) const { return a[a.rank() - (c_.transpose_a ? 1 : 2)]; }
  int64_t columns(const Shape& b) const { return b[b.rank() - (c_.transpose_b ? 2 : 1)]; }
  int64_t inner(Shapes inputs) const { return inputs[0][inputs[0].rank() - (c_.transpose_a ? 2 : 1)]; }
  MatMul c_;
};

Shape MatMulOp::shape(Shapes inputs) const {
  expect_inputs("matmul", inputs, 2);
  const Shape &a = inputs[0], &b = inputs[1];
  const std::string both = a.str() + " and " + b.str();
  if (a.rank() < 2 || b.rank() < 2 || a.numel() == 0 || b.numel() == 0)
    throw UsageError("matmul takes two non-empty inputs of rank 2 or more, got " + both);
  const int64_t b_inner = b[b.rank() - (c_.transpose_b ? 1 : 2)];
  if (inner(inputs) != b_inner)
    throw UsageError("matmul adds up " + std::to_string(inner(inputs)) + " elements of a, but b has " +
                     std::to_string(b_inner) + ": " + both + (c_.transpose_a ? ", a transposed" : "") +
                     (c_.transpose_b ? ", b transposed" : ""));
  const int rank = std::max(a.rank(), b.rank());
  std::vector<int64_t> dims;
  for (int d = Product::kDims - (rank - 2); d < Product::kDims; ++d) {
    const int64_t of_a = batch_size(a, d), of_b = batch_size(b, d);
    if (of_a != of_b && of_a != 1 && of_b != 1)
      throw UsageError("matmul broadcasts batches of equal size, or 1, got " + both);
    dims.push_back(std::max(of_a, of_b));
  }
  dims.push_back(rows(a));
  dims.push_back(columns(b));
  return Shape(dims);
}

Roles MatMulOp::roles(Direction direction, Shapes inputs) const {
  const Shape y = shape(inputs);
  const Matrices stored[3] = {matrices_of(inputs[0]), matrices_of(inputs[1]), matrices_of(y)};
  const Matrices a = c_.transpose_a ? stored[0].transposed() : stored[0];
  const Matrices b = c_.transpose_b ? stored[1].transposed() : stored[1];
  const Matrices &g = stored[2], *left = &a, *right = &b;
  const Matrices at = a.transposed(), bt = b.transposed(), gt = g.transposed();
  const int64_t m = rows(inputs[0]), n = columns(inputs[1]), k = inner(inputs);
  Roles r{0, 1, {.m = m, .n = n, .k = k}};
  if (direction.operand == 0 && !c_.transpose_a) {  // ga = g · bᵀ
    r = {2, 1, {.m = m, .n = k, .k = n}};
    left = &g, right = &bt;
  } else if (direction.operand == 0) {  // gaᵀ = b · gᵀ
    r = {1, 2, {.m = k, .n = m, .k = n}};
    left = &b, right = &gt;
  } else if (direction.operand == 1 && !c_.transpose_b) {  // gb = aᵀ · g
    r = {0, 2, {.m = k, .n = n, .k = m}};
    left = &at, right = &g;
  } else if (direction.operand == 1) {  // gbᵀ = gᵀ · a
    r = {2, 0, {.m = n, .n = k, .k = m}};
    left = &gt, right = &a;
  }
  r.product.a = left->strides;
  r.product.b = right->strides;
  for (int d = 0; d < Product::kDims; ++d) {
    const bool summed =
        !direction.is_forward() && batch_size(inputs[static_cast<size_t>(direction.operand)], d) == 1;
    (summed ? r.product.terms : r.product.results)[d] = {batch_size(y, d), left->batch[d], right->batch[d]};
  }
  return r;
}

Parts MatMulOp::parts(Direction direction, Shapes inputs) const {
  const Product p = roles(direction, inputs).product;
  const auto at = static_cast<size_t>(direction.operand);
  const bool shared = !direction.is_forward() && inputs[at].rank() == 2 && inputs[1 - at].rank() > 2;
  return shared ? device::product_parts(p) : Parts::whole(1, p.length());
}

const Array& operand(const Arguments& a, int role) {
  return role == 2 ? a.grad_output : a.inputs[static_cast<size_t>(role)];
}

Roles roles_of(const Op& op, const Arguments& a) {
  const Shape shapes[] = {a.inputs[0].shape, a.inputs[1].shape};
  return static_cast<const MatMulOp&>(op).roles(a.direction, shapes);
}
Parts parts_of(const Op& op, const Arguments& a) {
  const Shape shapes[] = {a.inputs[0].shape, a.inputs[1].shape};
  return static_cast<const MatMulOp&>(op).parts(a.direction, shapes);
}

const Array& result(const Arguments& a) { return a.direction.is_forward() ? a.output : a.grad; }

void ref_product(const Op& op, const Arguments& a) {
  const Roles r = roles_of(op, a);
  with_float_type(result(a).dtype, [&](auto t) {
    using T = decltype(t);
    ref::product(r.product, operand(a, r.left).as<T>(), operand(a, r.right).as<T>(), {}, result(a).as<T>());
  });
}

void cpu_product(const Op& op, const Arguments& a) {
  const Roles r = roles_of(op, a);
  cpu::product(r.product, operand(a, r.left).as<float>(), operand(a, r.right).as<float>(), false, {},
               result(a).as<float>(), a.workspace);
}

void device_product(const Op& op, const Arguments& a, bool library) {
  const Roles r = roles_of(op, a);
  device::product(a.queue, r.product, parts_of(op, a), library, operand(a, r.left).as<float>(),
                  operand(a, r.right).as<float>(), Tail{}, result(a).as<float>(),
                  reinterpret_cast<float*>(a.workspace.data()));
}
void device_product_by_ours(const Op& op, const Arguments& a) { device_product(op, a, false); }
void device_product_by_library(const Op& op, const Arguments& a) { device_product(op, a, true); }

}  // namespace

Call MatMulOp::prepare(Backend backend, Direction direction, Shapes inputs,
                       const KernelOptions& options) const {
  Call call = table_call(backend, direction);
  const Product p = roles(direction, inputs).product;
  if (backend == Backend::cpu) {
    call.workspace = cpu::product_workspace(p, false);
    call.describe = "tiles of 14×32 sums (AVX-512) or 6×16, b packed before each product";
  } else if (backend == Backend::cuda && options.library_products) {
    call.run = [this](const Arguments& a) { device_product_by_library(*this, a); };
    call.describe =
        "cuBLAS, a product at a time; for small products and where it is missing, tiles of 128×128 to 32×64";
  } else if (backend == Backend::cuda || backend == Backend::sim) {
    call.describe = "tiles of 128×128 to 32×64";
  }
  if (backend == Backend::cuda || backend == Backend::sim) {
    const Parts parts = this->parts(direction, inputs);
    call.describe += parts.describe();
    call.workspace = parts.scratch_floats(p.m * p.n) * dtype_bytes(Dtype::f32);
  }
  return call;
}

extern const OpKind matmul_kind{
    .name = "matmul",
    .summary = "product of two matrices, or of batches of them",
    .kernels = {{Direction::forward, ref_product, cpu_product, device_product_by_ours},
                {Direction::vjp(0), ref_product, cpu_product, device_product_by_ours},
                {Direction::vjp(1), ref_product, cpu_product, device_product_by_ours}},
    .operands = {"a", "b"},
};

OpPtr matmul(MatMul config) { return std::make_shared<MatMulOp>(config); }

}  // namespace loupe
