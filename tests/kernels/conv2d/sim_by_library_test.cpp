// What stands beside NVIDIA's libraries on a GPU, in the simulator: the kernel that follows them, and that
// they are not there.
// ctest: FIXTURES_SETUP sim_coverage
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "kernels/conv2d/by_library.h"
#include "tests/support/device.h"
#include "tests/support/kernels_run.h"

namespace loupe::test {
namespace {

class Floats {
 public:
  explicit Floats(const std::vector<float>& values) : count_(values.size()) {
    const auto bytes = static_cast<int64_t>(count_ * sizeof(float));
    data_ = static_cast<float*>(sim().allocate(bytes));
    sim().upload(data_, values.data(), bytes);
  }
  ~Floats() { sim().release(data_); }
  Floats(const Floats&) = delete;
  Floats& operator=(const Floats&) = delete;
  float* data() const { return data_; }
  std::vector<float> values() const {
    std::vector<float> v(count_);
    sim().download(v.data(), data_, static_cast<int64_t>(count_ * sizeof(float)));
    return v;
  }
  static DeviceModule& sim() { return DeviceModule::of(Backend::sim); }

 private:
  size_t count_;
  float* data_;
};

std::vector<float> numbers(int64_t count) {
  std::vector<float> v(static_cast<size_t>(count));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i * 37 % 101) / 16 - 3;
  return v;
}

TEST_CASE("bias and activation, in place") {
  skip_without(Backend::sim);
  const Queue queue{&Floats::sim(), nullptr};
  const std::vector<float> bias{0.5f, -0.25f, 2};
  for (const auto& [n, pixels] : {std::pair<int64_t, int64_t>{1, 1}, {2, 49}, {3, 300}})
    for (const bool biased : {false, true})
      for (const Activation a :
           {Activation{}, Activation{Activation::Kind::relu}, Activation{Activation::Kind::relu6},
            Activation{Activation::Kind::leaky_relu, 0.125f}}) {
        const std::vector<float> x = numbers(n * 3 * pixels);
        const Floats y(x), b(bias);
        device::bias_and_activation(queue, n, 3, pixels, biased ? b.data() : nullptr, a, y.data());
        std::vector<float> expected = x;
        for (size_t i = 0; i < x.size(); ++i) {
          float v = x[i] + (biased ? bias[i / static_cast<size_t>(pixels) % 3] : 0.0f);
          if (a.kind == Activation::Kind::relu) v = std::max(v, 0.0f);
          if (a.kind == Activation::Kind::relu6) v = std::clamp(v, 0.0f, 6.0f);
          if (a.kind == Activation::Kind::leaky_relu && v <= 0) v *= a.slope;
          expected[i] = v;
        }
        CHECK(y.values() == expected);
      }
  note_kernels_run("by_library");
}

TEST_CASE("the simulator has no libraries, and says so") {
  skip_without(Backend::sim);
  const Queue queue{&Floats::sim(), nullptr};
  const ConvSizes s{1, 1, 2, 2, 1, 2, 2, 1, 1, 0, 1, 1};
  const Floats x(numbers(4)), w(numbers(1)), y(numbers(4));
  const char* said = "convolutions by cuDNN need device cuda, and its option `conv` set to cudnn";
  CHECK_THROWS_WITH_AS(device::conv2d_by_library(queue, s, Direction::forward, x.data(), w.data(), nullptr,
                                                 Activation{}, y.data()),
                       said, Error);
  CHECK_THROWS_WITH_AS(device::conv2d_vjp_weight_by_library(queue, s, x.data(), y.data(), w.data()), said,
                       Error);
  CHECK(!device::convolves_by_library(Backend::sim));
}

}  // namespace
}  // namespace loupe::test
