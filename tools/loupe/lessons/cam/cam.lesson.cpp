// `loupe lesson cam`: why the mean of a class activation map and a bias are the class's score, step by step.
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "engine/methods/cam.h"
#include "tools/loupe/arguments.h"
#include "tools/loupe/lessons/cam/study.h"
#include "tools/loupe/lessons/lesson.h"
#include "tools/loupe/lessons/subject.h"
#include "tools/loupe/print.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

struct Settings {
  SubjectChoice subject;
  std::string picture, cls, out;
  bool json = false;
};

double mean(const Tensor& t, int64_t begin, int64_t count) {
  double sum = 0;
  for (int64_t i = begin; i < begin + count; ++i) sum += t.item(i);
  return sum / static_cast<double>(count);
}

// The map in shades, two columns a place.
std::string drawn(const Tensor& map) {
  static const char* const kShades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
  double top = 0;
  for (int64_t i = 0; i < map.numel(); ++i) top = std::max(top, map.item(i));
  std::string out;
  for (int64_t y = 0; y < map.shape()[0]; ++y) {
    out += "   │";
    for (int64_t x = 0; x < map.shape()[1]; ++x) {
      const double v = map.item(y * map.shape()[1] + x);
      out += v < 0 ? " −" : kShades[top > 0 ? std::min(4, static_cast<int>(5 * v / top)) : 0];
    }
    out += "│\n";
  }
  return out;
}

std::string signed_number(double v) { return (v < 0 ? "−" : "") + short_number(std::abs(v)); }

std::string text_of(const CamLesson& l, const Subject& subject, const Verdict& asked) {
  using enum Table::Align;
  const std::string k = std::to_string(l.maps.shape()[1]),
                    places = std::to_string(l.maps.shape()[2]) + " × " + std::to_string(l.maps.shape()[3]);
  std::string out = "CAM, step by step: " + subject.name + ", asked about " + asked.label + "\n\n";
  out += "1  The last maps. '" + l.maps_of + "' makes A, " + k + " maps of " + places +
         ". The network averages each over its places, and the\n   class's score is a weighted sum of these "
         "means and a "
         "bias:  score = Σ_k w_k · mean(A_k) + b\n\n";
  Table table({{"channel k", right}, {"mean(A_k)", right}, {"w_k", right}, {"w_k · mean(A_k)", right}}, 3);
  const size_t shown = std::min<size_t>(6, l.shares.size());
  double rest = l.of_channels;
  for (size_t i = 0; i < shown; ++i) {
    const Share& s = l.shares[i];
    rest -= s.product;
    table.row({std::to_string(s.channel), signed_number(s.mean), signed_number(s.weight),
               signed_number(s.product)});
  }
  if (shown < l.shares.size())
    table.row({std::to_string(l.shares.size() - shown) + " others", "", "", signed_number(rest)});
  table.line();
  table.row({"Σ_k", "", "", signed_number(l.of_channels)});
  out += table.str();
  out +=
      "\n2  A mean is a sum over places, so the two sums change places:  Σ_k w_k · mean(A_k) = mean over "
      "places of Σ_k w_k "
      "A_k.\n   What stands behind that mean is the class's map, CAM: the evidence at each place (− is "
      "against).\n\n" +
      drawn(l.map);
  out += "\n3  So the map's mean and the bias are the score, nothing is left over:\n\n   mean(CAM)      " +
         signed_number(l.of_map) + "\n   + bias         " + signed_number(l.bias) +
         "\n   = " + signed_number(l.of_map + l.bias) + "\n   score          " + signed_number(l.score) +
         "   of the forward pass; difference " + signed_number(l.of_map + l.bias - l.score) + "\n\n";
  return out +
         "   This holds for a head of global average pooling and one linear layer. It says what the map adds "
         "up to, not why the\n"
         "   network made these maps; and a place of the map sees more of the picture than its own square\n"
         "   (`loupe lesson receptive-field`).\n";
}

void run(const Settings& s) {
  ImageModel network = s.subject.load();
  const Subject subject = read_subject(network, s.picture, 1);
  const Verdict asked = chosen_class(network, subject, s.cls);
  const CamLesson l = study_cam(network, subject, asked);
  const std::string page = s.out.empty() ? "" : publish_page(cam_page(network, subject, asked), s.out);
  if (!s.json)
    return print(text_of(l, subject, asked) +
                 (page.empty() ? "" : "\n" + page + " shows it all: change its weights\n"));
  nlohmann::ordered_json document{{"loupe", LOUPE_VERSION},  {"class", asked.index},
                                  {"label", asked.label},    {"maps", l.maps_of},
                                  {"mean_of_cam", l.of_map}, {"weighted_means", l.of_channels},
                                  {"bias", l.bias},          {"score", l.score}};
  for (int64_t y = 0; y < l.map.shape()[0]; ++y) {
    std::vector<double> row;
    for (int64_t x = 0; x < l.map.shape()[1]; ++x) row.push_back(l.map.item(y * l.map.shape()[1] + x));
    document["cam"].push_back(row);
  }
  for (const Share& share : l.shares)
    document["channels"].push_back({{"channel", share.channel},
                                    {"mean", share.mean},
                                    {"weight", share.weight},
                                    {"product", share.product}});
  print_json(document);
}

}  // namespace

CamLesson study_cam(ImageModel& network, const Subject& subject, const Verdict& asked) {
  const Graph& graph = network.graph();
  const CamHead head = cam_head(graph);
  if (!head.missing.empty()) throw UsageError("cam does not suit " + network.name() + ": " + head.missing);
  if (!head.linear)
    throw UsageError(network.name() +
                     " has no linear layer behind its average: its classes' maps are there as they are");
  Execution& pass = network.network.execution(subject.x.shape(), {.values = {head.maps, graph.output()}});
  pass.forward(subject.x);
  const Tensor maps = pass.value(head.maps), scores = pass.value(graph.output());
  CamLesson l{.maps_of = graph.node(head.maps).name, .maps = maps};
  l.map = cam_of(network, maps, scores, {.target = asked.index}).row(0);
  const std::string layer = graph.node(*head.linear).name;
  const Tensor& weight = network.network.parameter(layer + ".weight");
  const int64_t channels = maps.shape()[1], places = maps.shape()[2] * maps.shape()[3];
  l.of_channels = 0;
  for (int64_t k = 0; k < channels; ++k) {
    Share s{.channel = k,
            .mean = mean(maps, k * places, places),
            .weight = weight.item(asked.index * channels + k)};
    s.product = s.mean * s.weight;
    l.of_channels += s.product;
    l.shares.push_back(s);
  }
  std::ranges::stable_sort(l.shares, std::greater(), [](const Share& s) { return std::abs(s.product); });
  l.of_map = mean(l.map, 0, l.map.numel());
  const bool has_bias = graph.try_find(layer).has_value() && graph.parameters(*head.linear).size() > 1;
  l.bias = has_bias ? network.network.parameter(layer + ".bias").item(asked.index) : 0;
  l.score = scores.item(asked.index);
  return l;
}

extern const Lesson cam_lesson{
    "cam", "Why a class activation map's mean and a bias are the score", [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      argument(app, "IMAGE", s->picture, "A picture, as `loupe explain` takes it (one of the zoo's)");
      value_option(app, "--class", s->cls, "C", "The class (the picture's likeliest)");
      value_option(app, "--out", s->out, "DIR", "Also write DIR/cam.html, whose weights can be changed");
      flag_option(app, "--json", s->json, "For programs");
      s->subject.add_to(app);
      return [s] { run(*s); };
    }};

}  // namespace loupe
