// What `loupe features` spends on ways back from single units (engine/neurons/ways_back.h), layer by layer: formula
// weights, four pictures of 224×224, units at places drawn at random, nine of every channel.
//
//   build/release/bin/ways_back_rate [--units N] [--all] [network]
//
// Of each layer so many units are run, by deconvnet alone or (--all) by all three rules, and their time is scaled up to
// all of the layer's. "share" is the multiply-adds of the windows, of those of whole maps.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "engine/neurons/search.h"
#include "engine/neurons/ways_back.h"
#include "models/io/formula.h"
#include "models/models.h"

namespace {

using namespace loupe;
using Clock = std::chrono::steady_clock;

constexpr int64_t kSide = 224, kPictures = 4, kTop = 9;

struct Sum {
  double seconds = 0, cpu = 0, macs = 0;
};

Sum measure(Network& net, NodeId layer, const std::vector<Tape>& tapes, int64_t count,
            const std::vector<Rule>& rules) {
  const Shape input{1, 3, kSide, kSide};
  const Shape maps = net.graph().shapes(input)[static_cast<size_t>(layer)];
  std::mt19937_64 random(static_cast<uint64_t>(layer));
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  std::vector<UnitPlace> units;
  for (int64_t i = 0; i < count; ++i)
    units.push_back(
        {&tapes[static_cast<size_t>(below(kPictures))], below(maps[1]), below(maps[2]), below(maps[3])});
  WaysBack ways(net, input, layer);
  for (const Rule& rule : rules) ways.run(std::span(units).first(std::min<size_t>(units.size(), 16)), rule);
  const auto start = Clock::now();
  const std::clock_t cpu = std::clock();
  for (const Rule& rule : rules) ways.run(units, rule);
  const double cpu_seconds = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const double all = static_cast<double>(maps[1] * kTop), unit = seconds / static_cast<double>(count);
  const double macs = static_cast<double>(ways.macs()), each = macs * static_cast<double>(rules.size());
  std::printf("%-36s %5ld %9.2f %6.3f %9.2f %8.1f %8.2f\n", net.graph().node(layer).name.c_str(),
              static_cast<long>(maps[1]), macs / 1e6, macs / static_cast<double>(ways.whole_macs()),
              unit * 1e3, each / unit / 1e9, unit * all);
  std::fflush(stdout);
  return {unit * all, cpu_seconds / static_cast<double>(count) * all, each * all};
}

}  // namespace

int main(int argc, char** argv) {
  std::string name = "squeezenet1_1";
  int64_t units = 192;
  std::vector<Rule> rules{deconvnet_rule()};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--units" && i + 1 < argc)
      units = std::atoll(argv[++i]);
    else if (word == "--all")
      rules = {deconvnet_rule(), guided_backprop_rule(), gradient_rule()};
    else
      name = word;
  }
  ImageModel model = models::load(name, "formula", Device::cpu());
  Network& net = model.network;
  const std::vector<NodeId> layers = filter_layers(net.graph());
  const Tensor x = formula_input({kPictures, 3, kSide, kSide});
  std::vector<Tape> tapes;
  for (int64_t i = 0; i < kPictures; ++i) tapes.push_back(Tape::record(net, x.slice(i, i + 1), layers));
  std::printf("layer                             filters  10^6 mac  share   ms/unit    GMAC/s  layer s\n");
  Sum sum;
  for (const NodeId layer : layers) {
    const Sum one = measure(net, layer, tapes, units, rules);
    sum.seconds += one.seconds;
    sum.cpu += one.cpu;
    sum.macs += one.macs;
  }
  std::printf("together %.1f s (%.1f s of CPU), %.0f·10^9 multiply-adds, %.1f·10^9 each second\n",
              sum.seconds, sum.cpu, sum.macs / 1e9, sum.macs / sum.seconds / 1e9);
}
