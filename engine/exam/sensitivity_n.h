// Sensitivity-n: do a map's sums over random sets of pixels go with the drop of the score when these go?
#pragma once
#include <span>

#include "engine/exam/removal.h"

namespace loupe {

/// The sizes of sets that are tried: at most eight, from 1 to four fifths of the pixels, evenly on a
/// logarithmic scale.
std::vector<int64_t> set_sizes(int64_t pixels);

/// `draws_a_size` sets of each of these sizes, one size after the other, and what the score loses by them.
Removals random_removals(Network& net, const Tensor& x, const Target& target, std::span<const int64_t> sizes,
                         int64_t draws_a_size, const Draws& draws = Draws(), const Progress& progress = {});

/// For each size in turn Pearson's correlation, over its sets, of the map's sum with the drop. Ancona,
/// Ceolini, Öztireli & Gross 2018, "Towards better understanding of gradient-based attribution methods for
/// deep neural networks", section 4: a map satisfies sensitivity-n where it is 1; their figures show its
/// mean over pictures against n, up to 80 % of the pixels, with 100 sets a size. Quantus 0.6 computes
/// something else under this name: not random sets but the pixels in the map's own order, where its drops
/// are of all pixels so far while its sums are of the last few alone.
std::vector<double> sensitivity_n(const Plane& map, const Removals& removals, int64_t draws_a_size);

}  // namespace loupe
