// What is known about the images of one run of `loupe explain`, once the tensors are written and gone.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/image/picture.h"
#include "engine/run/method.h"
#include "tools/loupe/method_options.h"
#include "tools/loupe/verdict.h"

namespace loupe {

struct DrawnMap {
  std::string name, caption;
  std::string file;  // in the image's folder
  Shape shape = {};
  double minimum = 0, maximum = 0;
  Picture::Style style = Picture::Style::magnitude;
  std::vector<uint8_t> png = {};
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

struct ExplainedImage {
  std::string path;
  std::string name;  // the folder of its files
  Shape input = {};  // (1, 3, H, W)
  Verdict target = {};
  std::vector<Verdict> top = {};  // the five likeliest classes
  std::vector<MethodResult> methods = {};
  std::vector<uint8_t> photo = {};  // PNG of what the network saw
  double seconds = 0;
  int64_t peak_bytes = 0, device_peak_bytes = 0;
};

struct Explained {
  std::string model, weights, device, out;
  std::string device_name = {};  // "NVIDIA H200, …"; empty for ref and cpu
  int threads = 1;
  int64_t memory_limit = 0;  // 0: none
  std::vector<Skipped> skipped = {};
  std::vector<ExplainedImage> images = {};
  int64_t weight_bytes = 0;                       // as the kernels read them
  int64_t forward_bytes = 0, gradient_bytes = 0;  // arenas of one image
  int64_t tape_bytes = 0;                         // of which the tape of a gradient
  double seconds = 0;
};

/// The page D/report.html: everything inline.
std::string report(const Explained&);
/// For --json.
void print_json_summary(const Explained&);
/// For people: what was found in an image, and where it is.
void print_image(const Explained&, const ExplainedImage&, bool verbose);
/// After all images.
void print_end(const Explained&, bool verbose);

}  // namespace loupe
