// Dream: a photograph in which a network is shown more of what it sees there (Mordvintsev, Olah & Tyka 2015,
// "Inceptionism: Going Deeper into Neural Networks", and their notebook dream.ipynb):
//
//     colours ← colours + rate/255 · g / mean|g|        g = ∂L/∂colours,  L a DreamGoal
//
// in octaves, from a small picture to the photograph's size; what an octave added is enlarged and added to the next
// one's photograph. Colours stay between 0 and 1. In each step the picture lies elsewhere in a view that is a little
// larger, mirrored at its edges, so that the grid of the layers' strides leaves no trace.
//
// The picture is kept with 16 bits a colour and its gradient as bfloat16: 12 bytes a pixel, beside the windows by which
// the network sees it (dream_windows.h). The bytes follow from the photograph, the goal, the options and the seed;
// where windows are exact, they do not depend on how large those are.
#pragma once
#include <string>
#include <vector>

#include "engine/image/preprocess.h"
#include "engine/neurons/dream_windows.h"
#include "engine/run/passes.h"
#include "kernels/common/draws.h"

namespace loupe {

struct DreamOptions {
  int64_t octaves = 0;  // 0: so many that the smallest has a shorter side of about kSmallestOctave
  double scale = 1.4;   // of an octave to the one before
  int64_t steps = 10;   // of each octave
  double rate = 1.5;    // how far colours move in a step, on the average, of 255
  int64_t jitter = 32;  // pixels
  double blur = 1;      // deviation of a Gaussian over the gradient, pixels: against fine grain; 0: none
  int64_t side = 1024;  // of a window, at most, where windows are exact
  int64_t memory = 0;   // bytes of the whole process; 0: no limit
  static constexpr int64_t kSmallestOctave = 160;
};

/// Sizes of the octaves, the smallest first. Throws UsageError for more than leave a pixel.
std::vector<Pair> dream_octaves(int64_t height, int64_t width, const DreamOptions&);

/// The photograph, which is given up, with dreams in it. `name` is that of its draws: pictures of other names have other
/// views. Throws UsageError for options that make no sense, where the memory does not hold the picture and the least
/// window, and where nothing in the picture has any gradient.
Image dream(Network& net, const Preprocessing& how, Image photo, const DreamGoal& goal,
            const DreamOptions& options, const Draws& draws, const std::string& name = "dream",
            const Progress& progress = {});

}  // namespace loupe
