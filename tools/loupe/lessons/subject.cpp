#include "tools/loupe/lessons/subject.h"

#include <algorithm>
#include <filesystem>

#include "models/zoo/zoo.h"
#include "tools/loupe/inputs.h"
#include "tools/loupe/targets.h"
#include "tools/loupe/text.h"

namespace loupe {

void SubjectChoice::add_to(CLI::App& app) {
  model.add_to(app);
  weights.add_to(app, "File with the weights (those built in), or `formula`");
  device.add_to(app);
}

ImageModel SubjectChoice::load() const {
  model.check_name();
  Model built = model.build(0, 0, weights.file);
  weights.check(model.model);
  return load_and_say(model.model, std::move(built), weights, device.open(), device);
}

Subject read_subject(ImageModel& network, const std::string& path, int64_t drawn_class) {
  Subject s;
  if (path.empty()) {
    const zoo::Drawing drawing = zoo::draw(3, drawn_class, {.masks = false});
    s.name = "the zoo's " + zoo::labels().at(static_cast<size_t>(zoo::class_of(drawn_class)));
    s.x = network.preprocess(drawing.image);
  } else {
    s.name = valid_utf8(std::filesystem::path(path).filename().string());
    s.x = read_input(path, network.preprocessing, Orientation{});
  }
  if (s.x.shape().rank() == 3) s.x = s.x.reshape({1, s.x.shape()[0], s.x.shape()[1], s.x.shape()[2]});
  expect_fits(network.name(), network.graph(), s.x.shape());
  s.ranking = rank(network, network.logits(s.x));
  return s;
}

Verdict chosen_class(const ImageModel& network, const Subject& subject, const std::string& text) {
  if (text.empty()) return subject.ranking.at(0);
  const std::vector<Asked> asked = parse_classes(text, network.labels, network.classes());
  if (asked.size() != 1 || !asked[0].cls)
    throw UsageError("--class takes one class here, not '" + text + "'");
  return *std::ranges::find(subject.ranking, *asked[0].cls, &Verdict::index);
}

}  // namespace loupe
