#include "engine/exam/evaluate.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "engine/exam/untrained.h"
#include "kernels/common/random.h"

namespace loupe {
namespace {

using Clock = std::chrono::steady_clock;

// Scenes go through a method one after the other, so that its plans are made once; so many at a time, so that
// memory stays bounded and the untrained network is another one now and then.
constexpr int64_t kStretch = 32;

struct Asked {
  Scene scene;
  Tensor logits;
  Once once = {};
};

/// The maps of one method for one scene, each made when it is first asked for.
class Answers {
 public:
  Answers(ImageModel& network, ImageModel* untrained, const Contestant& contestant, const Asked& asked)
      : network_(network), untrained_(untrained), contestant_(contestant), asked_(asked) {}

  const Plane& map(size_t object) {
    std::optional<Plane>& map = maps_.at(object);
    if (!map) {
      const auto start = Clock::now();
      map = answer(network_, asked_.logits, object);
      seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    }
    return *map;
  }

  const Plane& untrained_map() {
    if (!untrained_map_) untrained_map_ = answer(*untrained_, untrained_->logits(asked_.scene.input), 0);
    return *untrained_map_;
  }

  std::vector<Plane> maps_of(const Tensor& pictures) const {
    std::vector<Plane> maps;
    const int64_t cls = asked_.scene.objects.at(0).cls;
    for (int64_t n = 0; n < pictures.shape()[0]; ++n) {
      const Scene scene{.input = pictures.slice(n, n + 1)};
      maps.push_back(contestant_.answer(network_, scene, network_.logits(scene.input), cls));
    }
    return maps;
  }

  std::vector<double> seconds;  // of each map of the network itself

 private:
  Plane answer(ImageModel& network, const Tensor& logits, size_t object) const {
    return contestant_.answer(network, asked_.scene, logits, asked_.scene.objects.at(object).cls);
  }

  ImageModel& network_;
  ImageModel* untrained_;
  const Contestant& contestant_;
  const Asked& asked_;
  std::array<std::optional<Plane>, 2> maps_;
  std::optional<Plane> untrained_map_;
};

/// The same network for metrics, which ask for scores of changed pictures by the hundred: on cpu with Winograd's
/// convolutions, whose rounding is too coarse for maps but not for these.
ImageModel for_scores(const ImageModel& model) {
  const Network& network = model.network;
  const Graph& graph = network.graph();
  std::map<std::string, Tensor> parameters;
  for (NodeId n = 0; n < graph.size(); ++n)
    for (const NodeId p : graph.parameters(n))
      parameters.insert_or_assign(graph.node(p).name, network.parameter(graph.node(p).name));
  KernelOptions kernels = network.options().kernels;
  kernels.winograd = true;
  ImageModel other{Network(network.name(), graph, std::move(parameters), network.device(), kernels),
                   model.preprocessing, model.labels, model.trunk};
  other.network.memory_limit = network.memory_limit;
  other.network.batch_limit = network.batch_limit;
  return other;
}

/// Which metrics look at a scene, of a method.
struct Looks {
  int64_t costly_count;  // scenes from the first

  bool at(const Metric& m, const Method& method, int64_t index, int objects) const {
    if (m.objects != objects) return false;
    if (m.costly && method.costly) return index < (costly_count + 9) / 10;
    return !(m.costly || method.costly) || index < costly_count;
  }
  /// How much there is to do: the map, and what costly metrics ask for beside it.
  int64_t work(std::span<const Metric* const> metrics, const Method& method, int64_t index,
               int objects) const {
    int64_t costly = 0, any = 0;
    for (const Metric* m : metrics) {
      const bool looks = at(*m, method, index, objects);
      any |= looks;
      costly += looks && m->costly;
    }
    return any + costly;
  }
};

/// Asks one method about one scene, and lets every metric that looks at it judge the answer.
struct Examiner {
  ImageModel &network, &scores;
  const Exam& exam;
  Looks looks;

  void ask(Asked& asked, int64_t index, int objects, ImageModel* untrained, Standing& standing,
           std::vector<double>& seconds) const {
    Answers answers(network, untrained, standing.contestant, asked);
    const Trial trial{.network = scores,
                      .scene = asked.scene,
                      .settings = exam.settings,
                      .once = asked.once,
                      .map = [&](size_t object) -> const Plane& { return answers.map(object); },
                      .untrained_map = [&]() -> const Plane& { return answers.untrained_map(); },
                      .maps_of = [&](const Tensor& x) { return answers.maps_of(x); }};
    for (Verdicts& v : standing.verdicts) {
      if (!looks.at(*v.metric, *standing.contestant.method, index, objects)) continue;
      const std::optional<Score> score = v.metric->score(trial);
      if (!score) continue;
      v.tally.add(score->value);
      if (!score->note.empty()) ++v.notes[{asked.scene.objects.at(0).cls, score->note}];
    }
    seconds.insert(seconds.end(), answers.seconds.begin(), answers.seconds.end());
  }
};

bool beats(const Metric& m, double score, double baseline) {
  return m.better == Metric::Better::higher ? score > baseline : score < baseline;
}

void compare_with_baselines(std::span<const Metric* const> metrics, std::vector<Standing>& standings) {
  for (size_t i = 0; i < metrics.size(); ++i) {
    const Metric& m = *metrics[i];
    std::vector<double> baselines;
    for (const Standing& s : standings)
      if (s.contestant.baseline && s.verdicts[i].tally.count())
        baselines.push_back(s.verdicts[i].tally.mean());
    if (m.passes_below || m.descriptive || baselines.empty()) continue;
    for (Standing& s : standings)
      if (!s.contestant.baseline && s.verdicts[i].tally.count())
        s.verdicts[i].beats_baselines = std::ranges::all_of(
            baselines, [&](double baseline) { return beats(m, s.verdicts[i].tally.mean(), baseline); });
  }
}

}  // namespace

Evaluation evaluate(ImageModel& network, const std::vector<Contestant>& contestants, const Exam& exam) {
  if (exam.count < 1)
    throw UsageError("an evaluation needs at least 1 picture, not " + std::to_string(exam.count));
  const int64_t costly_count = std::clamp<int64_t>(exam.costly, 0, exam.count);
  const Looks looks{costly_count};

  Evaluation result{.metrics = exam.metrics};
  if (result.metrics.empty()) result.metrics.assign(standard_metrics().begin(), standard_metrics().end());
  const std::vector<const Metric*>& metrics = result.metrics;
  std::vector<std::vector<double>> seconds(contestants.size());
  int64_t all_work = 0;
  for (const Contestant& c : contestants) {
    result.standings.push_back({.contestant = c});
    for (const Metric* m : metrics) result.standings.back().verdicts.push_back({.metric = m});
    for (int64_t i = 0; i < exam.count; ++i)
      for (const int objects : {1, 2}) all_work += looks.work(metrics, *c.method, i, objects);
  }
  int64_t done = 0;
  ImageModel scores = for_scores(network);
  const Examiner examiner{network, scores, exam, looks};
  const NodeId upper_half = middle_layer(network.graph());
  const auto advance = [&](int64_t by) {
    done += by;
    if (exam.progress)
      exam.progress(static_cast<double>(done) / static_cast<double>(std::max<int64_t>(all_work, 1)));
  };

  for (int64_t begin = 0; begin < exam.count; begin += kStretch) {
    const int64_t end = std::min(exam.count, begin + kStretch);
    std::optional<ImageModel> fresh;
    if (begin < costly_count)
      fresh.emplace(untrained(network, scrambled(exam.seed, static_cast<uint64_t>(begin)), upper_half));

    for (const int objects : {1, 2}) {
      if (objects == 2 && std::ranges::count(metrics, 2, &Metric::objects) == 0) continue;
      std::vector<Asked> stretch;
      for (int64_t i = begin; i < (objects == 1 ? end : std::min(end, costly_count)); ++i) {
        Scene scene = exam.scene(i, objects);
        Tensor logits = network.logits(scene.input);
        if (objects == 1) result.right.add(Target(top1).classes(logits)[0] == scene.objects.at(0).cls);
        stretch.push_back({.scene = std::move(scene), .logits = std::move(logits)});
      }
      for (size_t c = 0; c < contestants.size(); ++c)
        for (size_t k = 0; k < stretch.size(); ++k) {
          const int64_t index = begin + static_cast<int64_t>(k);
          examiner.ask(stretch[k], index, objects, fresh ? &*fresh : nullptr, result.standings[c],
                       seconds[c]);
          advance(looks.work(metrics, *contestants[c].method, index, objects));
        }
    }
  }
  for (size_t c = 0; c < contestants.size(); ++c) result.standings[c].seconds = median(std::move(seconds[c]));
  compare_with_baselines(metrics, result.standings);
  return result;
}

}  // namespace loupe
