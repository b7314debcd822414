// A small Llama and a small BERT on the simulator's kernels, against transformers in double.
#include <doctest/doctest.h>

#include "tests/support/text_models.h"

namespace loupe::test {

TEST_CASE("scores, patterns and gradients on the simulator") {
  for (const std::string file : {"llama", "bert"}) {
    const TextErrors e = text_errors(file, file, Device::sim());
    CAPTURE(file);
    CHECK(e.scores < 2e-6);
    CHECK(e.patterns < 2e-6);
    CHECK(e.gradient < 2e-5);
  }
}

}  // namespace loupe::test
