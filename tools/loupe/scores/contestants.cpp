#include "tools/loupe/scores/contestants.h"

#include <array>

#include "engine/exam/baselines.h"

namespace loupe {

std::vector<Contestant> contestants(ImageModel& network, std::vector<ChosenMethod> methods, bool may_skip,
                                    const Scene& scene, std::vector<Skipped>& skipped) {
  skipped = leave_out_unsuited(methods, network, std::array{scene.input.shape()}, may_skip);
  for (ChosenMethod& m : methods) fit(m, network, scene.input.shape());
  std::vector<Contestant> all;
  for (const ChosenMethod& m : methods) {
    const Contestant contestant{m.method, m.options};
    if (can_be_scored(network, contestant, scene)) {
      all.push_back(contestant);
      continue;
    }
    const std::string name(m.method->name), why = "none of its maps says what speaks for the class";
    if (!may_skip) throw UsageError("--method " + name + " cannot be scored: " + why);
    skipped.push_back({name, why});
  }
  for (const Method* m : {&centre_baseline, &random_baseline})
    all.push_back({m, Options(std::string(m->name), m->options), true});
  return all;
}

}  // namespace loupe
