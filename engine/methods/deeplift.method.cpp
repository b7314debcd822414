// DeepLIFT: each pixel's difference from a baseline times the multiplier that the layers hand down.
#include "engine/methods/deeplift_method.h"

namespace loupe {

extern const Method deeplift_method;
const Method deeplift_method = deeplift_method_with(
    "deeplift", "what each pixel's difference from a baseline adds to the difference of the scores",
    "Shrikumar, Greenside & Kundaje 2017, Learning important features through propagating activation "
    "differences",
    "zero");

}  // namespace loupe
