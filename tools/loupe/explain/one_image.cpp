#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/file/file.h"
#include "engine/image/overlay.h"
#include "engine/run/recall.h"
#include "models/io/safetensors.h"
#include "models/io/switches.h"
#include "tools/loupe/command.h"
#include "tools/loupe/explain/run.h"
#include "tools/loupe/file_name.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/text.h"

namespace loupe {

void stop_if_interrupted() {
  if (OnInterrupt::came()) throw Interrupted("stopped");
}

namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Numbers in metadata are exact: they read back to the same double.
std::string exact(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", x);
  return text;
}

std::map<std::string, std::string> metadata(const ExplainedImage& image, const Answer& answer,
                                            const ExplainRun& run) {
  std::map<std::string, std::string> m{{"loupe", LOUPE_VERSION},
                                       {"image", valid_utf8(image.path)},
                                       {"model", run.network.name()},
                                       {"weights", valid_utf8(run.weights)},
                                       {"device", run.network.device().str()},
                                       {"explained", valid_utf8(answer.words)},
                                       {"score", exact(answer.score)}};
  if (answer.verdict) {
    m["class"] = std::to_string(answer.verdict->index);
    m["label"] = answer.verdict->label;
    m["probability"] = exact(answer.verdict->probability);
  }
  if (answer.minus)
    m["difference"] = std::to_string(answer.minus->first) + "-" + std::to_string(answer.minus->second);
  if (!answer.layer.empty()) m["layer"] = valid_utf8(answer.layer), m["unit"] = answer.unit;
  for (const MethodResult& r : answer.methods) {
    const std::string name(r.method->name);
    for (const auto& [option, text] : r.options) m[name + "." + option] = valid_utf8(text);
    for (const Check& c : r.checks) {
      const std::string key = "check." + name + "." + c.name;
      m[key] = exact(c.value);
      if (c.passes) m[key + ".passes"] = *c.passes ? "yes" : "no";
      if (c.interval) m[key + ".interval"] = exact(c.interval->first) + "," + exact(c.interval->second);
      if (c.passes == false) m[key + ".why"] = c.meaning;
    }
    for (const DrawnMap& map : r.maps) m["pictures"] += (m["pictures"].empty() ? "" : ",") + map.file;
  }
  return m;
}

// All files of the image's folder, at once.
void publish(const ExplainRun& run, const Explained& all, const ExplainedImage& image,
             const std::vector<NamedTensors>& tensors, const Switches& switches,
             const std::vector<uint8_t>& thumb, OutputFolder& out) {
  std::vector<OutputFolder::File> files;
  if (!switches.empty())
    files.push_back(
        {kSwitchesFile, [&](const OutputFolder::Path& path) {
           write_switches(
               path.string(), switches,
               {{"loupe", LOUPE_VERSION}, {"model", run.network.name()}, {"image", valid_utf8(image.path)}});
         }});
  for (size_t i = 0; i < image.answers.size(); ++i) {
    const Answer& answer = image.answers[i];
    const std::string folder = answer.folder.empty() ? "" : answer.folder + "/";
    files.push_back({folder + kTensorsFile, [&, i](const OutputFolder::Path& path) {
                       write_safetensors(path.string(), tensors[i], metadata(image, image.answers[i], run));
                     }});
    for (const MethodResult& r : answer.methods)
      for (const DrawnMap& map : r.maps)
        files.push_back(
            {folder + map.file, [&map](const OutputFolder::Path& path) { write_file(path, map.png); }});
  }
  if (all.many()) {
    files.push_back({kThumbnailFile, [&](const OutputFolder::Path& path) { write_file(path, thumb); }});
    files.push_back({kPageFile, [&](const OutputFolder::Path& path) {
                       const std::string page = report(all, {&image, 1}, true);
                       write_file(path, {reinterpret_cast<const uint8_t*>(page.data()), page.size()});
                     }});
  }
  out.publish(image.name, files);
}

struct Forward {
  Tensor logits;
  std::map<NodeId, Tensor> values;  // that the methods read
};
Forward forward(ImageModel& network, const Tensor& x, const std::vector<ChosenMethod>& methods) {
  const NodeId scores = network.graph().output();
  Purpose purpose{.values = {scores}};
  for (const ChosenMethod& m : methods)
    if (m.method->reads)
      for (const NodeId n : m.method->reads(network, m.options))
        if (std::ranges::count(purpose.values, Port(n)) == 0) purpose.values.emplace_back(n);
  Execution& pass = network.network.execution(x.shape(), purpose);
  pass.forward(x);
  Forward found{pass.value(scores), {}};
  for (const Port& p : purpose.values) found.values.emplace(p.node, pass.value(p));
  return found;
}

// What can be said beside a method's maps.
void add_checks(ExplainRun& run, const ChosenMethod& chosen, Question question, const Explanation& found,
                MethodResult& result) {
  question.progress = [](double) { stop_if_interrupted(); };
  if (!run.checker) run.checker.emplace(run.network);
  for (Check& c : run.checker->of(*chosen.method, chosen.options, question, found))
    result.checks.push_back(std::move(c));
}

}  // namespace

ExplainedImage explain_image(ExplainRun& run, const Input& input, const Tensor& x,
                             const std::vector<ChosenMethod>& methods, const Explained& all,
                             OutputFolder& out, ProgressBar& progress) {
  const auto start = Clock::now();
  ImageModel& network = run.network;
  ExplainedImage image{.path = input.path, .name = input.name, .input = x.shape()};

  const auto device_peak = [&] {
    return network.device().module() ? memory_count(network.device()).peak : 0;
  };
  reset_memory_peak();
  const auto [logits, values] = forward(network, x, methods);
  image.peak_bytes = memory_count().peak;
  image.device_peak_bytes = device_peak();
  const std::vector<Verdict> ranking = rank(network, logits);
  image.top.assign(ranking.begin(), ranking.begin() + std::min<ptrdiff_t>(5, std::ssize(ranking)));
  image.photo = encode_png(to_image(x, network.preprocessing));
  std::vector<uint8_t> thumb;

  const size_t count = run.asked.size();
  std::vector<Target> targets;
  std::vector<NamedTensors> tensors(count, {{"input", x.row(0)}, {"logits", logits.row(0).to(Dtype::f32)}});
  for (const Asked& asked : run.asked) {
    auto [target, answer] = settle(asked, network, x, ranking);
    if (count > 1) answer.folder = file_name(asked.text);
    targets.push_back(std::move(target));
    image.answers.push_back(std::move(answer));
  }
  for (ChosenMethod chosen : methods) {
    fit(chosen, network, x.shape());
    progress.begin(input.name + ": " + std::string(chosen.method->name));
    // Of several questions the forward passes are those of one.
    std::optional<Recall> recall;
    if (count > 1) recall.emplace(network.network);
    std::vector<Explanation> all_found;
    for (size_t i = 0; i < count; ++i) {
      stop_if_interrupted();
      reset_memory_peak();
      const auto method_start = Clock::now();
      const Question question{
          .model = network,
          .input = x,
          .target = targets[i],
          .logits = logits,
          .progress =
              [&](double part) {
                stop_if_interrupted();
                progress.update((static_cast<double>(i) + part) / static_cast<double>(count));
              },
          .values = values};
      Explanation found = chosen.method->run(question, chosen.options);
      const double seconds = since(method_start);
      const int64_t peak = memory_count().peak;
      MethodResult result = drawn_by(chosen, question, found);
      for (const std::string& what : found.unmet) {
        result.notes.push_back(what);
        image.unmet.push_back("'" + input.path + "': " + what);
      }
      result.seconds = seconds;
      result.peak_bytes = peak;
      result.device_peak_bytes = device_peak();
      image.peak_bytes = std::max(image.peak_bytes, result.peak_bytes);
      image.device_peak_bytes = std::max(image.device_peak_bytes, result.device_peak_bytes);
      for (const Map& map : found.maps) tensors[i].emplace_back(map.name, map.values.to(Dtype::f32));
      for (const Numbers& n : found.numbers) tensors[i].emplace_back(n.name, n.values.to(Dtype::f32));
      if (all.many() && thumb.empty() && !found.maps.empty())
        thumb = thumbnail(to_image(x, network.preprocessing),
                          overlay(x, found.maps[0].values, found.maps[0].picture, network.preprocessing));
      if (run.checks) found.checks = result.checks, all_found.push_back(std::move(found));
      image.answers[i].methods.push_back(std::move(result));
    }
    recall.reset();
    if (run.checks) progress.begin(input.name + ": checks of " + std::string(chosen.method->name));
    for (size_t i = 0; i < all_found.size(); ++i)
      add_checks(run, chosen, {.model = network, .input = x, .target = targets[i], .logits = logits},
                 all_found[i], image.answers[i].methods.back());
    progress.clear();
  }

  image.seconds = since(start);
  publish(run, all, image, tensors, run.switches ? switches_of(network, x) : Switches{}, thumb, out);
  return image;
}

}  // namespace loupe
