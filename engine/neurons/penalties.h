// Penalties: what the objective loses for a picture that is loud or rough. Each adds its gradient and returns its value.
#pragma once
#include <cstdint>
#include <span>

namespace loupe {

/// weight·‖x‖² (Simonyan, Vedaldi & Zisserman 2013, "Deep Inside Convolutional Networks", eq. 1).
double l2_penalty(double weight, std::span<const double> x, std::span<double> gradient);

/// weight·Σ √(∂y² + ∂x² + ε²) of planes (channels, height, width), with differences to the next pixel (none at the edge)
/// and ε = 1e-3, which rounds the corner at 0 (Mahendran & Vedaldi 2015, "Understanding deep image representations by
/// inverting them", with β = 1).
double total_variation(double weight, std::span<const double> x, int64_t height, int64_t width,
                       std::span<double> gradient);

}  // namespace loupe
