// `loupe lesson relu`: one ReLU on the way up, and three ways down: the lecture's table, by the rules of the methods.
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/loupe/lessons/lesson.h"
#include "tools/loupe/lessons/relu/table.h"
#include "tools/loupe/options.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

struct Settings {
  std::string x, signal, out;
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

// What the page's script is compared with: what was asked for, and numbers of every kind.
std::vector<RuleTable> examples(const RuleTable& asked, Device device) {
  std::vector<RuleTable> all{asked};
  const auto some = [](int64_t first, int64_t step) {
    std::vector<double> values;
    for (int64_t i = 0; i < 16; ++i) values.push_back(static_cast<double>((first + step * i) % 17 - 8) / 4);
    return Tensor::from(values, {4, 4});
  };
  for (int64_t i = 0; i < 12; ++i) all.push_back(rule_table(device, some(i, 3 + i), some(5 * i, 7 + i)));
  return all;
}

void run(const Settings& s) {
  const Tensor x = sixteen("--x", s.x), signal = sixteen("--signal", s.signal);
  const Device device = s.device.device.empty() ? Device::ref() : s.device.open();
  const RuleTable t = rule_table(device, x, signal);
  const std::string page =
      s.out.empty() ? "" : publish_page(relu_page(device.str(), examples(t, device)), s.out);
  if (s.json) {
    nlohmann::ordered_json document{{"loupe", LOUPE_VERSION}};
    document.update(as_json(t));
    return print_json(document);
  }
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
      "   product of the two masks. What it passes is never negative, and only where the unit was on.\n" +
      (page.empty() ? "" : page + " shows it all: change its numbers\n"));
}

}  // namespace

nlohmann::ordered_json as_json(const RuleTable& t) {
  nlohmann::ordered_json all;
  for (const auto& [name, values] : {std::pair<const char*, const Tensor&>{"x", t.before},
                                     {"forward", t.after},
                                     {"signal", t.signal},
                                     {"gradient", t.gradient},
                                     {"deconvnet", t.deconvnet},
                                     {"guided_backprop", t.guided}})
    for (int64_t i = 0; i < values.numel(); ++i) all[name].push_back(values.item(i));
  return all;
}

extern const Lesson relu_lesson{
    "relu", "Forward, backward, deconvnet and guided, side by side on one activation", [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      value_option(app, "--x", s->x, "X", "The activation: 16 numbers");
      value_option(app, "--signal", s->signal, "R", "The signal from above: 16 numbers");
      value_option(app, "--device", s->device.device, "D", "Whose kernels: ref, cpu, cuda or sim (ref)");
      value_option(app, "--out", s->out, "DIR", "Also write DIR/relu.html, whose numbers can be changed");
      flag_option(app, "--json", s->json, "For programs");
      return [s] { run(*s); };
    }};

}  // namespace loupe
