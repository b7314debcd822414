// cuBLAS and cuDNN on a GPU: they compute what ref computes in double, and a linear layer's bits do not
// depend on the batch. (That our kernels agree with ref is the affair of op_cases.) Skipped where there is no
// GPU, or no library.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "kernels/conv2d/conv2d.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "kernels/linear/linear.h"
#include "tests/support/device.h"
#include "tests/support/op_call.h"

namespace loupe::test {
namespace {

[[noreturn]] void skip(const char* why) {
  std::printf("skipped: %s\n", why);
  std::fflush(stdout);
  std::_Exit(77);
}

// Chooses a library for a while.
class Chosen {
 public:
  Chosen(const char* option, const char* value, const char* before) : option_(option), before_(before) {
    skip_without(Backend::cuda);
    const DeviceModule& cuda = DeviceModule::of(Backend::cuda);
    try {
      cuda.configure(option, value);
    } catch (const Error& e) {
      skip(e.what());
    }
  }
  ~Chosen() { DeviceModule::of(Backend::cuda).configure(option_, before_); }
  Chosen(const Chosen&) = delete;
  Chosen& operator=(const Chosen&) = delete;

 private:
  const char *option_, *before_;
};

Numbers drawn(std::mt19937& engine, int64_t count) {
  Numbers n(static_cast<size_t>(count));
  for (double& x : n) x = static_cast<float>(engine() % 20001) / 10000.0f - 1.0f;
  return n;
}

Operands operands(const Op& op, const Shape& input) {
  std::mt19937 engine(3);
  Operands o{.shapes = {input}, .inputs = {drawn(engine, input.numel())}, .given = 1};
  for (const ParameterSpec& p : op.parameters(std::vector<Shape>{input})) {
    o.shapes.push_back(p.shape);
    o.inputs.push_back(drawn(engine, p.shape.numel()));
  }
  o.grad_output = drawn(engine, op.shape(o.shapes).numel());
  return o;
}

// A library's rounding is its own affair (Winograd, FFT), so it is held to a norm: float32 arithmetic lands
// far below, and tensor cores' tf32 near 3e-4.
void compare(const OpPtr& op, const Shape& input, const KernelOptions& options = {}) {
  const Operands o = operands(*op, input);
  const How how{.backend = Backend::cuda, .dtype = Dtype::f32, .options = options};
  for (const Direction d : {Direction::forward, Direction::vjp_input, Direction::vjp_weight}) {
    const Numbers expected = call(*op, d, {}, o).value.numbers();
    const Numbers got = call(*op, d, how, o).value.numbers();
    double error = 0, norm = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      error += (got[i] - expected[i]) * (got[i] - expected[i]);
      norm += expected[i] * expected[i];
    }
    CHECK_MESSAGE(std::sqrt(error / norm) < 3e-5, op->kind().name, " ", op->describe(), ", ",
                  op->kind().direction_name(d));
  }
}

TEST_CASE("convolutions by cuDNN are those of ref") {
  skip_without(Backend::cuda);
  try {
    DeviceModule::of(Backend::cuda).query("cudnn");
  } catch (const Error& e) {
    skip(e.what());
  }
  const KernelOptions options{.library_convolution = true};
  const OpPtr plain = conv2d({.out_channels = 32, .kernel = 3, .padding = 1});
  CHECK(plain->prepare(Backend::cuda, Direction::forward, operands(*plain, {2, 16, 14, 14}).shapes, options)
            .describe.starts_with("cuDNN"));
  compare(plain, {2, 16, 14, 14}, options);
  compare(conv2d({.out_channels = 24, .kernel = 7, .stride = 2, .padding = 3, .bias = false}), {3, 3, 33, 35},
          options);
  compare(conv2d({.out_channels = 40, .kernel = 1}), {2, 20, 9, 9}, options);
  compare(conv2d({.out_channels = 16, .kernel = 3, .padding = 2, .dilation = 2, .groups = 4}), {2, 8, 12, 12},
          options);
  compare(conv2d({.out_channels = 12, .kernel = 3, .stride = 2, .padding = 1, .groups = 12}), {2, 12, 15, 15},
          options);
  compare(conv_transpose2d({.out_channels = 8, .kernel = 2, .stride = 2}), {2, 16, 10, 10}, options);
}

TEST_CASE("linear layers by cuBLAS are those of ref, and an image's bits do not depend on the batch") {
  const Chosen cublas("linear", "cublas", "auto");
  const OpPtr op = linear({.out_features = 70});
  for (const int64_t n : {1, 31, 32, 33, 100}) compare(op, {n, 1025});

  const Operands all = operands(*op, {100, 1025});
  const How how{.backend = Backend::cuda, .dtype = Dtype::f32};
  const Stored whole = call(*op, Direction::forward, how, all).value;
  for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 1}, {31, 2}, {40, 60}, {99, 1}}) {
    Operands some = all;
    some.shapes[0] = {count, 1025};
    some.inputs[0].assign(all.inputs[0].begin() + first * 1025,
                          all.inputs[0].begin() + (first + count) * 1025);
    CHECK(call(*op, Direction::forward, how, some).value.bytes == whole.rows(first, count).bytes);
  }
}

TEST_CASE("linear layers without cuBLAS are those of ref") {
  const Chosen own("linear", "own", "auto");
  compare(linear({.out_features = 70}), {33, 1025});
}

}  // namespace
}  // namespace loupe::test
