#include "tools/loupe/preprocessing_choice.h"

#include <algorithm>
#include <array>

#include "tools/loupe/options.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

constexpr int64_t kLargest = 65536;

/// One number for all channels, or one for each. None: `standard`.
std::array<float, 3> channel_values(const std::string& option, const std::string& text, double least,
                                    double most, const std::array<float, 3>& standard) {
  if (text.empty()) return standard;
  const std::vector<std::string> parts = split_commas(text);
  if (parts.size() != 1 && parts.size() != 3)
    throw UsageError(option + " takes one number or three, as in 0.485,0.456,0.406, not '" + text + "'");
  std::array<float, 3> values;
  for (size_t c = 0; c < 3; ++c) {
    const std::string& part = parts[parts.size() == 1 ? 0 : c];
    if (const double v = parse_real(option, part, -1e6, 1e6); v > most || v < least)
      throw UsageError(option + " is of pixels from 0 to 1, and cannot be " + part +
                       (v > most ? ": if pixels went from 0 to 255, divide it by 255" : ""));
    else
      values[c] = static_cast<float>(v);
  }
  return values;
}

}  // namespace

void PreprocessingChoice::add_to(CLI::App& app, const std::string& group) {
  value_option(
      app, "--size", size_, "N|HxW",
      "Resize a photograph's shorter side to N pixels, or all of it to height H and width W (the network's)",
      group);
  value_option(app, "--crop", crop_, "N",
               "Then cut N×N pixels out of its middle (the network's; none after HxW)", group);
  flag_option(app, "--no-crop", no_crop_, "Cut nothing: the input has the shape that the resize gives it",
              group);
  value_option(app, "--mean", mean_, "M,M,M",
               "Subtracted from each channel's pixels, which go from 0 to 1; one number: of all channels "
               "(the network's)",
               group);
  value_option(app, "--std", std_, "S,S,S", "What they are then divided by (the network's)", group);
  value_option(app, "--orientation", orientation_, "O",
               "`exif`: photographs are turned as their EXIF data say; `ignore`: as they are stored (exif)",
               group);
}

void PreprocessingChoice::check() const {
  if (no_crop_ && !crop_.empty()) throw UsageError("--crop and --no-crop exclude each other");
  if (!size_.empty()) parse_size("--size", size_);
  orientation();
  applied({});
}

std::optional<std::pair<int64_t, int64_t>> PreprocessingChoice::input_size() const {
  if (!crop_.empty()) {
    const int64_t side = parse_whole("--crop", crop_, 1, kLargest);
    return std::pair(side, side);
  }
  if (exact()) return parse_size("--size", size_);
  return std::nullopt;
}

Preprocessing PreprocessingChoice::applied(Preprocessing p) const {
  const Preprocessing standard = p;
  if (!crop_.empty()) p.crop = parse_whole("--crop", crop_, 1, kLargest);
  if (no_crop_ || (exact() && crop_.empty())) p.crop = 0;
  if (exact()) {
    const auto [height, width] = parse_size("--size", size_);
    p.stretch = {height, width};
  } else if (!size_.empty()) {
    p.resize = parse_size("--size", size_).first;
    if (crop_.empty() && !no_crop_) p.crop = std::min(p.crop, p.resize);  // no black border
  } else if (!crop_.empty() && standard.crop > 0) {
    p.resize =
        (standard.resize * p.crop + standard.crop / 2) / standard.crop;  // the same share of the picture
  }
  p.mean = channel_values("--mean", mean_, -1, 1, p.mean);
  p.std = channel_values("--std", std_, 1e-6, 1, p.std);
  return p;
}

Orientation PreprocessingChoice::orientation() const {
  if (orientation_.empty() || orientation_ == "exif") return Orientation::apply;
  if (orientation_ == "ignore") return Orientation::ignore;
  throw UsageError("--orientation takes exif or ignore, not '" + orientation_ + "'");
}

}  // namespace loupe
