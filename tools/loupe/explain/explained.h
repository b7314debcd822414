// What is known about the images of one run of `loupe explain`, once the tensors are written and gone.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/image/image.h"
#include "engine/image/picture.h"
#include "engine/run/method.h"
#include "tools/loupe/method_options.h"
#include "tools/loupe/verdict.h"

namespace loupe {

/// A map's numbers for a page, one a cell: summed over channels, or where the picture shows magnitudes the largest of
/// them. Each is a 16-bit float times `scale`, so that three digits are right.
struct CellNumbers {
  int64_t height = 0, width = 0;
  std::optional<Grid> grid = {};
  double scale = 0;
  std::vector<uint16_t> halves = {};
};
CellNumbers cell_numbers(const Map&);

struct DrawnMap {
  std::string name, caption;
  std::string file;  // in the answer's folder
  Shape shape = {};
  double minimum = 0, maximum = 0;
  Picture::Style style = Picture::Style::magnitude;
  std::vector<uint8_t> png = {};
  CellNumbers numbers = {};
};

struct MethodResult {
  const Method* method = nullptr;
  std::map<std::string, std::string> options = {};
  std::vector<DrawnMap> maps = {};
  std::vector<Check> checks = {};
  std::vector<std::string> notes = {};
  double seconds = 0;
  int64_t peak_bytes = 0, device_peak_bytes = 0;  // of the host's memory; of cuda's or sim's
};

/// What was found about one thing that was asked.
struct Answer {
  std::string words;                    // "jaguar", "jaguar − leopard", "unit 100 at (6, 6) of features.10"
  std::string asked;                    // as it was said, or empty
  std::string folder;                   // of its files, below the image's; empty where it is the only answer
  double score = 0;                     // the scalar that is explained
  std::optional<Verdict> verdict = {};  // of a class
  std::optional<std::pair<int64_t, int64_t>> minus = {};  // of a difference
  std::string layer = {}, unit = {};                      // of a unit
  std::vector<MethodResult> methods = {};
};

struct ExplainedImage {
  std::string path;
  std::string name;               // the folder of its files
  Shape input = {};               // (1, 3, H, W)
  std::vector<Verdict> top = {};  // the five likeliest classes
  std::vector<Answer> answers = {};
  std::vector<std::string> unmet = {};  // what methods were asked for and did not reach
  std::vector<uint8_t> photo = {};      // PNG of what the network saw
  double seconds = 0;
  int64_t peak_bytes = 0, device_peak_bytes = 0;
};

/// A picture that could not be read, or does not fit the network.
struct Failure {
  std::string path, why;
};

struct Explained {
  std::string model, weights, device, out;
  std::string device_name = {};  // "NVIDIA H200, …"; empty for ref and cpu
  int threads = 1;
  int64_t memory_limit = 0;  // 0: none
  std::vector<Skipped> skipped = {};
  int64_t asked = 0;  // pictures that were named
  std::vector<ExplainedImage> images =
      {};  // of many, without their pictures and, for people, without their methods
  std::vector<Failure> failed = {};
  int64_t weight_bytes = 0;                       // as the kernels read them
  int64_t forward_bytes = 0, gradient_bytes = 0;  // arenas of one image
  int64_t tape_bytes = 0;                         // of which the tape of a gradient
  double seconds = 0;

  /// Too many for one page: each has a page and a thumbnail in its folder, and D/report.html leads to them.
  bool many() const { return asked > kFew; }
  static constexpr int64_t kFew = 8;
};

// Files of an image's folder, beside the maps.
inline constexpr const char* kTensorsFile = "maps.safetensors";
inline constexpr const char* kSwitchesFile = "switches.safetensors";
inline constexpr const char* kPageFile = "report.html";
inline constexpr const char* kThumbnailFile = "thumbnail.jpg";

/// "score 52.22, probability 99.3 %", "a difference of 12.3", "value 0.25"
std::string worth(const Answer&);

/// The page about one picture or a few, everything inline; `of_many`: about one of many, with a way back.
std::string report(const Explained&, std::span<const ExplainedImage>, bool of_many);
/// The page of many pictures: thumbnails that lead to a page each.
std::string contact_sheet(const Explained&);
/// What a contact sheet shows of an image, a JPEG: the photograph on the left, its first map on the right.
std::vector<uint8_t> thumbnail(const Image& photo, const Image& map);
/// Whether something in the output folder was left by an earlier run: a page, or an image's folder with nothing
/// more in it than what was written there.
bool is_earlier_result(const std::filesystem::path&);
/// For --json.
void print_json_summary(const Explained&);
/// For people: what was found in an image, and where it is.
void print_image(const Explained&, const ExplainedImage&, bool verbose);
/// After all images.
void print_end(const Explained&, bool verbose);

}  // namespace loupe
