#include "engine/exam/cascade.h"

#include <algorithm>

#include "engine/exam/randomisation.h"
#include "engine/exam/untrained.h"

namespace loupe {
namespace {

/// `count` of them at most: the first, the last, and others evenly between.
std::vector<NodeId> some_of(const std::vector<NodeId>& all, int64_t count) {
  if (std::ssize(all) <= count) return all;
  std::vector<NodeId> some;
  for (int64_t i = 0; i < count; ++i)
    some.push_back(all[static_cast<size_t>(i * (std::ssize(all) - 1) / std::max<int64_t>(count - 1, 1))]);
  return some;
}

}  // namespace

std::vector<CascadeStep> cascade(ImageModel& model, const std::vector<Contestant>& contestants,
                                 const std::function<Scene(int64_t)>& scene, int64_t count, uint64_t seed,
                                 const Progress& progress, int64_t most_steps) {
  std::vector<Scene> scenes;
  for (int64_t i = 0; i < count; ++i) scenes.push_back(scene(i));
  const std::vector<NodeId> layers = some_of(learned_layers(model.graph()), most_steps);
  const auto all_work = static_cast<double>((layers.size() + 1) * contestants.size() * scenes.size());
  double done = 0;

  // Of each contestant, the middles of its maps of all scenes.
  const auto answers = [&](ImageModel& net) {
    std::vector<Tensor> logits;
    for (const Scene& s : scenes) logits.push_back(net.logits(s.input));
    std::vector<std::vector<Plane>> all;
    for (const Contestant& c : contestants) {
      all.emplace_back();
      for (size_t i = 0; i < scenes.size(); ++i) {
        all.back().push_back(middle(c.answer(net, scenes[i], logits[i], scenes[i].objects.at(0).cls)));
        if (progress) progress(++done / all_work);
      }
    }
    return all;
  };

  const auto learned = answers(model);
  std::vector<CascadeStep> steps;
  for (const NodeId layer : layers) {
    ImageModel partly = untrained(model, seed, layer);
    const auto forgot = answers(partly);
    steps.push_back({model.graph().node(layer).name, std::vector<Tally>(contestants.size())});
    for (size_t c = 0; c < contestants.size(); ++c)
      for (size_t i = 0; i < scenes.size(); ++i)
        steps.back().similarity[c].add(rank_similarity(learned[c][i], forgot[c][i]));
  }
  return steps;
}

}  // namespace loupe
