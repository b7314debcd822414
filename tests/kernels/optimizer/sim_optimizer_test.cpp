// The optimisers' kernels in the simulator: ref's bits, and sums of squares that no schedule changes.
// ctest: FIXTURES_SETUP sim_coverage
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "tests/support/device.h"
#include "tests/support/kernels_run.h"
#include "tests/support/optimizer_steps.h"

namespace loupe::test {
namespace {

DeviceModule& sim() { return DeviceModule::of(Backend::sim); }
Queue queue() { return {&sim(), nullptr}; }

// A vector's copy on the device, of its own size: any access outside is an error.
template <typename T>
class Copy {
 public:
  explicit Copy(const std::vector<T>& values)
      : values_(values), data_(sim().allocate(bytes()), [](void* p) { sim().release(p); }) {
    sim().upload(data_.get(), values.data(), bytes());
  }
  T* data() const { return static_cast<T*>(data_.get()); }
  Array array() const { return {data(), Dtype::f32, {static_cast<int64_t>(values_.size())}}; }
  std::vector<T> values() {
    sim().download(values_.data(), data_.get(), bytes());
    return values_;
  }

 private:
  int64_t bytes() const { return static_cast<int64_t>(values_.size() * sizeof(T)); }
  std::vector<T> values_;
  std::shared_ptr<void> data_;
};

std::vector<double> workspace() {
  return std::vector<double>(kNormWorkspaceBytes / sizeof(double), std::numeric_limits<double>::quiet_NaN());
}

struct Left {
  Parameter<float> parameter;
  std::vector<double> squares;
};

Left after_steps(const Rule& rule, size_t n, bool with_norms) {
  Left left{drawn(n), {}};
  Parameter<float>& p = left.parameter;
  Copy<float> w(p.w), g(p.g), m(p.m), v(p.v);
  const Copy<double> partial(workspace());
  Copy<double> squares(std::vector<double>(2, -1)), gradient(std::vector<double>(1, -1));
  for (int64_t t = 1; t <= 3; ++t) {
    sum_of_squares(Backend::sim, queue(), g.array(), gradient.data(), partial.data());
    step_of(Backend::sim, queue(), rule, t, w.array(), g.array(), m.array(), v.array(),
            with_norms ? StepNorms{squares.data(), partial.data()} : StepNorms{});
    sim().synchronize();
    left.squares.insert(left.squares.end(), {squares.values()[0], squares.values()[1], gradient.values()[0]});
  }
  p.w = w.values();
  p.g = g.values();
  p.m = m.values();
  p.v = v.values();
  return left;
}

TEST_CASE("steps leave ref's bits, and the sums are what they say in every schedule") {
  skip_without(Backend::sim);
  for (const Rule& rule : rules())
    for (const size_t n : {1u, 3u, 4u, 31u, 256u, 1023u, 1024u, 1025u, 3001u}) {
      CAPTURE(rule.name);
      CAPTURE(n);
      Parameter<float> expected = drawn(n);
      std::vector<double> sums;
      for (int64_t t = 1; t <= 3; ++t) {
        double squares[2], gradient;
        take_step(Backend::ref, {}, rule, t, expected, {squares});
        sum_of_squares(Backend::ref, {}, array(expected.g), &gradient);
        sums.insert(sums.end(), {squares[0], squares[1], gradient});
      }
      const Left left = after_steps(rule, n, true);
      CHECK(left.parameter == expected);
      // Either side is off by γ_n at most, in double.
      for (size_t i = 0; i < sums.size(); ++i)
        CHECK(std::fabs(left.squares[i] - sums[i]) <= static_cast<double>(n) * 0x1p-51 * sums[i]);
      for (const char* seed : {"2", "3"}) {
        sim().configure("seed", seed);
        CHECK(after_steps(rule, n, true).squares == left.squares);
      }
      sim().configure("seed", "1");
    }
  note_kernels_run("optimizer");
}

TEST_CASE("norms are taken only where they are wanted") {
  skip_without(Backend::sim);
  for (const Rule& rule : rules()) {
    Parameter<float> expected = drawn(1030);
    for (int64_t t = 1; t <= 3; ++t) take_step(Backend::ref, {}, rule, t, expected);
    const Left left = after_steps(rule, 1030, false);
    CHECK(left.parameter == expected);
    CHECK(left.squares[0] == -1);
  }
}

TEST_CASE("more elements than the grid has threads for at once, and a NaN among them") {
  skip_without(Backend::sim);
  const size_t n = (size_t{1} << 20) + 1029;
  std::vector<float> x(n, 0.5f);
  x[n - 1] = 3;
  const Copy<double> partial(workspace());
  Copy<double> sum(std::vector<double>(1));
  const Copy<float> numbers(x);
  sum_of_squares(Backend::sim, queue(), numbers.array(), sum.data(), partial.data());
  CHECK(sum.values()[0] == static_cast<double>(n - 1) / 4 + 9);
  x[n - 2] = std::numeric_limits<float>::quiet_NaN();
  const Copy<float> bad(x);
  sum_of_squares(Backend::sim, queue(), bad.array(), sum.data(), partial.data());
  CHECK(std::isnan(sum.values()[0]));
}

}  // namespace
}  // namespace loupe::test
