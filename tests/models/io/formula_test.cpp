#include "models/io/formula.h"

#include <doctest/doctest.h>

#include <bit>

#include "kernels/common/error.h"
#include "kernels/common/parallel.h"

namespace loupe {
namespace {

using Role = ParameterSpec::Role;

// FNV-1a over the bits of each value, a word at a time.
uint64_t checksum(const Tensor& t) {
  uint64_t hash = 0;
  for (const float v : t.values<float>()) hash = (hash ^ std::bit_cast<uint32_t>(v)) * 0x100000001B3;
  return hash;
}

}  // namespace

// Values by tests/oracle/formula_weights.py: the first two and the last of each tensor, and the checksum of
// all.
TEST_CASE("formula weights are those of the Python program, bit by bit") {
  struct Case {
    const char* name;
    Shape shape;
    Role role;
    float first, second, last;
    uint64_t checksum;
  };
  const Case cases[] = {
      {"features.0.weight",
       {64, 3, 11, 11},
       Role::weight,
       0x1.76af5cp-4f,
       -0x1.b71056p-9f,
       0x1.d88138p-4f,
       0xecc7fe61977fc868},
      {"classifier.6.bias",
       {1000},
       Role::bias,
       -0x1.13666ap-5f,
       -0x1.85130ep-5f,
       0x1.109e44p-6f,
       0x55834400d74fb049},
      {"layer1.0.bn1.weight",
       {64},
       Role::norm_weight,
       0x1.418548p-1f,
       0x1.4a2e38p-1f,
       0x1.5b70dap+0f,
       0xd82c6ef1ac96ab2f},
      {"layer1.0.bn1.bias",
       {64},
       Role::norm_bias,
       -0x1.03ce96p-4f,
       -0x1.8e1770p-4f,
       0x1.852afp-7f,
       0x19fcc1471b47bff2},
      {"layer1.0.bn1.running_mean",
       {64},
       Role::norm_mean,
       -0x1.6fac10p-4f,
       0x1.78558ep-5f,
       0x1.f5432ap-6f,
       0x7951e992aa8ec178},
      {"layer1.0.bn1.running_var",
       {64},
       Role::norm_variance,
       0x1.25700ep+0f,
       0x1.55421ep+0f,
       0x1.8e217ep-1f,
       0x71fa8418648fa11e},
      {"größe.weight",
       {5, 7},
       Role::weight,
       -0x1.8f8a32p-1f,
       0x1.9fabc4p-3f,
       0x1.ac442cp-2f,
       0xd000c9adef7b2966},
      {"encoder.pos_embedding",
       {1, 197, 768},
       Role::table,
       0x1.6611eep-8f,
       -0x1.7da850p-8f,
       0x1.48efe0p-9f,
       0x6e344e9953a89032},
      {"features.1.0.layer_scale",
       {96, 1, 1},
       Role::weight,
       0x1.8f1b50p-1f,
       0x1.077be2p+1f,
       -0x1.aa3966p+0f,
       0x6eb4e563554d7eee},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const Tensor t = formula_weight(c.name, c.shape, c.role);
    CHECK(t.shape() == c.shape);
    CHECK(t.values<float>()[0] == c.first);
    CHECK(t.values<float>()[1] == c.second);
    CHECK(t.values<float>().back() == c.last);
    CHECK(checksum(t) == c.checksum);
  }
}

TEST_CASE("the formula input, on any number of threads") {
  const int threads = max_threads();
  for (const int n : {1, 3, threads}) {
    set_threads(n);
    const Tensor x = formula_input({2, 3, 224, 224});
    CHECK(x.item(0) == -0x1.9bd582p+0);
    CHECK(checksum(x) == 0xeb2a3f2500ad02a6);
  }
  // A batch of one is the first image of a batch of two.
  CHECK(formula_input({1, 3, 224, 224}).item(150527) == formula_input({2, 3, 224, 224}).item(150527));
}

TEST_CASE("a weight needs a fan-in") {
  CHECK_THROWS_WITH_AS(formula_weight("bn.weight", {64}, Role::weight),
                       "no formula for the weight 'bn.weight' of shape (64)", Error);
}

}  // namespace loupe
