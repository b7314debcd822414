// Sums of channels and of columns in parts, and the sum of the parts.
//
// Floor: 4 bytes read an element. add_parts: 4 bytes read for each sum of a part; its warps take a group of
// images each, eight at a time, so that the parts of eight images are added up side by side.
#include "kernels/reduce/sums.h"

#include "kernels/device/export.h"

namespace loupe::LOUPE_TARGET {

namespace {

template <int Width>
LOUPE_KERNEL channel_sums_kernel(ChannelSums s, float divisor, const float* x, float* to) {
  const float sum = s.sum<Width>([&](float& total, const auto& place) {
    const auto v = load_vector<Width>(x + place.at);
    for (int k = 0; k < Width; ++k) total += v[k];
  });
  if (thread_number() == 0) to[blockIdx.x] = sum / divisor;
}

LOUPE_KERNEL column_sums_kernel(ColumnSums s, const float* x, float* to) {
  const int64_t column = s.column();
  s.sum(to, [&](int64_t row) { return x[row * s.columns + column]; });
}

/// A block's 32 sums.
LOUPE_KERNEL add_parts_kernel(int64_t groups, int64_t of_group, int64_t count, bool add, const float* parts,
                              float* sums) {
  struct GroupSums {
    float of[kSumWarps][kWarp];
  };
  auto& of_group_at = shared_storage<GroupSums>().of;
  const int64_t i = int64_t{blockIdx.x} * kWarp + lane_id();
  float total = add && warp_id() == 0 && i < count ? sums[i] : 0.0f;
  for (int64_t base = 0; base < groups; base += kSumWarps) {
    const int64_t group = base + warp_id();
    float sum = 0;
    if (group < groups && i < count) {
      const float* at = parts + group * of_group * count + i;
      sum = *at;
      for (int64_t p = 1; p < of_group; ++p) sum += at[p * count];
    }
    of_group_at[warp_id()][lane_id()] = sum;
    sync_threads();
    if (warp_id() == 0)
      for (int g = 0; g < kSumWarps && base + g < groups; ++g)
        total = add || base + g > 0 ? total + of_group_at[g][lane_id()] : of_group_at[g][lane_id()];
    sync_threads();
  }
  if (warp_id() == 0 && i < count) sums[i] = total;
}

}  // namespace

void add_parts(Stream stream, int64_t groups, int64_t of_group, int64_t count, bool add, const float* parts,
               float* sums) {
  launch({{blocks_for(count, kWarp)}, {kSumThreads}, 0, stream}, add_parts_kernel, groups, of_group, count,
         add, parts, sums);
}

void channel_sums(Stream stream, Parts parts, int64_t c, float divisor, const float* x, float* sums,
                  float* scratch) {
  const int width = parts.pixels % 4 == 0 ? 4 : 1;
  in_parts(stream, parts, c, sums, scratch, [&](int64_t first, int64_t count, float* to) {
    const ChannelSums s(parts, first, c, width);
    launch(s.launch_in(stream, count), width == 4 ? channel_sums_kernel<4> : channel_sums_kernel<1>, s,
           divisor, x, to);
  });
}

void column_sums(Stream stream, Parts parts, int64_t columns, const float* x, float* sums, float* scratch) {
  in_parts(stream, parts, columns, sums, scratch, [&](int64_t first, int64_t count, float* to) {
    const ColumnSums s(parts, first, columns);
    launch(s.launch_in(stream, count), column_sums_kernel, s, x, to);
  });
}

LOUPE_EXPORT(channel_sums);
LOUPE_EXPORT(column_sums);

}  // namespace loupe::LOUPE_TARGET
