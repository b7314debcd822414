// ctest: FIXTURES_SETUP sim_coverage LABELS sim
// channels_on(): which channels of a batch a relu let through at all.
#include <doctest/doctest.h>

#include "kernels/elementwise/elementwise.h"
#include "tests/support/device.h"
#include "tests/support/kernels_run.h"
#include "tests/support/op_call.h"

namespace loupe::test {

namespace {

// channels_on() of a mask given as zeros and ones; on a device with memory of just the size.
std::vector<uint8_t> channels_on_of(Backend backend, const Shape& shape, const Numbers& mask) {
  Stored s = Stored::of(mask, Dtype::bit, shape, backend == Backend::cpu ? Layout::blocked : Layout::planar);
  std::vector<uint8_t> on(static_cast<size_t>(shape[1]), 0xAA);
  const auto bytes = static_cast<int64_t>(s.bytes.size());
  if (backend != Backend::sim) {
    channels_on(backend, {}, {s.bytes.data(), Dtype::bit, shape, s.layout}, on.data());
    return on;
  }
  DeviceModule& sim = DeviceModule::of(backend);
  void *record = sim.allocate(bytes), *result = sim.allocate(shape[1]);
  sim.upload(record, s.bytes.data(), bytes);
  channels_on(backend, {&sim, nullptr}, {record, Dtype::bit, shape, s.layout}, static_cast<uint8_t*>(result));
  sim.download(on.data(), result, shape[1]);
  sim.release(record);
  sim.release(result);
  return on;
}

}  // namespace

TEST_CASE("which channels are ever on, one bit at a time") {
  for (const Backend backend : host_and_simulator())
    for (const Shape& shape : {Shape{2, 3, 3, 3}, Shape{3, 33}, Shape{2, 17, 1, 2}}) {
      CAPTURE(backend_name(backend));
      CAPTURE(shape.str());
      const Nchw s = Nchw::of(shape);
      Numbers mask(static_cast<size_t>(shape.numel()));
      CHECK(channels_on_of(backend, shape, mask) == std::vector<uint8_t>(static_cast<size_t>(s.c)));
      for (size_t i = 0; i < mask.size(); ++i) {
        mask[i] = 1;
        std::vector<uint8_t> expected(static_cast<size_t>(s.c));
        expected[static_cast<size_t>(static_cast<int64_t>(i) / (s.h * s.w) % s.c)] = 1;
        CHECK(channels_on_of(backend, shape, mask) == expected);
        mask[i] = 0;
      }
    }
}

TEST_CASE("which channels are ever on, in batches of large maps") {
  for (const Backend backend : host_and_simulator()) {
    for (const Shape& shape : {Shape{3, 17, 5, 7}, Shape{5, 40, 16, 17}, Shape{2, 20, 33, 25}, Shape{40, 100},
                               Shape{1, 1, 1, 1}}) {
      CAPTURE(backend_name(backend));
      CAPTURE(shape.str());
      const Nchw s = Nchw::of(shape);
      const int64_t pixels = s.h * s.w;
      Numbers mask(static_cast<size_t>(shape.numel()));
      std::vector<uint8_t> expected(static_cast<size_t>(s.c));
      for (int64_t c = 0; c < s.c; ++c) {  // dead; on in a single place; on everywhere
        for (int64_t i = 0; i < s.n * pixels; ++i)
          if (c % 3 == 2 || (c % 3 == 1 && i == c * 7919 % (s.n * pixels)))
            mask[static_cast<size_t>((i / pixels * s.c + c) * pixels + i % pixels)] = 1;
        expected[static_cast<size_t>(c)] = c % 3 != 0;
      }
      CHECK(channels_on_of(backend, shape, mask) == expected);
    }
    if (backend == Backend::sim) note_kernels_run("channels_on");
  }
}

}  // namespace loupe::test
