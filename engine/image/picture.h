// Picture: how a method wants its map drawn. A method names one; overlay() in engine/image/overlay.h draws
// it.
#pragma once
#include <cstdint>
#include <optional>

namespace loupe {

/// Where the cells of a coarse map lie on the input: the middle of cell (i, j) is at row offset_h +
/// i·stride_h and column offset_w + j·stride_w, counted in pixels from the middle of the first pixel.
struct Grid {
  double offset_h = 0, offset_w = 0, stride_h = 1, stride_w = 1;
  /// Each cell is a square of the picture on its own (a token's patch) and drawn as one; else the map is
  /// smooth between the middles of its cells.
  bool squares = false;
};

struct Picture {
  enum class Style : uint8_t {
    magnitude,  // how much a pixel matters, whatever the sign (gradient): largest |·| over channels, glowing
                // on a dark photo
    contribution,  // signed shares of the score (integrated gradients): summed over channels, red for, blue
                   // against
    evidence,      // where the class is (CAM, Grad-CAM): heat over the photograph; below zero counts as none
    level,  // a quantity measured at every place (occluded probability): least to most, everywhere coloured
    reconstruction,  // a picture in the input's own space (deconvnet, guided backprop): colours around
                     // mid-grey
  };
  Style style = Style::magnitude;
  /// The value at this percentile of |map| gets the strongest colour, so that a few extreme pixels do not
  /// fade the rest. `level` maps the smallest to the largest value instead.
  double percentile = 99.5;
  /// Of `evidence`: the map's least value, rather than zero, is none (RISE, whose values all lie far above zero).
  bool from_least = false;
  /// For a map coarser than the input. None: the cells divide the input evenly.
  std::optional<Grid> grid = std::nullopt;
};

}  // namespace loupe
