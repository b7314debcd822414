// The training of one model. Its scores are written before the checkpoint of the same step, so that what a checkpoint
// goes on from is scored, and lines of later steps are made again.
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/file/atomic_file.h"
#include "engine/training/initial_weights.h"
#include "engine/training/telemetry.h"
#include "models/io/checkpoint.h"
#include "models/text/text_file.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/text.h"
#include "tools/loupe/train/induction.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

// Of the uniform law of initial_weights(). Chosen by trials, together with the rate and the share of repeats.
constexpr float kInitialScale = 0.4f;

std::map<std::string, Tensor> small_weights(const Graph& graph, uint64_t seed) {
  std::map<std::string, Tensor> weights = initial_weights(graph, seed);
  for (const NodeId p : graph.parameters()) {
    const Node& spec = graph.node(p);
    if (spec.role != ParameterSpec::Role::weight && spec.role != ParameterSpec::Role::table) continue;
    for (float& w : weights.at(spec.name).values<float>()) w *= kInitialScale;
  }
  return weights;
}

class Training {
 public:
  Training(const InductionTraining& s, const InductionData& data, InductionRun& run)
      : s_(s),
        data_(data),
        run_(run),
        folder_(s.out / ("layers" + std::to_string(run.layers) + "-seed" + std::to_string(run.seed))),
        config_(attention_only(run.layers, InductionData::kVocabulary, s.length, s.width, s.heads)),
        trainer_(name(), next_token_graph(text_graph(config_)),
                 small_weights(text_graph(config_), static_cast<uint64_t>(run.seed)), s.device.open(),
                 s.settings) {
    texts_ = s.texts;
    texts_["network"] = name();
    texts_["seed"] = std::to_string(run.seed);
    if (s.resume && fs::exists(checkpoint())) go_on();
    make_folder();
  }

  bool run(int64_t& steps_left, ProgressLine& line) {
    const int64_t steps = s_.settings.steps;
    if (trainer_.next_step() == 0) mark();
    if (trainer_.next_step() < steps && steps_left > 0) {
      Telemetry telemetry(file("telemetry.jsonl"), trainer_.next_step());
      Batches batches([&](int64_t step) { return data_.batch(step); }, trainer_.next_step());
      for (; trainer_.next_step() < steps && steps_left > 0 && !OnInterrupt::came(); --steps_left) {
        const StepReport r = step(batches);
        telemetry.write(r);
        line.show(run_name(run_) + "  step " + std::to_string(r.step + 1) + "/" + std::to_string(steps) +
                  "  loss " + short_number(r.loss));
        if (trainer_.next_step() % s_.every == 0 || trainer_.next_step() == steps) mark();
      }
      save();
    }
    if (trainer_.next_step() < steps) return false;
    finish();
    return true;
  }

 private:
  std::string name() const { return "induction" + std::to_string(run_.layers); }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  std::string checkpoint() const { return file("checkpoint.safetensors"); }

  void make_folder() const {
    std::error_code error;
    fs::create_directories(folder_, error);
    if (error) throw Error("cannot make the folder '" + folder_.string() + "': " + error.message());
  }

  void go_on() {
    const Checkpoint last = read_checkpoint(checkpoint());
    for (const auto& [key, text] : texts_) {
      const auto found = last.settings.find(key);
      const std::string before = found == last.settings.end() ? "" : found->second;
      if (before != text)
        throw UsageError("'" + checkpoint() + "' was made with " + key + " " + before + ", not " + text +
                         ": --resume goes on with the same");
    }
    try {
      trainer_.restore(last.state);
    } catch (const Error& e) {
      throw Error("the checkpoint '" + checkpoint() + "' does not fit " + name() + ": " + e.what());
    }
    std::ifstream lines(file("scores.jsonl"));
    try {
      for (std::string line; std::getline(lines, line);) {
        InductionScores of = parse_scores(line);
        if (of.step > last.state.next_step) break;
        run_.scores.push_back(std::move(of));
      }
    } catch (const std::exception&) {
      throw Error("'" + file("scores.jsonl") + "' is damaged: its line " +
                  std::to_string(run_.scores.size() + 1) + " holds no scores");
    }
    if (run_.scores.empty())
      throw Error("'" + file("scores.jsonl") + "' is missing, without which nothing goes on");
  }

  StepReport step(Batches& batches) {
    try {
      return trainer_.step(batches.next());
    } catch (const Diverged& e) {
      throw Error(run_name(run_) + ": " + e.what() + "; the last good checkpoint is kept in '" +
                  checkpoint() + "': a lower --rate may help, with another --out");
    }
  }

  // Scores the model as it is, and leaves a checkpoint.
  void mark() {
    TextModel model = text_model(name(), config_, trainer_.parameters(), s_.device.open());
    run_.scores.push_back(induction_scores(model, data_, trainer_.next_step()));
    AtomicFile lines(file("scores.jsonl"));
    for (const InductionScores& s : run_.scores) lines.write(scores_line(s));
    lines.commit();
    save();
  }
  void save() const { write_checkpoint(checkpoint(), {.state = trainer_.state(), .settings = texts_}); }

  void finish() {
    write_text_model(file(name() + ".safetensors"), config_, trainer_.parameters(), true,
                     {{"command", s_.command}, {"tokens", "bytes"}});
    std::ifstream lines(file("telemetry.jsonl"));
    for (std::string line; std::getline(lines, line);)
      run_.seconds += static_cast<double>(s_.settings.batch) /
                      nlohmann::json::parse(line).at("images_per_second").get<double>();
  }

  const InductionTraining& s_;
  const InductionData& data_;
  InductionRun& run_;
  fs::path folder_;
  TextConfig config_;
  Trainer trainer_;
  std::map<std::string, std::string> texts_ = {};
};

}  // namespace

bool train_one(const InductionTraining& s, const InductionData& data, InductionRun& run, int64_t& steps_left,
               ProgressLine& line) {
  return Training(s, data, run).run(steps_left, line);
}

}  // namespace loupe
