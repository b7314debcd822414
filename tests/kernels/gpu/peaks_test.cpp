// Peaks by compute capability give those of the data sheets.
#include "kernels/gpu/peaks.h"

#include <doctest/doctest.h>

#include <initializer_list>

namespace loupe::gpu {
namespace {

double tflops(int multiprocessors, double ghz, int per_clock) {
  return 2e-3 * multiprocessors * ghz * per_clock;
}

TEST_CASE("peaks of known cards, in TFLOP/s") {
  struct Card {
    int major, minor, multiprocessors;
    double ghz, fp32, tf32, bf16;  // as their data sheets say
  };
  for (const Card& c :
       {Card{8, 0, 108, 1.410, 19.5, 156, 312},      // A100
        Card{8, 6, 84, 1.740, 37.4, 74.8, 149.7},    // A40
        Card{8, 9, 142, 2.520, 91.6, 183, 366},      // L40S
        Card{9, 0, 132, 1.830, 61.8, 494.7, 989.4},  // H100 SXM, at the clock of its tensor peaks
        Card{10, 0, 148, 1.850, 70.1, 1100, 2250},   // B200
        Card{12, 0, 188, 2.617, 126, 251, 503}}) {   // RTX PRO 6000
    const MultiplyAdds m = multiply_adds(c.major, c.minor);
    CHECK(tflops(c.multiprocessors, c.ghz, m.fp32) == doctest::Approx(c.fp32).epsilon(0.02));
    CHECK(tflops(c.multiprocessors, c.ghz, m.tf32) == doctest::Approx(c.tf32).epsilon(0.03));
    CHECK(tflops(c.multiprocessors, c.ghz, m.bf16) == doctest::Approx(c.bf16).epsilon(0.02));
  }
}

TEST_CASE("of a card that is not known, the tensor cores are left out") {
  CHECK(multiply_adds(13, 7).fp32 == 128);
  CHECK(multiply_adds(13, 7).tf32 == 0);
  CHECK(multiply_adds(13, 7).bf16 == 0);
}

}  // namespace
}  // namespace loupe::gpu
