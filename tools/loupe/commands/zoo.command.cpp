// `loupe zoo`: the drawn pictures whose truth is known. `render` writes them as files, `test` has a network
// name them.
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/file/file.h"
#include "models/zoo/zoo.h"
#include "tools/loupe/command.h"
#include "tools/loupe/options.h"
#include "tools/loupe/output_folder.h"
#include "tools/loupe/print.h"
#include "tools/loupe/progress_bar.h"
#include "tools/loupe/text.h"
#include "tools/loupe/zoo_test.h"

namespace loupe {
namespace {

struct Render {
  std::string out, count = "14", seed = "0", objects = "1";
  bool sheet = false;
};

std::string file_word(std::string_view name) {
  std::string word(name);
  std::replace(word.begin(), word.end(), ' ', '_');
  return word;
}

Image grey(const zoo::Mask& mask) {
  Image image{zoo::kSize, zoo::kSize, {}};
  for (const uint8_t v : mask) image.rgb.insert(image.rgb.end(), 3, v);
  return image;
}

// Pictures beside each other, `columns` a row, on white.
Image tiled(const std::vector<Image>& tiles, int64_t columns) {
  constexpr int64_t kGap = 2, kCell = zoo::kSize + kGap;
  const int64_t rows = (static_cast<int64_t>(tiles.size()) + columns - 1) / columns;
  Image sheet{columns * kCell + kGap, rows * kCell + kGap, {}};
  sheet.rgb.assign(static_cast<size_t>(sheet.width * sheet.height * 3), 255);
  for (size_t i = 0; i < tiles.size(); ++i) {
    const int64_t x = kGap + static_cast<int64_t>(i) % columns * kCell,
                  y = kGap + static_cast<int64_t>(i) / columns * kCell;
    for (int64_t row = 0; row < zoo::kSize; ++row)
      std::copy_n(tiles[i].pixel(row, 0), zoo::kSize * 3, sheet.pixel(y + row, x));
  }
  return sheet;
}

// A row a class: sheet.png.
Image contact_sheet(uint64_t seed, int objects) {
  constexpr int64_t kSamples = 12;
  std::vector<Image> tiles;
  const auto classes = static_cast<int64_t>(zoo::labels().size());
  for (int64_t c = 0; c < classes; ++c)
    for (int64_t i = 0; i < kSamples; ++i)
      tiles.push_back(zoo::draw(seed, c + i * classes, {.objects = objects, .masks = false}).image);
  return tiled(tiles, kSamples);
}

// Files of one picture after the other, and the manifest's lines about them.
class Writer {
 public:
  explicit Writer(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void add(zoo::Drawing drawing, uint64_t seed, int64_t index) {
    char number[16];
    std::snprintf(number, sizeof number, "%06d", static_cast<int>(index));
    const auto [name, cls] = label(drawing.objects.front());
    nlohmann::ordered_json line{{"file", png(number, drawing.image)},
                                {"class", name},
                                {"class_index", cls},
                                {"background", zoo::background_name(drawing.background)},
                                {"seed", seed},
                                {"index", index},
                                {"objects", nlohmann::ordered_json::array()}};
    for (const zoo::Object& object : drawing.objects) {
      const auto [object_name, object_class] = label(object);
      const std::string stem = number + ("_" + file_word(object_name));
      auto parts = nlohmann::ordered_json::object();
      for (const zoo::Part& p : object.parts)
        parts[std::string(p.name)] = png(stem + "_" + file_word(p.name), grey(p.mask));
      line["objects"].push_back({{"class", object_name},
                                 {"class_index", object_class},
                                 {"mask", png(stem, grey(object.mask))},
                                 {"parts", parts}});
    }
    manifest_ += line.dump() + "\n";
  }

  std::string png(const std::string& stem, const Image& image) {
    names_.push_back(stem + ".png");
    write_file(folder_ / names_.back(), encode_png(image));
    return names_.back();
  }

  /// All names; the manifest comes last, so that all it speaks of is there before it.
  std::vector<std::string> finish() {
    names_.push_back("manifest.jsonl");
    write_file(folder_ / names_.back(),
               {reinterpret_cast<const uint8_t*>(manifest_.data()), manifest_.size()});
    return std::move(names_);
  }

 private:
  static std::pair<std::string, int64_t> label(const zoo::Object& o) {
    return {zoo::labels()[static_cast<size_t>(o.cls)], o.cls};
  }

  std::filesystem::path folder_;
  std::vector<std::string> names_;
  std::string manifest_;
};

void render(const Render& r) {
  if (r.out.empty()) throw UsageError("zoo render needs --out FOLDER");
  const int64_t count = parse_whole("--count", r.count, 1, 100'000);
  const auto seed =
      static_cast<uint64_t>(parse_whole("--seed", r.seed, 0, std::numeric_limits<int64_t>::max()));
  const auto objects = static_cast<int>(parse_whole("--objects", r.objects, 1, 2));
  ProgressBar bar;
  OutputFolder folder(r.out);
  folder.publish("", [&](const OutputFolder::Path& temporary) {
    Writer writer(temporary);
    bar.begin("drawing");
    for (int64_t index = 0; index < count; ++index) {
      writer.add(zoo::draw(seed, index, {.objects = objects}), seed, index);
      bar.update(static_cast<double>(index + 1) / static_cast<double>(count));
    }
    if (r.sheet) writer.png("sheet", contact_sheet(seed, objects));
    return writer.finish();
  });
  bar.clear();
  print(with_commas(count) + (count == 1 ? " picture" : " pictures") + " with masks and manifest.jsonl in " +
        r.out + "\n");
  if (r.sheet) print("sheet.png shows, from the top: " + join(zoo::labels()) + "\n");
}

std::function<void()> set_up_render(CLI::App& zoo) {
  CLI::App& app =
      subcommand(zoo, "render", "Writes pictures, masks of objects and parts, and manifest.jsonl");
  const auto r = std::make_shared<Render>();
  value_option(app, "--out", r->out, "FOLDER", "Where to (needed)");
  value_option(app, "--count", r->count, "N", "How many pictures (14); classes take turns");
  value_option(app, "--seed", r->seed, "S", "Which pictures (0): the same seed draws the same ones");
  value_option(app, "--objects", r->objects, "1|2", "How many things in each (1)");
  flag_option(app, "--sheet", r->sheet, "Also sheet.png: a row of pictures for every class");
  return [&app, r] {
    if (was_named(app)) render(*r);
  };
}

}  // namespace

extern const Command zoo_command;
const Command zoo_command{"zoo", "Draws pictures whose truth is known, to train and to score on",
                          [](CLI::App& app) {
                            return [render = set_up_render(app), test = set_up_zoo_test(app)] {
                              render();
                              test();
                            };
                          }};

}  // namespace loupe
