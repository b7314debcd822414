#include "tools/loupe/zoo_test.h"

#include <cmath>

#include "models/zoo/pictures.h"
#include "tools/loupe/progress_bar.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {

namespace {
using json = nlohmann::ordered_json;

double share_right(const std::vector<int64_t>& called, size_t cls) {
  int64_t all = 0;
  for (const int64_t n : called) all += n;
  return all ? static_cast<double>(called[cls]) / static_cast<double>(all) : 0;
}
}  // namespace

json zoo_test(ImageModel& network, uint64_t seed, int64_t count) {
  ProgressBar progress;
  const auto run = [&](const char* what, const zoo::Options& options) {
    progress.begin(what);
    const zoo::Verdicts v =
        zoo::test(network, seed, count, options, [&](double part) { progress.update(part); });
    progress.clear();
    return v;
  };
  const zoo::Verdicts plain = run("pictures as they are", {});
  const zoo::Verdicts swapped = run("other backgrounds", {.swap_background = seed + 1});
  int64_t same = 0;
  for (size_t i = 0; i < plain.said.size(); ++i) same += plain.said[i] == swapped.said[i];

  const double accuracy = plain.accuracy();
  json test{{"network", network.name()},
            {"count", count},
            {"seed", seed},
            {"accuracy", accuracy},
            {"swapped_accuracy", swapped.accuracy()},
            {"same_answer", static_cast<double>(same) / static_cast<double>(count)},
            {"standard_error", std::sqrt(accuracy * (1 - accuracy) / static_cast<double>(count))}};
  for (size_t c = 0; c < zoo::labels().size(); ++c) {
    json& row = test["classes"][zoo::labels()[c]];
    row = {{"accuracy", share_right(plain.called[c], c)},
           {"swapped_accuracy", share_right(swapped.called[c], c)},
           {"taken_for", json::object()}};
    for (size_t other = 0; other < zoo::labels().size(); ++other)
      if (other != c && plain.called[c][other])
        row["taken_for"][zoo::labels()[other]] = plain.called[c][other];
  }
  return test;
}

std::string zoo_test_text(const json& test) {
  Table table({{"class"},
               {"right", Table::Align::right},
               {"other background", Table::Align::right},
               {"most often taken for"}});
  for (const auto& [name, row] : test.at("classes").items()) {
    std::string taken;
    int64_t most = 0;
    for (const auto& [other, n] : row.at("taken_for").items())
      if (n.get<int64_t>() > most) {
        most = n.get<int64_t>();
        taken = other + " (" + std::to_string(most) + ")";
      }
    table.row({name, percent(row.at("accuracy")), percent(row.at("swapped_accuracy")), taken});
  }
  char text[400];
  std::snprintf(text, sizeof text,
                "\n%s names %.2f %% (± %.2f) of %s fresh pictures of the set %s right,\nand %.2f %% with the "
                "background swapped for another kind; it gives the same answer to %.2f %% of them\n",
                test.at("network").get<std::string>().c_str(), 100 * test.at("accuracy").get<double>(),
                100 * test.at("standard_error").get<double>(), with_commas(test.at("count")).c_str(),
                std::to_string(test.at("seed").get<uint64_t>()).c_str(),
                100 * test.at("swapped_accuracy").get<double>(), 100 * test.at("same_answer").get<double>());
  return table.str() + text;
}

}  // namespace loupe
