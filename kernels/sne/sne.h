// The inner loops of exact t-SNE (van der Maaten & Hinton 2008, "Visualizing data using t-SNE"), on the CPU: nothing
// is sampled, and every pair of points is looked at in each step. N points are cut into blocks of kSneBlock, and what
// belongs to pairs of points lies in tiles, a block by a block, row-major. A tile is computed by one thread, each of
// its sums in an order that follows from its size alone: the same bits for any number of threads, by AVX2 and by
// AVX-512.
#pragma once
#include <cstdint>

namespace loupe {

inline constexpr int64_t kSneBlock = 256;
/// Floats of a tile.
inline constexpr int64_t kSneTile = kSneBlock * kSneBlock;

/// Of a point, Σ w, Σ w·(d − least) and Σ w·(d − least)² over others, with w = exp(−beta·(d − least)).
struct GaussianSums {
  double weight = 0, first = 0, second = 0;
};

/// One block of points of a map: kSneBlock coordinates each, of which the first `count` are points.
struct SnePoints {
  const float *x, *y;
  int64_t count;
};
/// Sums for each point of a block: kSneBlock floats each.
struct SneForces {
  float *attract_x, *attract_y, *repel_x, *repel_y;
};
/// A Gaussian for each point of a block: p(j given i) = scale_i·exp(−beta_i·(d_ij − least_i)).
struct SneGaussians {
  const float *beta, *least, *scale;
  int64_t count;
};

namespace cpu {

/// tile[i, j] = Σ_k (a[i, k] − b[j, k])²: of differences, so that near points lose nothing. a (rows, dims), b (columns,
/// dims), at most kSneBlock of either; what is past them in the tile becomes 0. scratch: 16·dims floats.
void sne_distances(const float* a, int64_t rows, const float* b, int64_t columns, int64_t dims,
                   float* scratch, float* tile);

GaussianSums sne_gaussian_sums(const float* distances, int64_t count, float beta, float least);

/// A tile's squared distances become affinities P_ij = p(j given i) + p(i given j), 0 where that is below
/// 1e-30; zero past the last point, and on the
/// diagonal of a tile of a block with itself.
void sne_affinities(const SneGaussians& rows, const SneGaussians& columns, bool diagonal, float* tile);

/// With q = 1 / (1 + |yᵢ − yⱼ|²), over the pairs of a tile: to row i attract += Σ_j P_ij·q·(yᵢ − yⱼ) and repel +=
/// Σ_j q²·(yᵢ − yⱼ), and to column j the opposite. Writes both, and returns Σ q. A diagonal tile, which has every pair
/// twice, writes its rows alone.
double sne_forces(const float* affinities, const SnePoints& rows, const SnePoints& columns, bool diagonal,
                  const SneForces& to_rows, const SneForces& to_columns);

}  // namespace cpu
}  // namespace loupe
