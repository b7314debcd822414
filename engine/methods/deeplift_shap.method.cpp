// DeepLIFT-SHAP: the mean of DeepLIFT over a set of baselines.
#include "engine/methods/deeplift_method.h"

namespace loupe {

extern const Method deeplift_shap_method;
const Method deeplift_shap_method = deeplift_method_with(
    "deeplift_shap", "DeepLIFT, as the mean over several baselines",
    "Lundberg & Lee 2017, A unified approach to interpreting model predictions", "zero,black,white,noise");

}  // namespace loupe
