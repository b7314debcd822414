// cuBLAS and cuDNN on a GPU: they compute what ref computes in double, and a linear layer's bits do not
// depend on the batch. (That our kernels agree with ref is the affair of op_cases.) Skipped where there is no
// GPU, or no library.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "kernels/conv2d/by_library.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/convolution_op.h"
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

// Skips the test without a GPU and this library.
void skip_without_library(const char* name) {
  skip_without(Backend::cuda);
  try {
    DeviceModule::of(Backend::cuda).query(name);
  } catch (const Error& e) {
    skip(e.what());
  }
}

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
  skip_without_library("cudnn");
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
  skip_without_library("cublas");
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
  skip_without(Backend::cuda);
  compare(linear({.out_features = 70}), {33, 1025}, {.library_products = false});
}

// ---- what comparisons ask for: other arithmetic, other layouts

// (n, c, h, w) with channels last, and back: Nchw of the planar array either way.
Numbers reordered(const Numbers& from, const Nchw& s, bool to_channels_last) {
  Numbers to(from.size());
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t c = 0; c < s.c; ++c)
      for (int64_t p = 0; p < s.h * s.w; ++p) {
        const auto planar = static_cast<size_t>((n * s.c + c) * s.h * s.w + p);
        const auto last = static_cast<size_t>((n * s.h * s.w + p) * s.c + c);
        (to_channels_last ? to[last] : to[planar]) = to_channels_last ? from[planar] : from[last];
      }
  return to;
}

// An array of the device in the style's type and layout. (h, w) of a matrix is (1, 1).
class Styled {
 public:
  Styled(const Nchw& shape, LibraryStyle style, const Numbers& planar = {}) : shape_(shape), style_(style) {
    const DeviceModule& cuda = DeviceModule::of(Backend::cuda);
    const int64_t count = shape.n * shape.c * shape.h * shape.w, bytes = count * (half() ? 2 : 4);
    data_ = std::shared_ptr<void>(cuda.allocate(bytes), [&cuda](void* p) { cuda.release(p); });
    std::vector<uint32_t> words(static_cast<size_t>(count), 0x7fc07fc0u);  // NaN, for a result
    const Numbers values = planar.empty() || !style.channels_last ? planar : reordered(planar, shape, true);
    for (size_t i = 0; i < values.size(); ++i) {
      const auto bits = std::bit_cast<uint32_t>(static_cast<float>(values[i]));
      words[i] = half() ? (bits + 0x7fffu + (bits >> 16 & 1)) >> 16 : bits;
    }
    const std::vector<uint16_t> halves(words.begin(), words.end());
    cuda.upload(data_.get(), half() ? static_cast<const void*>(halves.data()) : words.data(), bytes);
  }
  void* data() const { return data_.get(); }
  Numbers planar() const {
    const auto count = static_cast<size_t>(shape_.n * shape_.c * shape_.h * shape_.w);
    std::vector<uint16_t> halves(half() ? count : 0);
    std::vector<float> floats(count);
    const DeviceModule& cuda = DeviceModule::of(Backend::cuda);
    if (half()) {
      cuda.download(halves.data(), data(), static_cast<int64_t>(2 * count));
      for (size_t i = 0; i < count; ++i) floats[i] = std::bit_cast<float>(uint32_t{halves[i]} << 16);
    } else {
      cuda.download(floats.data(), data(), static_cast<int64_t>(4 * count));
    }
    const Numbers numbers(floats.begin(), floats.end());
    return style_.channels_last ? reordered(numbers, shape_, false) : numbers;
  }

 private:
  bool half() const { return style_.math == LibraryMath::bf16; }
  Nchw shape_;
  LibraryStyle style_;
  std::shared_ptr<void> data_;
};

// All directions of an op without a bias. `run(direction, from, with, to)`.
template <typename Run>
void compare_style(const Op& op, const Shape& input, LibraryStyle style, double tolerance, const Run& run) {
  const Operands o = operands(op, input);
  const auto maps = [](const Shape& s) { return s.rank() == 4 ? Nchw::of(s) : Nchw{s[0], s[1], 1, 1}; };
  const Nchw x = maps(o.shapes[0]), weight = maps(o.shapes[1]), y = maps(op.shape(o.shapes));
  const Styled on_x(x, style, o.inputs[0]), on_weight(weight, style, o.inputs[1]),
      on_gy(y, style, o.grad_output);
  for (const Direction d : {Direction::forward, Direction::vjp_input, Direction::vjp_weight}) {
    const Styled to(d.is_forward() ? y : d == Direction::vjp_input ? x : weight, style);
    run(d, (d == Direction::vjp_input ? on_gy : on_x).data(),
        (d == Direction::vjp_weight ? on_gy : on_weight).data(), to.data());
    const Numbers expected = call(op, d, {}, o).value.numbers(), got = to.planar();
    double error = 0, norm = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      error += (got[i] - expected[i]) * (got[i] - expected[i]);
      norm += expected[i] * expected[i];
    }
    CHECK_MESSAGE(std::sqrt(error / norm) < tolerance, op.kind().name, " ", op.describe(), ", ",
                  op.kind().direction_name(d), ", arithmetic ", static_cast<int>(style.math),
                  ", channels last ", style.channels_last);
  }
}

// Each product is off by at most twice what an operand is: tf32 may cut its mantissa off after 10 bits (2^-10),
// bf16 rounds to 8 (2^-9), and its result once more. The norm of sums of such products is off by no more.
double tolerance_of(LibraryMath math) {
  return math == LibraryMath::fp32 ? 3e-5 : math == LibraryMath::tf32 ? 0x1p-9 : 3 * 0x1p-9;
}

TEST_CASE("what cuDNN is compared in, it computes: precisions and layouts") {
  skip_without_library("cudnn");
  const DeviceModule& cuda = DeviceModule::of(Backend::cuda);
  const OpPtr op = conv2d({.out_channels = 32, .kernel = 3, .stride = 2, .padding = 1, .bias = false});
  const Shape input{2, 16, 15, 14};
  const ConvSizes s = static_cast<const ConvolutionOp&>(*op).sizes(input);
  for (const LibraryStyle style :
       {LibraryStyle{LibraryMath::fp32, false}, LibraryStyle{LibraryMath::fp32, true},
        LibraryStyle{LibraryMath::tf32, true}, LibraryStyle{LibraryMath::bf16, true}})
    compare_style(*op, input, style, tolerance_of(style.math),
                  [&](Direction d, const void* from, const void* with, void* to) {
                    device::conv2d_compared({&cuda, nullptr}, s, d, style, from, with, to);
                  });
}

TEST_CASE("what cuBLAS is compared in, it computes") {
  skip_without_library("cublas");
  const DeviceModule& cuda = DeviceModule::of(Backend::cuda);
  const OpPtr op = linear({.out_features = 72, .bias = false});
  for (const LibraryMath math : {LibraryMath::fp32, LibraryMath::tf32, LibraryMath::bf16})
    compare_style(*op, {40, 136}, {math, false}, tolerance_of(math),
                  [&](Direction d, const void* from, const void* with, void* to) {
                    device::linear_compared({&cuda, nullptr}, {40, 136, 72}, d, math, from, with, to);
                  });
}

}  // namespace
}  // namespace loupe::test
