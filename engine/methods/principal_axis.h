// The first axis of a matrix: what Eigen-CAM projects on.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace loupe {

/// M·v, as long as M has rows, of a matrix M (rows, columns), row-major, and its first right singular vector v, |v| = 1;
/// its sign is either. Where the two largest singular values are equal, v is some vector of their plane.
std::vector<double> project_on_first_axis(std::span<const double> matrix, int64_t rows, int64_t columns);

}  // namespace loupe
