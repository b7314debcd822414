// Sums that are cut into parts (parts.h), for .cu files: the launches, and a block's work on the sum of a
// channel or of 32 columns. Threads, warps and lanes are added up in a fixed order.
#pragma once
#include <algorithm>

#include "kernels/device/cells.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"
#include "kernels/reduce/parts.h"

namespace loupe::LOUPE_TARGET {

/// sums[i] = Σ over groups of Σ over their parts, both in order, of `parts` (groups, of_group, count); with
/// `add`, added one group after the other to what is there.
void add_parts(Stream, int64_t groups, int64_t of_group, int64_t count, bool add, const float* parts,
               float* sums);

/// launch_parts(first, parts, to) queues a kernel that writes the sums of the parts from `first` on to `to`
/// (parts, sums). What is queued here leaves their total in `result`.
template <typename LaunchParts>
void in_parts(Stream stream, const Parts& parts, int64_t sums, float* result, float* scratch,
              const LaunchParts& launch_parts) {
  if (parts.count() == 1) return launch_parts(int64_t{0}, int64_t{1}, result);
  const int64_t at_once = parts.groups_at_once(sums);
  for (int64_t group = 0; group < parts.groups(); group += at_once) {
    const int64_t groups = std::min(at_once, parts.groups() - group);
    launch_parts(group * parts.of_image, groups * parts.of_image, scratch);
    add_parts(stream, groups, parts.of_image, sums, group > 0, scratch, result);
  }
}

inline constexpr int kSumThreads = 256, kSumWarps = kSumThreads / kWarp;  // of a block

/// The sum of the block's values, in every thread. May be called again.
LOUPE_DEVICE float block_sum(float value) {
  struct WarpSums {
    float of_warp[kSumWarps];
  };
  auto& part = shared_storage<WarpSums>().of_warp;
  value = warp_sum(value);
  sync_threads();  // nobody reads the sums before these any more
  if (lane_id() == 0) part[warp_id()] = value;
  sync_threads();
  value = 0;
  for (int i = 0; i < kSumWarps; ++i) value += part[i];
  return value;
}

/// Sums over the channels of arrays (n, c, pixels): a block takes a part of one channel. As many threads work
/// on one image as it has vectors in the part.
struct ChannelSums {
  Parts parts;
  int64_t first_part;
  int c, pixels, team;

  ChannelSums(const Parts& p, int64_t first, int64_t channels, int width)
      : parts(p), first_part(first), c(small(channels)), pixels(small(p.pixels)), team(1) {
    while (team < kSumThreads && team * width < p.length) team *= 2;
  }
  /// For `count` parts from the first on.
  Launch launch_in(Stream stream, int64_t count) const {
    return {{blocks_for(count * c, 1)}, {kSumThreads}, 0, stream};
  }

  LOUPE_DEVICE int channel() const { return static_cast<int>(blockIdx.x) % c; }
  struct Place {
    int64_t at, image;  // `at` counts the elements of the array
    int pixel;
  };
  /// term(total, place) adds the Width elements from a place on to a thread's own sum. The block's sum, in
  /// every thread.
  template <int Width, typename Term>
  LOUPE_DEVICE float sum(const Term& term) const {
    const int t = thread_number(), k = channel();
    const Parts::Part part = parts.part(first_part + static_cast<int>(blockIdx.x) / c);
    const int begin = static_cast<int>(part.pixel), end = static_cast<int>(part.pixel_end);
    float sum = 0;
    for (int64_t b = part.image + t / team; b < part.image_end; b += kSumThreads / team)
      for (int p = begin + t % team * Width; p < end; p += team * Width)
        term(sum, Place{(b * c + k) * pixels + p, b, p});
    return block_sum(sum);
  }
};

/// Sums over the rows of a matrix: a block takes 32 columns of a part; each of its warps adds every eighth
/// row of them.
struct ColumnSums {
  Parts parts;
  int64_t first_part, columns, tiles;

  ColumnSums(const Parts& p, int64_t first, int64_t all)
      : parts(p), first_part(first), columns(all), tiles(ceil_div(all, kWarp)) {}
  Launch launch_in(Stream stream, int64_t count) const {
    return {{blocks_for(count * tiles, 1)}, {kSumThreads}, 0, stream};
  }

  LOUPE_DEVICE int64_t column() const { return blockIdx.x % tiles * kWarp + lane_id(); }
  /// to[part, column] = Σ term(row) over the part's rows.
  template <typename Term>
  LOUPE_DEVICE void sum(float* to, const Term& term) const {
    struct WarpSums {
      float of_warp[kSumWarps][kWarp];
    };
    auto& warps = shared_storage<WarpSums>().of_warp;
    const int64_t number = blockIdx.x / tiles, k = column();
    const Parts::Part part = parts.part(first_part + number);
    float sum = 0;
    if (k < columns)
      for (int64_t r = part.begin + warp_id(); r < part.end; r += kSumWarps) sum += term(r);
    warps[warp_id()][lane_id()] = sum;
    sync_threads();
    if (warp_id() != 0 || k >= columns) return;
    sum = 0;
    for (int i = 0; i < kSumWarps; ++i) sum += warps[i][lane_id()];
    to[number * columns + k] = sum;
  }
};

}  // namespace loupe::LOUPE_TARGET
