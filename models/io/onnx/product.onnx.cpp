// Matrix products. One with a matrix that is known is a linear layer, whose weight has a row an output.
#include "kernels/elementwise/binary.h"
#include "kernels/linear/linear.h"
#include "kernels/matmul/matmul.h"
#include "models/io/onnx/fold.h"
#include "models/io/onnx/import.h"

namespace loupe {
namespace {

using namespace onnx;
using Role = ParameterSpec::Role;

Tensor transposed(const Tensor& t) {
  const int64_t rows = t.shape()[0], columns = t.shape()[1];
  Tensor y(Dtype::f32, {columns, rows});
  const auto from = t.values<const float>();
  const auto to = y.values<float>();
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      to[static_cast<size_t>(c * rows + r)] = from[static_cast<size_t>(r * columns + c)];
  return y;
}

Tensor scaled(Tensor t, double factor) {
  if (factor == 1) return t;
  t = t.clone();
  for (float& v : t.values<float>()) v = static_cast<float>(v * factor);
  return t;
}

std::string with_factor(std::string form, double factor) {
  return factor == 1 ? form : (form.empty() ? "" : form + ".") + "times_" + std::to_string(factor);
}

// Operand k, a known matrix, with a row an output: W or Wᵀ, times a factor.
Port rows_of(NodeImport& n, size_t k, bool as_is, double factor) {
  const std::string form = with_factor(as_is ? "" : "transposed", factor);
  if (form.empty()) return n.parameter(k, Role::weight);
  return n.parameter(k, Role::weight, form,
                     [&](const Tensor& t) { return scaled(as_is ? t : transposed(t), factor); });
}

Value computed(NodeImport& n, size_t k) {
  Value v = n.value(k);
  v.port = n.port(k);
  v.constant = nullptr;
  return v;
}

// y = alpha·a′·b′ + beta·c, a′ and b′ transposed where asked for, c repeated to y's shape.
void gemm(NodeImport& n) {
  const double alpha = n.f("alpha", 1), beta = n.f("beta", 1);
  const bool flip_a = n.i("transA", 0) != 0, flip_b = n.i("transB", 0) != 0;
  if (n.shape(0).rank() != 2 || n.shape(1).rank() != 2) throw Error("it takes two matrices");
  const int64_t outputs = n.shape(1)[flip_b ? 0 : 1];
  const bool has_c = n.has(2) && beta != 0;
  const bool row = has_c && n.known(2) && n.shape(2).numel() == outputs && n.shape(2).rank() >= 1 &&
                   n.shape(2).back() == outputs;
  if (n.known(1)) {
    Value x = computed(n, 0);
    if (flip_a) x = n.transpose("transA", x, {1, 0});
    std::vector<Port> operands{x.port, rows_of(n, 1, flip_b, alpha)};
    if (row)
      operands.push_back(n.parameter(2, Role::bias, with_factor("row", beta),
                                     [&](const Tensor& t) { return scaled(t.reshape({outputs}), beta); }));
    const bool last = row || !has_c;
    const Value y = n.add(last ? "" : "product", linear({.out_features = outputs, .bias = row}), operands);
    if (last) return n.output(y);
    const Port c = n.known(2) ? n.parameter(2, Role::bias, with_factor("addend", beta),
                                            [&](const Tensor& t) { return scaled(t, beta); })
                              : computed(n, 2).port;
    if (!n.known(2) && beta != 1) n.unsupported("beta times what is computed in a run");
    return n.output(n.add(add(), {y.port, c}));
  }
  Value y = n.add(!has_c && alpha == 1 ? "" : "product",
                  matmul({.transpose_a = flip_a, .transpose_b = flip_b}), {computed(n, 0).port, n.port(1)});
  const auto times = [&](const Value& v, double factor, const char* name) {
    if (factor == 1) return v;
    const float value = static_cast<float>(factor);
    return n.add(
        name, mul(),
        {v.port, n.constant(std::string(name) + ".factor", Tensor::from(std::span(&value, 1), {1}))});
  };
  y = times(y, alpha, has_c ? "alpha" : "");
  if (has_c) y = n.add(add(), {y.port, times(computed(n, 2), beta, "beta").port});
  n.output(y);
}

// numpy's matmul: a vector is a row on the left, a column on the right, and its dimension goes again.
void matmul_node(NodeImport& n) {
  const Shape a = n.shape(0), b = n.shape(1);
  if (a.rank() == 0 || b.rank() == 0) throw Error("it takes no single numbers");
  if (n.known(1) && b.rank() == 2 && a.rank() >= 2)
    return n.output(
        n.add(linear({.out_features = b[1], .bias = false}), {n.port(0), rows_of(n, 1, false, 1)}));
  if (a.rank() >= 2 && b.rank() >= 2) return n.output(n.add(matmul(), {n.port(0), n.port(1)}));
  const auto as_matrix = [&](size_t k, const char* name, bool row) {
    const Value v = computed(n, k);
    if (v.shape.rank() > 1) return v;
    return row ? n.reshape(name, v, {1, v.shape[0]}) : n.reshape(name, v, {v.shape[0], 1});
  };
  const Value y =
      n.add("product", matmul(), {as_matrix(0, "row", true).port, as_matrix(1, "column", false).port});
  std::vector<int64_t> dims(y.shape.dims().begin(), y.shape.dims().end());
  if (b.rank() == 1) dims.pop_back();
  if (a.rank() == 1) dims.erase(dims.end() - (b.rank() == 1 ? 1 : 2));
  n.output(n.reshape("", y, dims));
}

// Of constants: sums in double.
Folded fold_matmul(const NodeImport& n, std::span<const Constant* const> operands) {
  Constant a = *operands[0], b = *operands[1];
  // What sums of halves are rounded to on the way, nobody says.
  if (a.type == ElementType::f16 || a.type == ElementType::bf16) n.unsupported("of constants of 16 bits");
  const bool row = a.shape.rank() == 1, column = b.shape.rank() == 1;
  if (a.shape.rank() == 0 || b.shape.rank() == 0) throw Error("it takes no single numbers");
  if (row) a = reshaped(a, {1, a.shape[0]});
  if (column) b = reshaped(b, {b.shape[0], 1});
  const int64_t m = a.shape[a.shape.rank() - 2], k = a.shape.back(), p = b.shape.back();
  if (b.shape[b.shape.rank() - 2] != k)
    throw Error("shapes " + a.shape.str() + " and " + b.shape.str() + " do not fit");
  const Shape a_batch(a.shape.dims().first(static_cast<size_t>(a.shape.rank() - 2)));
  const Shape b_batch(b.shape.dims().first(static_cast<size_t>(b.shape.rank() - 2)));
  const Shape batch = broadcast(a_batch, b_batch);
  std::vector<int64_t> dims(batch.dims().begin(), batch.dims().end());
  if (!row) dims.push_back(m);
  if (!column) dims.push_back(p);
  const Shape shape{std::span<const int64_t>(dims)};
  // Each element costs k steps, and counts as many.
  if (shape.numel() > n.element_limit() / std::max<int64_t>(1, k))
    n.unsupported("of constants as large as these");
  std::vector<double> y;
  for (int64_t i = 0; i < shape.numel(); ++i) {
    const int64_t at = i / (m * p), r = i / p % m, c = i % p;
    const int64_t from_a = (repeated(a_batch, batch, at) * m + r) * k,
                  from_b = repeated(b_batch, batch, at) * k * p + c;
    double sum = 0;
    for (int64_t t = 0; t < k; ++t) sum += a.real(from_a + t) * b.real(from_b + t * p);
    y.push_back(sum);
  }
  return {make_constant(a.type, shape, y)};
}

}  // namespace

extern const OnnxGroup product_onnx;
const OnnxGroup product_onnx{{
    {"Gemm", gemm},
    {"MatMul", matmul_node, fold_matmul},
}};

}  // namespace loupe
