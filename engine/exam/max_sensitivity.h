// Max-sensitivity: how far can a map move when the picture hardly does?
#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "engine/image/plane.h"
#include "engine/run/passes.h"
#include "kernels/common/draws.h"

namespace loupe {

/// `count` pictures around x (1, C, H, W): (count, C, H, W), each value of picture k at most `radius` away,
/// evenly: x_i + radius·(2u(k·C·H·W + i) − 1), u of the name "max_sensitivity".
Tensor neighbourhood(const Tensor& x, double radius, int64_t count, const Draws& draws = Draws());

/// max ‖Φ(y) − Φ(x)‖ / ‖Φ(x)‖ (Euclidean) over the maps of the pictures around x: 0 where the maps do not
/// move. Nullopt for a map of zeros. Yeh, Hsieh, Suggala, Inouye & Ravikumar 2019, "On the (in)fidelity and
/// sensitivity of explanations", section 4, by their Monte Carlo draws, and relative as in their
/// experiments. Quantus 0.6 has the same, with radius 0.2 and 200 draws.
std::optional<double> max_sensitivity(const Plane& map, const std::vector<Plane>& around);

}  // namespace loupe
