#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/file/file.h"
#include "engine/image/overlay.h"
#include "models/io/safetensors.h"
#include "tools/loupe/command.h"
#include "tools/loupe/explain/run.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/text.h"

namespace loupe {

void stop_if_interrupted() {
  if (OnInterrupt::came()) throw Interrupted("stopped");
}

namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

DrawnMap draw(const Map& map, const std::string& file, const Image& picture) {
  DrawnMap d{.name = map.name,
             .caption = map.caption,
             .file = file,
             .shape = map.values.shape(),
             .style = map.picture.style};
  d.minimum = INFINITY;
  d.maximum = -INFINITY;
  for (int64_t i = 0; i < map.values.numel(); ++i) {
    d.minimum = std::min(d.minimum, map.values.item(i));
    d.maximum = std::max(d.maximum, map.values.item(i));
  }
  d.png = encode_png(picture);
  return d;
}

// Numbers in metadata are exact: they read back to the same double.
std::string exact(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", x);
  return text;
}

std::map<std::string, std::string> metadata(const ExplainedImage& image, const ExplainRun& run) {
  std::map<std::string, std::string> m{{"loupe", LOUPE_VERSION},
                                       {"image", valid_utf8(image.path)},
                                       {"model", run.network.name()},
                                       {"weights", valid_utf8(run.weights)},
                                       {"device", run.network.device().str()},
                                       {"class", std::to_string(image.target.index)},
                                       {"label", image.target.label},
                                       {"score", exact(image.target.score)},
                                       {"probability", exact(image.target.probability)}};
  for (const MethodResult& r : image.methods) {
    const std::string name(r.method->name);
    for (const auto& [option, text] : r.options) m[name + "." + option] = valid_utf8(text);
    for (const Check& c : r.checks) m["check." + name + "." + c.name] = exact(c.value);
    for (const DrawnMap& map : r.maps) m["pictures"] += (m["pictures"].empty() ? "" : ",") + map.file;
  }
  return m;
}

// All files of the image's folder, at once.
void publish(const ExplainRun& run, const Explained& all, const ExplainedImage& image,
             const NamedTensors& tensors, const std::vector<uint8_t>& thumb, OutputFolder& out) {
  std::vector<OutputFolder::File> files{{kTensorsFile, [&](const OutputFolder::Path& path) {
                                           write_safetensors(path.string(), tensors, metadata(image, run));
                                         }}};
  for (const MethodResult& r : image.methods)
    for (const DrawnMap& map : r.maps)
      files.push_back({map.file, [&map](const OutputFolder::Path& path) { write_file(path, map.png); }});
  if (all.many()) {
    files.push_back({kThumbnailFile, [&](const OutputFolder::Path& path) { write_file(path, thumb); }});
    files.push_back({kPageFile, [&](const OutputFolder::Path& path) {
                       const std::string page = report(all, {&image, 1}, true);
                       write_file(path, {reinterpret_cast<const uint8_t*>(page.data()), page.size()});
                     }});
  }
  out.publish(image.name, files);
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
  const Tensor logits = network.logits(x);
  image.peak_bytes = memory_count().peak;
  image.device_peak_bytes = device_peak();
  const std::vector<Verdict> ranking = rank(network, logits);
  image.top.assign(ranking.begin(), ranking.begin() + std::min<ptrdiff_t>(5, std::ssize(ranking)));
  image.target = *std::ranges::find(ranking, run.target.value_or(ranking[0].index), &Verdict::index);
  const Image photo = to_image(x, network.preprocessing);
  image.photo = encode_png(photo);
  std::vector<uint8_t> thumb;

  NamedTensors tensors{{"input", x.row(0)}, {"logits", logits.row(0).to(Dtype::f32)}};
  for (ChosenMethod chosen : methods) {
    fit(chosen, network, x.shape());
    const Method& method = *chosen.method;
    stop_if_interrupted();
    progress.begin(input.name + ": " + std::string(method.name));
    reset_memory_peak();
    const auto method_start = Clock::now();
    Explanation found = method.run({.model = network,
                                    .input = x,
                                    .target = image.target.index,
                                    .logits = logits,
                                    .progress =
                                        [&](double part) {
                                          stop_if_interrupted();
                                          progress.update(part);
                                        }},
                                   chosen.options);
    MethodResult result{.method = &method,
                        .options = chosen.options.all(),
                        .checks = std::move(found.checks),
                        .notes = std::move(found.notes),
                        .seconds = since(method_start),
                        .peak_bytes = memory_count().peak,
                        .device_peak_bytes = device_peak()};
    for (const std::string& what : found.unmet) {
      result.notes.push_back(what);
      image.unmet.push_back("'" + input.path + "': " + what);
    }
    image.peak_bytes = std::max(image.peak_bytes, result.peak_bytes);
    image.device_peak_bytes = std::max(image.device_peak_bytes, result.device_peak_bytes);
    for (const Map& map : found.maps) {
      const std::string file = (found.maps.size() == 1 ? std::string(method.name) : map.name) + ".png";
      const Image picture = overlay(x, map.values, map.picture, network.preprocessing);
      result.maps.push_back(draw(map, file, picture));
      if (all.many() && thumb.empty()) thumb = thumbnail(photo, picture);
      tensors.emplace_back(map.name, map.values.to(Dtype::f32));
    }
    for (const Numbers& n : found.numbers) tensors.emplace_back(n.name, n.values.to(Dtype::f32));
    image.methods.push_back(std::move(result));
    progress.clear();
  }

  image.seconds = since(start);
  publish(run, all, image, tensors, thumb, out);
  return image;
}

}  // namespace loupe
