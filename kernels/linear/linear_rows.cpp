// Linear layers of rank 3 and more: products of matrices over all rows, on planar arrays.
#include "kernels/linear/linear.h"
#include "kernels/matmul/product.h"

namespace loupe {

namespace {

Product product_of(const LinearProduct& p, Direction d) {
  if (d.is_forward()) return p.forward();
  return d == Direction::vjp_input ? p.vjp_input() : p.vjp_weight();
}

// What the sums of a direction become; `bias` (forward) is there.
Tail tail_of(const Arguments& a, bool bias) {
  const Shape& result = (a.direction.is_forward() ? a.output : a.grad).shape;
  return {.bias = bias && a.direction.is_forward() ? a.inputs[2].data : nullptr,
          .epilogue = a.epilogue,
          .residual = a.residual.data,
          .record = a.epilogue_record.data,
          .image = result.numel() / result[0]};
}

// What a direction multiplies, and its result.
struct Factors {
  const float *left, *right;
  float* result;
  explicit Factors(const Arguments& a)
      : left((a.direction.is_forward() ? a.inputs[0] : a.grad_output).as<float>()),
        right(a.inputs[a.direction == Direction::vjp_weight ? 0 : 1].as<float>()),
        result((a.direction.is_forward() ? a.output : a.grad).as<float>()) {}
};

float* scratch_of(const Arguments& a) { return reinterpret_cast<float*>(a.workspace.data()); }

}  // namespace

Call linear_rows_call(Backend backend, Direction direction, const Shape& x, int64_t out_features, bool bias,
                      const KernelOptions& options, Call call) {
  if (backend == Backend::ref) return call;
  const LinearProduct sizes{x[0], x.numel() / x.back() / x[0], x.back(), out_features};
  const bool host = backend == Backend::cpu;
  if (direction == Direction::vjp_bias) {
    const Parts parts = Parts::of_rows(sizes.n, sizes.rows, out_features);
    if (!host) {
      call.describe = "a block for 32 columns" + parts.describe(ceil_div(out_features, 32));
      call.workspace = parts.scratch_floats(out_features) * dtype_bytes(Dtype::f32);
    }
    call.run = [=](const Arguments& a) {
      const float* gy = a.grad_output.as<float>();
      if (host) return cpu::column_sums(sizes.n * sizes.rows, out_features, gy, a.grad.as<float>());
      device::column_sums(a.queue, parts, out_features, gy, a.grad.as<float>(), scratch_of(a));
    };
    return call;
  }
  const Product p = product_of(sizes, direction);
  const bool packed = host && direction != Direction::vjp_weight;  // the weight is
  if (packed) {
    LinearProduct one = sizes;
    one.n = one.rows = 1;
    const Product weight = product_of(one, direction);
    call.packing.push_back({1, cpu::packed_floats(weight),
                            direction.is_forward() ? "panels of 16 outputs" : "panels of 16 inputs",
                            [weight](const float* from, float* to) { cpu::pack(weight, from, to); }});
  }
  if (host) {
    call.workspace = cpu::product_workspace(p, packed);
    call.describe = std::string("tiles of 14×32 sums (AVX-512) or 6×16") +
                    (packed ? "" : ", x packed a stretch of rows at a time");
    call.run = [=](const Arguments& a) {
      const Factors f(a);
      cpu::product(p, f.left, f.right, packed, tail_of(a, bias), f.result, a.workspace);
    };
    return call;
  }
  const bool sums = direction == Direction::vjp_weight;
  const Parts parts = sums ? device::product_parts(p) : Parts::whole(1, p.length());
  const bool library = backend == Backend::cuda && options.library_products;
  call.describe = std::string(library ? "cuBLAS, an image at a time; where it is missing, " : "") +
                  "tiles of 128×128 to 32×64" + (sums ? parts.describe() : "");
  call.workspace = parts.scratch_floats(p.m * p.n) * dtype_bytes(Dtype::f32);
  call.run = [=](const Arguments& a) {
    const Factors f(a);
    device::product(a.queue, p, parts, library, f.left, f.right, tail_of(a, bias), f.result, scratch_of(a));
  };
  return call;
}

}  // namespace loupe
