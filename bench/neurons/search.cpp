// What the search of all layers (engine/neurons/search.h) costs beside decoding pictures and running them forward.
//
//   build/release/bin/search_cost FOLDER [--rounds N] [--model NAME] [--weights FILE]
//
// Both read the folder's files anew and run them in the same stretches; they take turns, stretch by stretch, so that
// whatever else the machine does slows both. Times of the process's CPUs, and of the wall.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/image/image.h"
#include "engine/image/preprocess.h"
#include "engine/neurons/search.h"
#include "engine/run/passes.h"
#include "kernels/common/parallel.h"
#include "models/models.h"

namespace {

using namespace loupe;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int64_t kStretch = 16, kTop = 9;

struct Spent {
  double wall = 0, cpu = 0;
  template <typename F>
  void time(const F& f) {
    const auto start = Clock::now();
    const std::clock_t cpu_start = std::clock();
    f();
    cpu += static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
    wall += std::chrono::duration<double>(Clock::now() - start).count();
  }
};

Tensor decoded(std::span<const std::string> files, const Preprocessing& how) {
  std::vector<Tensor> pictures(files.size());
  parallel_for(std::ssize(files), [&](int64_t i) {
    pictures[static_cast<size_t>(i)] = preprocess(read_image(files[static_cast<size_t>(i)]), how);
  });
  return stack_rows(pictures);
}

void forward_alone(Network& net, const Tensor& x) {
  const Purpose purpose{.values = {net.graph().output()}};
  in_batches(net, x.shape().with(0, 1), x.shape()[0], purpose, {}, [&](int64_t begin, int64_t end) {
    Execution& pass = net.execution(x.shape().with(0, end - begin), purpose);
    pass.forward(x.slice(begin, end));
    pass.value(net.graph().output());
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder, name = "squeezenet1_1", weights = "formula";
  int rounds = 3;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--rounds" && i + 1 < argc)
      rounds = std::atoi(argv[++i]);
    else if (word == "--model" && i + 1 < argc)
      name = argv[++i];
    else if (word == "--weights" && i + 1 < argc)
      weights = argv[++i];
    else
      folder = word;
  }
  if (folder.empty()) return std::fprintf(stderr, "search_cost FOLDER\n"), 2;
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (const std::string end = entry.path().extension().string();
        end == ".jpg" || end == ".JPEG" || end == ".png")
      files.push_back(entry.path().string());
  std::ranges::sort(files);
  ImageModel model = models::load(name, weights, Device::cpu());
  Network& net = model.network;
  const std::vector<NodeId> layers = filter_layers(net.graph());
  UnitSearch search(net, layers, kTop);
  Spent alone, with;
  for (int round = -1; round < rounds; ++round) {
    if (round == 0) alone = with = {};  // the first one is not counted
    for (size_t begin = 0; begin < files.size(); begin += kStretch) {
      const auto some = std::span(files).subspan(begin, std::min<size_t>(kStretch, files.size() - begin));
      alone.time([&] { forward_alone(net, decoded(some, model.preprocessing)); });
      with.time([&] { search.add(decoded(some, model.preprocessing), some); });
    }
  }
  const double pictures = static_cast<double>(files.size()) * rounds;
  std::printf(
      "%zu pictures, %d rounds; ms a picture: decoding and forward %.2f (CPU %.2f), the search of %zu layers "
      "%.2f "
      "(CPU %.2f): %+.1f %% (CPU %+.1f %%)\n",
      files.size(), rounds, 1e3 * alone.wall / pictures, 1e3 * alone.cpu / pictures, layers.size(),
      1e3 * with.wall / pictures, 1e3 * with.cpu / pictures, 100 * (with.wall / alone.wall - 1),
      100 * (with.cpu / alone.cpu - 1));
}
