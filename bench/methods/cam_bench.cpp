// What a class activation map costs beside the forward pass that a network runs anyway, on the cpu device, one image,
// formula weights:
//
//   build/release/bin/cam_bench [--rounds N] [NETWORK …]
//
// A line a network: medians of a forward pass that hands out scores, and of one that hands out the maps too, with the
// map made of them; then the ratio, the median over pairs of neighbours, of the time that passed and of the time that
// processors worked, which a busy machine disturbs less.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "models/loupe.h"

namespace {

using namespace loupe;

struct Seconds {
  double passed, worked;
};
Seconds seconds_of(const auto& work) {
  const auto worked = [] {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);  // of all threads
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const auto start = std::chrono::steady_clock::now();
  const double before = worked();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), worked() - before};
}

double median(std::vector<double> v) {
  std::ranges::sort(v);
  return (v[(v.size() - 1) / 2] + v[v.size() / 2]) / 2;
}

void measure(const std::string& name, int rounds) {
  ImageModel model = models::load(name, "formula", Device::cpu());
  const Tensor x = formula_input(model.graph().input_shapes(1).at(0));
  const NodeId scores = model.graph().output(), maps = cam_head(model.graph()).maps;
  Execution& alone = model.network.execution(x.shape(), {.values = {scores}});
  Execution& both = model.network.execution(x.shape(), {.values = {scores, maps}});
  const auto forward = [&] {
    alone.forward(x);
    alone.value(scores);
  };
  const auto with_cam = [&] {
    both.forward(x);
    both.value(scores);
    cam_of(model, both);
  };
  for (int i = 0; i < 3; ++i) forward(), with_cam();
  std::vector<double> a, b, passed, worked;
  for (int i = 0; i < rounds; ++i) {
    Seconds first{}, second{};
    if (i % 2 == 0) first = seconds_of(forward);
    second = seconds_of(with_cam);
    if (i % 2 == 1) first = seconds_of(forward);
    a.push_back(first.passed);
    b.push_back(second.passed);
    passed.push_back(second.passed / first.passed);
    worked.push_back(second.worked / first.worked);
  }
  std::printf("%-16s forward %7.2f ms   with cam %7.2f ms   ratio %.3f passed, %.3f worked\n", name.c_str(),
              1e3 * median(a), 1e3 * median(b), median(passed), median(worked));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  int rounds = 101;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
      rounds = std::max(1, std::atoi(argv[++i]));
    else
      names.emplace_back(argv[i]);
  }
  if (names.empty())
    names = {"squeezenet1_1", "resnet18", "resnet50", "mobilenet_v2", "googlenet", "densenet121"};
  try {
    for (const std::string& name : names) measure(name, rounds);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "cam_bench: %s\n", e.what());
    return 1;
  }
}
