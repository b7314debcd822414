// What stands beside NVIDIA's libraries on a GPU, in the simulator: the kernel that follows them, and that
// they are not there.
// ctest: FIXTURES_SETUP sim_coverage
#include <doctest/doctest.h>

#include <cstring>

#include "kernels/conv2d/by_library.h"
#include "kernels/elementwise/elementwise.h"
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

// y of (n, 3, pixels) with a bias and an epilogue, and the record if forward writes one: by the kernel that
// follows a library, or with the bias added here and the epilogue in a pass of its own.
struct Finished {
  std::vector<float> y;
  std::vector<uint32_t> record;  // bits, or numbers of which only equality counts
  friend bool operator==(const Finished&, const Finished&) = default;
};
Finished finished(bool at_once, const Epilogue& e, int64_t n, int64_t pixels, bool biased,
                  const std::vector<float>& kept) {
  const Queue queue{&Floats::sim(), nullptr};
  const std::vector<float> bias{0.5f, -0.25f, 2};
  std::vector<float> x = numbers(n * 3 * pixels);
  const Floats residual(numbers(n * 3 * pixels + 50)), b(bias), record(kept);
  if (!at_once && biased)
    for (size_t i = 0; i < x.size(); ++i) x[i] += bias[i / static_cast<size_t>(pixels) % 3];
  const Floats y(x);
  if (at_once)
    device::bias_and_epilogue(queue, n, 3, pixels, biased ? b.data() : nullptr, e, residual.data(), y.data(),
                              record.data());
  else
    device::finish(queue, e, y.data(), residual.data(), y.data(), record.data(), n, 3 * pixels);
  const std::vector<float> left = record.values();
  Finished all{y.values(), std::vector<uint32_t>(left.size())};
  std::memcpy(all.record.data(), left.data(), left.size() * sizeof(float));
  return all;
}

TEST_CASE("bias and epilogue, in place") {
  skip_without(Backend::sim);
  using Row = Epilogue::Row;
  for (const auto& [n, pixels] : {std::pair<int64_t, int64_t>{1, 1}, {2, 49}, {3, 300}})
    for (const bool biased : {false, true})
      for (const bool residual : {false, true})
        for (const OpPtr& f : {relu(), relu6(), leaky_relu(0.125), gelu(), sigmoid()})
          for (const Row row : {Row::none, Row::slope, Row::guided, Row::deconvnet}) {
            const Epilogue e{f->function(), residual, row};
            // Numbers do as bits too: some are set.
            const std::vector<float> kept = numbers(n * 3 * pixels + 8);
            CHECK(finished(true, e, n, pixels, biased, kept) == finished(false, e, n, pixels, biased, kept));
          }
  note_kernels_run("by_library");
}

TEST_CASE("the simulator has no libraries, and says so") {
  skip_without(Backend::sim);
  const Queue queue{&Floats::sim(), nullptr};
  const ConvSizes s{1, 1, 2, 2, 1, 2, 2, 1, 1, 0, 1, 1};
  const Floats x(numbers(4)), w(numbers(1)), y(numbers(4));
  const char* said = "convolutions by cuDNN need device cuda, in a build with cuDNN";
  CHECK_THROWS_WITH_AS(device::conv2d_by_library(queue, s, Direction::forward, x.data(), w.data(), nullptr,
                                                 Epilogue{}, nullptr, y.data(), nullptr),
                       said, Error);
  CHECK_THROWS_WITH_AS(device::conv2d_vjp_weight_by_library(queue, s, x.data(), y.data(), w.data()), said,
                       Error);
  CHECK_THROWS_WITH_AS(device::conv2d_compared(queue, s, Direction::vjp_input, {LibraryMath::bf16, true},
                                               x.data(), w.data(), y.data()),
                       said, Error);
  CHECK_THROWS_WITH_AS(device::linear_compared(queue, {4, 1, 1}, Direction::forward, LibraryMath::tf32,
                                               x.data(), w.data(), y.data()),
                       "products by cuBLAS need device cuda, in a build with cuBLAS", Error);
}

}  // namespace
}  // namespace loupe::test
