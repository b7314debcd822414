#include "tools/loupe/text.h"
#include "tools/loupe/visualize/visualization.h"

namespace loupe {

using json = nlohmann::ordered_json;

namespace {
json share(const std::optional<double>& v) { return v ? json(*v) : json(); }
}  // namespace

json visualize_record(const Visualization& all) {
  json record{{"loupe", LOUPE_VERSION},    {"model", all.model}, {"weights", valid_utf8(all.weights)},
              {"network", json::object()}, {"steps", all.steps}, {"settings", all.settings},
              {"units", json::array()}};
  for (const auto& [name, value] : all.network) record["network"][name] = valid_utf8(value);
  for (size_t i = 0; i < all.units.size(); ++i) {
    const Visualized& u = all.units[i];
    json unit{{"unit", valid_utf8(u.wanted.objective.name)},
              {"words", valid_utf8(u.wanted.words)},
              {"file", valid_utf8(u.file)},
              {"dead", u.dead},
              {"before", u.before},
              {"after", u.after},
              {"objective", u.curve}};
    if (u.wanted.cls) unit["class"] = *u.wanted.cls;
    if (all.judgement && all.judgement->right[i]) {
      unit["judged_right"] = share(all.judgement->right[i]);
      unit["plain_judged_right"] = share(all.judgement->plain[i]);
    }
    record["units"].push_back(std::move(unit));
  }
  if (const auto& j = all.judgement)
    record["judge"] = {{"model", j->model},
                       {"views", j->views},
                       {"jitter", j->jitter},
                       {"right", j->share(j->right)},
                       {"pictures_right", j->pictures(j->right)},
                       {"plain_right", j->share(j->plain)},
                       {"plain_pictures_right", j->pictures(j->plain)}};
  return record;
}

}  // namespace loupe
