#include "tools/loupe/visualize/publish.h"

#include <algorithm>

#include "engine/file/file.h"
#include "engine/image/apng.h"
#include "tools/loupe/file_name.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

using json = nlohmann::ordered_json;

constexpr const char* kState = "visualize.state";
constexpr int64_t kFrame = 100;  // milliseconds

OutputFolder::File file(std::string name, std::vector<uint8_t> bytes) {
  return {std::move(name),
          [bytes = std::move(bytes)](const OutputFolder::Path& path) { write_file(path, bytes); }};
}
OutputFolder::File file(std::string name, const std::string& text) {
  return file(std::move(name), std::vector<uint8_t>(text.begin(), text.end()));
}

// All frames of all units that are there, each a sheet.
std::vector<uint8_t> animation(const Visualization& all) {
  size_t count = 0;
  for (const Visualized& u : all.units) count = std::max(count, u.frames.size());
  std::vector<Image> sheets;
  for (size_t f = 0; f < count; ++f) {
    std::vector<const Image*> pictures;
    for (const Visualized& u : all.units)
      if (!u.frames.empty()) pictures.push_back(&u.frames[std::min(f, u.frames.size() - 1)]);
    sheets.push_back(picture_sheet(pictures, pictures[0]->width));
  }
  return sheets.empty() ? std::vector<uint8_t>() : encode_apng(sheets, kFrame);
}

json units_of(const std::vector<Wanted>& wanted) {
  json all = json::array();
  for (const Wanted& w : wanted) all.push_back(valid_utf8(w.objective.name + ": " + w.words));
  return all;
}

}  // namespace

void publish(const Visualization& all, OutputFolder& out) {
  std::vector<OutputFolder::File> files;
  std::vector<const Image*> pictures;
  for (const Visualized& u : all.units) {
    files.push_back(file(u.file, encode_png(u.picture)));
    pictures.push_back(&u.picture);
  }
  const int64_t side = std::max(pictures.at(0)->height, pictures[0]->width);
  const std::vector<uint8_t> moving = animation(all);
  files.push_back(file(kVisualizeSheet, encode_png(picture_sheet(pictures, side))));
  if (!moving.empty()) files.push_back(file(kVisualizeAnimation, moving));
  files.push_back(
      file(kVisualizeRecord,
           visualize_record(all).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"));
  files.push_back(file(kVisualizePage, visualize_page(all, moving)));
  out.publish("", files);
}

void visualize(Visualization& all, ImageModel& network, const std::vector<Wanted>& wanted,
               const Recipe& recipe, OutputFolder& out, ProgressBar& progress) {
  const json key{{"network", all.network},
                 {"steps", all.steps},
                 {"frames", recipe.frames},
                 {"settings", all.settings},
                 {"units", units_of(wanted)}};
  const OnInterrupt watch;
  all.units = make_pictures(
      network, wanted, recipe, (out.path() / kState).string(), key.dump(),
      [&](const std::vector<Visualized>& done) {
        all.units = done;
        publish(all, out);
      },
      progress);
}

json visualized_before(const Visualization& all, const std::vector<Wanted>& wanted,
                       const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder / kVisualizeRecord, error) ||
      std::filesystem::exists(folder / kState, error))
    return {};
  const std::vector<uint8_t> bytes = read_file(folder / kVisualizeRecord);
  const json empty = visualize_record(all);
  try {
    json record = json::parse(bytes), units = json::array();
    for (const char* name : {"network", "steps", "settings"})
      if (record.at(name).dump() != empty.at(name).dump()) return {};
    for (const json& u : record.at("units")) {
      units.push_back(u.at("unit").get<std::string>() + ": " + u.at("words").get<std::string>());
      if (!std::filesystem::exists(folder / u.at("file").get<std::string>(), error)) return {};
    }
    return units == units_of(wanted) ? record : json();
  } catch (const json::exception&) {  // another program's, or an older one
    return {};
  }
}

}  // namespace loupe
