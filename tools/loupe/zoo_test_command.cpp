// `loupe zoo test`: how well a network names pictures that it has not seen.
#include <memory>

#include "kernels/common/parallel.h"
#include "models/zoo/zoo.h"
#include "tools/loupe/options.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"
#include "tools/loupe/zoo_test.h"

namespace loupe {
namespace {

struct Settings {
  ModelChoice network;
  DeviceChoice device;
  WeightsChoice weights;
  std::string count = "10000", seed = "2024", threads;
  bool json = false;
};

void run(const Settings& s) {
  s.network.check_name();
  const int64_t count = parse_whole("--count", s.count, 1, 100'000'000);
  const auto seed = static_cast<uint64_t>(parse_whole("--seed", s.seed, 0, INT64_MAX));
  if (!s.threads.empty()) set_threads(static_cast<int>(parse_whole("--threads", s.threads, 1, 1024)));
  s.weights.check(s.network.model);
  ImageModel network = load_for_zoo(s.network, s.weights, s.device);
  const nlohmann::ordered_json test = zoo_test(network, seed, count);
  if (s.json) return print_json(test);
  print(zoo_test_text(test));
}

}  // namespace

std::function<void()> set_up_zoo_test(CLI::App& zoo) {
  CLI::App& app = subcommand(
      zoo, "test", "Names fresh pictures, as they are and with other backgrounds, and counts what was right");
  const auto s = std::make_shared<Settings>();
  value_option(app, "--network", s->network.model, "M",
               "A network that tells the zoo's 14 classes apart (zoo)");
  value_option(app, "--head", s->network.head, "pooled",
               "The head that `loupe train --head pooled` taught it");
  s->weights.add_to(
      app, "Its weights, safetensors or torch.save (those built in); or `formula`: made-up ones, for a try");
  value_option(app, "--count", s->count, "N", "How many pictures (10000); classes take turns");
  value_option(app, "--seed", s->seed, "S", "Which pictures (2024): the same seed draws the same ones");
  s->device.add_to(app);
  value_option(app, "--threads", s->threads, "N", "Threads; what is said does not depend on it (all cores)");
  flag_option(app, "--json", s->json, "Print everything for programs, and nothing else");
  return [&app, s] {
    if (was_named(app)) run(*s);
  };
}

}  // namespace loupe
