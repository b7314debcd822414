// What one run of `loupe tour` found: drawn pictures, what the network says about them, what each method
// says, and whether that is true.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/exam/metric.h"
#include "engine/training/telemetry.h"
#include "models/zoo/zoo.h"
#include "tools/loupe/circuits/report.h"
#include "tools/loupe/scores/scores.h"
#include "tools/loupe/verdict.h"

namespace loupe {

/// Where a map is strongest, and what is true about that place.
struct Pointed {
  int64_t y = 0, x = 0;   // of the strongest pixel, the first of equals
  double own = 0;         // 1 at the thing that was asked for; shares where several pixels are strongest
  double other = 0;       // 1 at the other thing of the picture
  std::string part = {};  // of the thing that was asked for, where it is at one
  bool hit() const { return own > 0.5; }
};

/// One method's map of one thing in a picture.
struct Shown {
  const Method* method = nullptr;
  std::string caption = {};
  std::vector<uint8_t> png = {};        // as large as the picture
  std::optional<Pointed> pointed = {};  // none for a method whose maps do not say what speaks for a class
};

/// One thing in a picture, asked for.
struct AskedFor {
  Verdict verdict = {};  // its class
  std::vector<Shown> maps = {};
};

struct TourPicture {
  int64_t index = 0;
  zoo::Drawing drawing = {};
  std::vector<Verdict> ranking = {};  // every class, the likeliest first
  std::vector<AskedFor> asked = {};   // as many as drawing.objects, in their order
};

/// What excites a channel most, among drawings.
struct TourUnit {
  std::string layer;
  int64_t channel = 0;
  int64_t cls = 0, of_class = 0;               // the class of most of its patches, and of how many
  std::vector<Image> patches = {}, back = {};  // the strongest first; the same by deconvnet
};

/// What a class looks like to the network, as ascent finds it.
struct TourClass {
  int64_t cls = 0;
  double before = 0, after = 0;  // its score: of noise, and of the picture
  Image picture = {};
};

struct Tour {
  std::optional<CircuitReport> induction = {};         // of the model of tokens that the program carries
  std::vector<Image> strip = {};                       // one drawing of each class
  std::vector<TourPicture> alone = {}, together = {};  // with one thing, with two
  std::vector<TourClass> classes = {};
  std::vector<TourUnit> units = {};
  int64_t searched = 0;                // drawings that the units were shown
  Scores scores = {};                  // of the same network, with the seed, the device and the threads
  int64_t parameters = 0;              // that the network learned
  nlohmann::ordered_json record;       // of its training; null where none came with the weights
  std::vector<CurvePoint> curve = {};  // while it learned
  std::string report = {};             // where the page is
  double seconds = 0;
};

/// DIR/report.html: everything inline, no script.
std::string tour_page(const Tour&);
/// For --json: all that the page says, as numbers.
nlohmann::ordered_json tour_json(const Tour&);

}  // namespace loupe
