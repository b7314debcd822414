// What `loupe visualize` makes, and what its pages and records show.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/image/image.h"
#include "engine/neurons/ascent.h"
#include "engine/run/image_model.h"

namespace CLI {
class App;
}

namespace loupe {

/// One picture to make.
struct Wanted {
  Objective objective;              // its name is what was asked for: "290", "jaguar", "3,6,6"
  std::string words;                // "jaguar", "features.7, unit 3 at (6, 6)"
  std::optional<int64_t> cls = {};  // of a class
};

/// --class, --layer and --unit, and what is made of them.
struct WantedChoice {
  std::string classes, layer, between, diverse;
  std::vector<std::string> units, directions;
  bool negative = false;
  void add_to(CLI::App& app, const std::string& group);
  /// Throws UsageError, one line, with near names.
  std::vector<Wanted> chosen(const ImageModel& model, const Shape& input) const;
};

/// What came of one.
struct Visualized {
  Wanted wanted;
  std::string file;  // "jaguar.png"
  Image picture = {};
  double before = 0, after = 0;    // the objective of the first and of the last picture, seen straight
  std::vector<double> curve = {};  // at the beginning of each step, as its view showed it
  bool dead = false;
  std::vector<Image> frames = {};  // small pictures on the way
};

/// How well another network names the pictures of classes, and those of the plain ascent.
struct Judgement {
  std::string model;
  int64_t views = 0, jitter = 0;
  std::vector<std::optional<double>> right = {},
                                     plain = {};  // of each unit, the share of views; none: it is no class
  double share(const std::vector<std::optional<double>>& of) const;
  /// Pictures of which most views are named right.
  int64_t pictures(const std::vector<std::optional<double>>& of) const;
};

struct Visualization {
  std::string model, weights;
  std::vector<Visualized> units = {};
  int64_t steps = 0;
  nlohmann::ordered_json settings = {};  // all that the pictures' bytes hang on
  std::optional<Judgement> judgement = {};
  std::vector<std::pair<std::string, std::string>> network = {};  // identity_of() it
};

inline constexpr const char* kVisualizeRecord = "visualize.json";
inline constexpr const char* kVisualizePage = "visualize.html";
inline constexpr const char* kVisualizeSheet = "visualize.sheet.png";
inline constexpr const char* kVisualizeAnimation = "visualize.ascent.png";

nlohmann::ordered_json visualize_record(const Visualization&);
/// The page, everything inline. `animation`: the bytes of an animated PNG, or none.
std::string visualize_page(const Visualization&, const std::vector<uint8_t>& animation);
/// All of the pictures beside each other, each fitted into a square of `cell` pixels.
Image picture_sheet(const std::vector<const Image*>& pictures, int64_t cell);
/// Pixels of a square of an animation's sheet of that many pictures, none larger than `longest`.
int64_t frame_cell(int64_t count, int64_t longest);

/// Shares of views that `judge` gives the picture's class, for pictures of classes. Views are moved by up to `jitter`
/// pixels up, down, left and right.
std::vector<std::optional<double>> judged(ImageModel& judge, const std::vector<Visualized>& units,
                                          int64_t views, int64_t jitter);

}  // namespace loupe
