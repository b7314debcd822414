// Floors of a kernel by unit, on a device of round numbers: 1 TB/s, 10 TFLOP/s in float32, 100 in tf32.
#include "bench/gpu/floors.h"

#include <doctest/doctest.h>

#include <string>

namespace loupe::bench {
namespace {

const Peaks kPeaks{1000, 10, 100};
using Text = std::string;

TEST_CASE("a kernel that only moves is bound by the memory") {
  const Floors f = floors_of(kPeaks, 5'000'000, 0);
  CHECK(f.memory == doctest::Approx(5));
  CHECK(f.ffma == 0);
  CHECK(f.on_cores() == f.memory);
  CHECK(Text(f.binds()) == "memory");
}

TEST_CASE("a kernel that multiplies is bound by the float32 cores, and on tensor cores by the memory") {
  const Floors f = floors_of(kPeaks, 5'000'000, 200e6);
  CHECK(f.ffma == doctest::Approx(20));
  CHECK(f.tf32 == doctest::Approx(2));
  CHECK(f.on_cores() == f.ffma);
  CHECK(Text(f.binds()) == "FFMA");
  CHECK(f.on_tensor_cores() == f.memory);
  CHECK(floors_of(kPeaks, 1'000'000, 200e6).on_tensor_cores() == doctest::Approx(2));
}

TEST_CASE("a unit whose peak is not known has no floor") {
  const Floors f = floors_of({.gb_per_s = 1000, .fp32_tflops = 10}, 1'000'000, 200e6);
  CHECK(f.tf32 == 0);
  CHECK(floors_of({}, 1'000'000, 200e6).on_cores() == 0);
}

}  // namespace
}  // namespace loupe::bench
