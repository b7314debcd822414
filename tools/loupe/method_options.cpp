#include "tools/loupe/method_options.h"

#include <algorithm>
#include <cmath>

#include "tools/loupe/options.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

std::string default_text(const OptionSpec& o) {
  if (const auto* text = std::get_if<std::string>(&o.standard)) return *text;
  if (const auto* whole = std::get_if<int64_t>(&o.standard)) return std::to_string(*whole);
  return short_number(std::get<double>(o.standard));
}

}  // namespace

std::string option_name(const Method& m, const OptionSpec& o) {
  return "--" + std::string(m.name) + "." + o.name;
}

std::string option_type(const OptionSpec& o) {
  static constexpr const char* kTypes[] = {"integer", "number", "text"};
  return kTypes[o.standard.index()];
}

std::string option_help(const OptionSpec& o) {
  const std::string standard = default_text(o);
  const bool from = o.minimum > -1e300, to = o.maximum < 1e300;
  std::string limits;
  if (from && to)
    limits = short_number(o.minimum) + " to " + short_number(o.maximum);
  else if (from)
    limits = "at least " + short_number(o.minimum);
  else if (to)
    limits = "at most " + short_number(o.maximum);
  std::string notes = standard;
  if (!limits.empty()) notes += (notes.empty() ? "" : "; ") + limits;
  return notes.empty() ? o.help : o.help + " (" + notes + ")";
}

void MethodChoice::add_to(CLI::App& app, const std::string& group, const std::string& option) {
  option_ = option;
  value_option(app, option, methods_, "a,b",
               "Methods by name, or `all` that suit the network; `loupe methods` (" + methods_ + ")", group);
  for (const Method* m : all_methods())
    for (const OptionSpec& o : m->options) {
      const auto take = [this, m, name = o.name](const std::string& text) {
        given_.push_back({m, name, text});
      };
      static constexpr const char* kPlaceholders[] = {"N", "X", "TEXT"};
      value_option(app, option_name(*m, o), take, kPlaceholders[o.standard.index()], option_help(o),
                   "Options of " + std::string(m->name));
    }
}

std::vector<Skipped> leave_out_unsuited(std::vector<ChosenMethod>& methods, const ImageModel& model,
                                        std::span<const Shape> inputs, bool may_skip) {
  std::vector<Skipped> skipped;
  std::erase_if(methods, [&](const ChosenMethod& c) {
    std::optional<std::string> why;
    for (const Shape& input : inputs)
      if (!why) why = why_unsuited(*c.method, model, input, &c.options);
    if (!why) return false;
    if (!may_skip)
      throw UsageError("--method " + std::string(c.method->name) + " does not suit " + model.name() + ": " +
                       *why);
    skipped.push_back({std::string(c.method->name), *why});
    return true;
  });
  if (methods.empty()) throw UsageError("no method suits " + model.name());
  return skipped;
}

void leave_out_unsuited(std::vector<ChosenMethod>& methods, const ImageModel& model,
                        std::span<const Asked> asked, bool may_skip, std::vector<Skipped>& skipped) {
  std::erase_if(methods, [&](const ChosenMethod& c) {
    if (!c.method->unsuited_target) return false;
    for (const Asked& a : asked) {
      const auto why = c.method->unsuited_target(model, a.target, c.options);
      if (!why) continue;
      if (!may_skip)
        throw UsageError("--method " + std::string(c.method->name) + " cannot explain " + a.target.words() +
                         ": " + *why);
      skipped.push_back({std::string(c.method->name), *why});
      return true;
    }
    return false;
  });
  if (methods.empty()) throw UsageError("no method can explain what was asked of " + model.name());
}

void choose_layer(std::vector<ChosenMethod>& methods, const std::string& layer) {
  if (layer.empty()) return;
  bool any = false;
  for (ChosenMethod& c : methods)
    if (std::ranges::count(c.method->options, "layer", &OptionSpec::name)) {
      c.options.suggest("layer", layer);
      any = true;
    }
  if (!any)
    throw UsageError(
        "--layer is for --unit, or for methods with an option `layer`, and none of these has one");
}

void fit(ChosenMethod& method, const ImageModel& model, const Shape& input) {
  if (method.method->fit) method.method->fit(model, input, method.options);
}

bool MethodChoice::all() const { return methods_ == "all"; }

std::vector<ChosenMethod> MethodChoice::chosen() const {
  std::vector<ChosenMethod> found;
  const auto add = [&](const Method& m) {
    if (std::ranges::none_of(found, [&](const ChosenMethod& c) { return c.method == &m; }))
      found.push_back({&m, Options(std::string(m.name), m.options)});
  };
  if (all()) {
    for (const Method* m : all_methods()) add(*m);
  } else {
    for (const std::string& name : split_commas(methods_)) {
      if (name == "all")
        throw UsageError(option_ + " takes `all` alone, or the names of methods, not both: '" + methods_ +
                         "'");
      add(find_method(name));
    }
  }
  for (const Given& g : given_) {
    const auto c = std::ranges::find(found, g.method, &ChosenMethod::method);
    const std::string name(g.method->name);
    if (c == found.end())
      throw UsageError("--" + name + "." + g.option + " has no effect, because " + name +
                       " is not among the methods '" + methods_ + "'");
    c->options.set(g.option, g.text);
  }
  return found;
}

}  // namespace loupe
