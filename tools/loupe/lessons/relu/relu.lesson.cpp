// `loupe lesson relu`: one ReLU on the way up, and three ways down: the lecture's table, by the rules of the methods.
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/loupe/compare/compare.h"
#include "tools/loupe/lessons/lesson.h"
#include "tools/loupe/options.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

struct Settings {
  std::string x, signal;
  DeviceChoice device;
  bool json = false;
};

// 16 numbers, or what rule_table() has.
Tensor sixteen(const std::string& option, const std::string& text) {
  if (text.empty()) return {};
  std::vector<double> values;
  for (const std::string& part : split_commas(text)) values.push_back(parse_real(option, part, -1e6, 1e6));
  if (values.size() != 16)
    throw UsageError(option + " takes 16 numbers, row by row of a 4 × 4 map, not " +
                     std::to_string(values.size()));
  return Tensor::from(values, {4, 4});
}

std::string side_by_side(const std::vector<std::pair<std::string, const Tensor*>>& grids) {
  constexpr size_t kCell = 6, kGrid = 4 * kCell + 4;
  std::string out;
  for (const auto& [name, t] : grids) out += "   " + padded(name, kGrid);
  out += "\n";
  for (int64_t y = 0; y < 4; ++y) {
    for (const auto& [name, t] : grids) {
      out += "   ";
      for (int64_t x = 0; x < 4; ++x) {
        const double v = t->item(4 * y + x);
        out += padded((v < 0 ? "−" : "") + short_number(v == 0 ? 0 : std::abs(v)), kCell, true);
      }
      out += "    ";
    }
    out += "\n";
  }
  return out + "\n";
}

nlohmann::ordered_json numbers(const Tensor& t) {
  auto list = nlohmann::ordered_json::array();
  for (int64_t i = 0; i < t.numel(); ++i) list.push_back(t.item(i));
  return list;
}

void run(const Settings& s) {
  const Tensor x = sixteen("--x", s.x), signal = sixteen("--signal", s.signal);
  const RuleTable t = rule_table(s.device.device.empty() ? Device::ref() : s.device.open(), x, signal);
  if (s.json)
    return print_json({{"loupe", LOUPE_VERSION},
                       {"x", numbers(t.before)},
                       {"forward", numbers(t.after)},
                       {"signal", numbers(t.signal)},
                       {"gradient", numbers(t.gradient)},
                       {"deconvnet", numbers(t.deconvnet)},
                       {"guided_backprop", numbers(t.guided)}});
  print(
      "One ReLU, on the way up and on three ways down\n\n   The gradient, the deconvnet and guided "
      "backpropagation "
      "differ at the ReLUs alone. x is an activation of 16 numbers,\n   R the signal that comes down to "
      "it.\n\n" +
      side_by_side({{"x, before the ReLU", &t.before},
                    {"forward: max(x, 0)", &t.after},
                    {"R, the signal from above", &t.signal}}) +
      side_by_side({{"gradient: R where x > 0", &t.gradient},
                    {"deconvnet: R where R > 0", &t.deconvnet},
                    {"guided: R where both are", &t.guided}}) +
      "   The gradient asks only the way up, and lets signals against pass. The deconvnet asks only the "
      "signal: it is the\n"
      "   forward pass's own ReLU, applied to what comes down, and knows nothing of x. Guided "
      "backpropagation asks both: a\n"
      "   product of the two masks. What it passes is never negative, and only where the unit was on.\n");
}

}  // namespace

extern const Lesson relu_lesson{
    "relu", "Forward, backward, deconvnet and guided, side by side on one activation", [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      value_option(app, "--x", s->x, "X", "The activation: 16 numbers");
      value_option(app, "--signal", s->signal, "R", "The signal from above: 16 numbers");
      value_option(app, "--device", s->device.device, "D", "Whose kernels: ref, cpu, cuda or sim (ref)");
      flag_option(app, "--json", s->json, "For programs");
      return [s] { run(*s); };
    }};

}  // namespace loupe
