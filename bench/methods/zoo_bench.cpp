// How long a picture of the zoo takes to draw, a class at a time. Training draws on one thread beside it.
#include <benchmark/benchmark.h>

#include "models/zoo/zoo.h"

namespace loupe::zoo {
namespace {

void draw_class(benchmark::State& state, int64_t cls, const Options& options) {
  int64_t index = cls;
  for (auto _ : state) {
    benchmark::DoNotOptimize(draw(1, index, options).image.rgb.data());
    index += static_cast<int64_t>(labels().size());
  }
}

const bool registered = [] {
  for (int64_t cls = 0; cls < static_cast<int64_t>(labels().size()); ++cls) {
    const std::string& name = labels()[static_cast<size_t>(cls)];
    benchmark::RegisterBenchmark(name.c_str(), draw_class, cls, Options{.masks = false});
    benchmark::RegisterBenchmark((name + ", masks").c_str(), draw_class, cls, Options{});
    benchmark::RegisterBenchmark((name + " and another").c_str(), draw_class, cls,
                                 Options{.objects = 2, .masks = false});
  }
  return true;
}();

}  // namespace
}  // namespace loupe::zoo
