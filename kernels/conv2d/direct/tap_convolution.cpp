#include "kernels/conv2d/direct/tap_convolution.h"

#include <algorithm>
#include <bit>

#include "kernels/common/parallel.h"

namespace loupe::cpu {
namespace {

constexpr int64_t kRowPixels = 112;  // 8 tiles of 14 pixels
constexpr int64_t kInputBudget =
    384 * 1024;                 // bytes of input a task works on: with the weights of a step, an L2 cache
constexpr int64_t kTasks = 16;  // an image: enough that a few threads end at about the same time

MapStrides blocked_strides(int64_t channels, int64_t h, int64_t w) {
  return {blocks(channels) * h * w * kBlock, h * w * kBlock, w * kBlock, kBlock};
}

// A convolution with one tap at (0, 0) and no steps (1×1 kernels, linear) sees no rows: all pixels of a map,
// or of 1×1 maps all images, are one row. It is cut into rows of 112 pixels, so that tiles are full and
// weights are read for many pixels.
void fold_pixels(TapConvolution& t) {
  Phase& p = t.phases[0];
  const bool pointwise = t.phases.size() == 1 && p.taps.size() == 1 && p.taps[0].dh == 0 &&
                         p.taps[0].dw == 0 && t.in_step == Pair(1) && t.out_step == Pair(1) &&
                         t.in_h == t.out_h && t.in_w == t.out_w;
  if (!pointwise) return;
  t.folded = true;
  int64_t pixels = t.in_h * t.in_w;
  if (pixels == 1) {
    pixels = t.n;
    t.n = 1;
    t.in.pixel = t.in.image;
    t.out.pixel = t.out.image;
  }
  p.cols = std::min(pixels, kRowPixels);
  p.rows = ceil_div(pixels, p.cols);
  p.last_cols = pixels - (p.rows - 1) * p.cols;
  t.in.row = p.cols * t.in.pixel;
  t.out.row = p.cols * t.out.pixel;
}

// Chooses how the rows and steps of a phase make tasks: as many rows as fit the budget, so that the weights
// of a step are read for all of them; then fewer output channels a task, then fewer rows, until there are
// enough tasks.
void cut_tasks(const TapConvolution& t, Phase& p) {
  const auto units = static_cast<int64_t>(t.units.size()) - 1;
  const int64_t c = t.depthwise ? kBlock : t.steps[0].c_end - t.steps[0].c_begin;
  const int64_t row_bytes =
      (p.cols * t.in_step.w + p.high.w - p.low.w) * blocks(c) * kBlock * 4 * t.in_step.h;
  const int64_t halo = std::max<int64_t>(0, p.high.h - p.low.h + 1 - t.in_step.h) / t.in_step.h;
  p.rows_per_task = std::clamp<int64_t>(kInputBudget / row_bytes - halo, 1, p.rows);
  p.row_tasks = ceil_div(p.rows, p.rows_per_task);
  p.unit_tasks = std::min(units, ceil_div(kTasks, p.row_tasks * static_cast<int64_t>(t.phases.size())));
  if (t.groups > 1) p.unit_tasks = units;  // a task then copies the channels of its groups only
  p.units_per_task = ceil_div(units, p.unit_tasks);
  p.unit_tasks = ceil_div(units, p.units_per_task);
  const int64_t tasks = p.tasks() * static_cast<int64_t>(t.phases.size());
  if (tasks < kTasks) p.row_tasks = std::min(p.rows, p.row_tasks * ceil_div(kTasks, tasks));
  p.rows_per_task = ceil_div(p.rows, p.row_tasks);
  p.row_tasks = ceil_div(p.rows, p.rows_per_task);
}

// What follows once sizes and taps are set.
TapConvolution finish(TapConvolution t) {
  t.depthwise = t.groups == t.in_channels && t.groups == t.out_channels && t.groups > 1;
  t.in = blocked_strides(t.in_channels, t.in_h, t.in_w);
  t.out = blocked_strides(t.out_channels, t.out_h, t.out_w);
  if (t.depthwise) {
    const int64_t k_blocks = blocks(t.out_channels);
    for (int64_t kb = 0; kb < k_blocks; ++kb) {
      const int64_t end = std::min(t.out_channels, (kb + 1) * kBlock);
      const auto lanes = static_cast<uint16_t>((1u << (end - kb * kBlock)) - 1);
      t.units.push_back(kb);
      t.steps.push_back({kb, 1, 0, kb * kBlock, end, lanes, true, 0});
    }
    t.units.push_back(k_blocks);
  } else {
    t.steps = make_steps(t.in_channels, t.out_channels, t.groups, true, &t.units);
  }
  int64_t taps = 0;
  for (Phase& p : t.phases) {
    p.last_cols = p.cols;
    p.first_tap = taps;
    taps += static_cast<int64_t>(p.taps.size());
    for (size_t i = 0; i < p.taps.size(); ++i) {
      const Tap& tap = p.taps[i];
      p.low = i ? Pair{std::min(p.low.h, tap.dh), std::min(p.low.w, tap.dw)} : Pair{tap.dh, tap.dw};
      p.high = i ? Pair{std::max(p.high.h, tap.dh), std::max(p.high.w, tap.dw)} : Pair{tap.dh, tap.dw};
    }
    p.padded =
        !p.taps.empty() && (p.low.h < 0 || p.low.w < 0 || (p.rows - 1) * t.in_step.h + p.high.h >= t.in_h ||
                            (p.cols - 1) * t.in_step.w + p.high.w >= t.in_w);
  }
  fold_pixels(t);
  for (Phase& p : t.phases) cut_tasks(t, p);
  int64_t offset = 0;
  for (Step& s : t.steps) {
    s.weights = offset;
    offset += s.blocks * taps * (t.depthwise ? 1 : s.c_end - s.c_begin) * kBlock;
  }
  return t;
}

// Packs what a step needs of one block of input channels.
void pack_block(const TapConvolution& t, const Step& s, int64_t c_block, const float* weight, float* packed) {
  const int64_t c0 = std::max(s.c_begin, c_block * kBlock), c1 = std::min(s.c_end, (c_block + 1) * kBlock);
  if (c0 >= c1) return;
  const int64_t channels = t.depthwise ? 1 : c1 - c0, step_channels = t.depthwise ? 1 : s.c_end - s.c_begin;
  const int64_t before = t.depthwise ? 0 : c0 - s.c_begin;
  for (const Phase& p : t.phases)
    for (int b = 0; b < s.blocks; ++b) {
      const auto taps = static_cast<int64_t>(p.taps.size());
      float* to =
          packed + s.weights + ((p.first_tap * s.blocks + b * taps) * step_channels + before * taps) * kBlock;
      const uint16_t lanes = b + 1 == s.blocks ? s.lanes : 0xffff;
      const int64_t lane0 = std::countr_zero(lanes), lane1 = lane0 + std::popcount(lanes);  // a range
      if (lanes != 0xffff) std::fill_n(to, taps * channels * kBlock, 0.0f);
      const int64_t out = (s.k_block + b) * kBlock + lane0, in = t.depthwise ? out : c0;
      const int64_t first = t.weight_is_in_out ? in : out, second = t.weight_is_in_out ? out : in;
      const int64_t first_stride = t.group_weight * t.kernel_cells, second_stride = t.kernel_cells;
      const float* from = weight + first * first_stride + second % t.group_weight * second_stride;
      for (const Tap& tap : p.taps) {  // read along the second dimension, where neighbours are near
        if (t.weight_is_in_out) {
          for (int64_t c = 0; c < channels; ++c)
            for (int64_t lane = lane0; lane < lane1; ++lane)
              to[c * kBlock + lane] = from[tap.weight + c * first_stride + (lane - lane0) * second_stride];
        } else {
          for (int64_t lane = lane0; lane < lane1; ++lane)
            for (int64_t c = 0; c < channels; ++c)
              to[c * kBlock + lane] = from[tap.weight + (lane - lane0) * first_stride + c * second_stride];
        }
        to += channels * kBlock;
      }
    }
}

}  // namespace

int64_t TapConvolution::tasks_per_image() const {
  int64_t tasks = 0;
  for (const Phase& p : phases) tasks += p.tasks();
  return tasks;
}

int64_t TapConvolution::packed_size() const {
  const Step& s = steps.back();
  return s.weights + s.blocks * taps() * (depthwise ? 1 : s.c_end - s.c_begin) * kBlock;
}

int64_t TapConvolution::scratch_size() const {
  int64_t size = 0;
  for (const Phase& p : phases) {
    if (!p.padded) continue;
    int64_t c_blocks = 0;
    for (int64_t u = 0; u < p.unit_tasks; ++u) {
      const int64_t last =
          std::min<int64_t>((u + 1) * p.units_per_task, static_cast<int64_t>(units.size()) - 1);
      const Step& a = steps[static_cast<size_t>(units[static_cast<size_t>(u * p.units_per_task)])];
      const Step& b = steps[static_cast<size_t>(units[static_cast<size_t>(last)] - 1)];
      c_blocks = std::max(c_blocks, blocks(b.c_end) - a.c_begin / kBlock);
    }
    const int64_t rows = (p.rows_per_task - 1) * in_step.h + p.high.h - p.low.h + 1;
    const int64_t cols = (p.cols - 1) * in_step.w + p.high.w - p.low.w + 1;
    size = std::max(size, c_blocks * rows * cols * kBlock);
  }
  return size;
}

TapConvolution forward_taps(const ConvSizes& s) {
  TapConvolution t{.n = s.n,
                   .in_channels = s.c,
                   .in_h = s.h,
                   .in_w = s.w,
                   .out_channels = s.k,
                   .out_h = s.oh,
                   .out_w = s.ow,
                   .groups = s.groups,
                   .group_weight = s.group_c(),
                   .kernel_cells = s.kernel.h * s.kernel.w,
                   .in_step = s.stride,
                   .in = {},
                   .out = {},
                   .phases = {},
                   .steps = {},
                   .units = {}};
  Phase p;
  p.rows = s.oh;
  p.cols = s.ow;
  for (int64_t r = 0; r < s.kernel.h; ++r)
    for (int64_t q = 0; q < s.kernel.w; ++q)
      p.taps.push_back({r * s.dilation.h - s.padding.h, q * s.dilation.w - s.padding.w, r * s.kernel.w + q});
  t.phases.push_back(std::move(p));
  return finish(std::move(t));
}

TapConvolution vjp_input_taps(const ConvSizes& s) {
  TapConvolution t{.n = s.n,
                   .in_channels = s.k,
                   .in_h = s.oh,
                   .in_w = s.ow,
                   .out_channels = s.c,
                   .out_h = s.h,
                   .out_w = s.w,
                   .groups = s.groups,
                   .weight_is_in_out = true,
                   .group_weight = s.group_c(),
                   .kernel_cells = s.kernel.h * s.kernel.w,
                   .out_step = s.stride,
                   .in = {},
                   .out = {},
                   .phases = {},
                   .steps = {},
                   .units = {}};
  // gx[ih] = Σ_r gy[oh]·w[r] over the r for which oh·stride = ih + padding − r·dilation has a solution; with
  // ih = i·stride + first, oh = i + (first + padding − r·dilation) / stride.
  for (int64_t fh = 0; fh < std::min(s.stride.h, s.h); ++fh)
    for (int64_t fw = 0; fw < std::min(s.stride.w, s.w); ++fw) {
      Phase p;
      p.first = {fh, fw};
      p.rows = ceil_div(s.h - fh, s.stride.h);
      p.cols = ceil_div(s.w - fw, s.stride.w);
      for (int64_t r = 0; r < s.kernel.h; ++r)
        for (int64_t q = 0; q < s.kernel.w; ++q) {
          const int64_t h = fh + s.padding.h - r * s.dilation.h, w = fw + s.padding.w - q * s.dilation.w;
          if (h % s.stride.h == 0 && w % s.stride.w == 0)
            p.taps.push_back({h / s.stride.h, w / s.stride.w, r * s.kernel.w + q});
        }
      t.phases.push_back(std::move(p));
    }
  return finish(std::move(t));
}

std::vector<Step> make_steps(int64_t in_channels, int64_t out_channels, int64_t groups, bool pairs,
                             std::vector<int64_t>* units) {
  const int64_t group_in = in_channels / groups, group_out = out_channels / groups,
                k_blocks = blocks(out_channels);
  std::vector<Step> steps;
  for (int64_t kb = 0; kb < k_blocks;) {
    if (units) units->push_back(static_cast<int64_t>(steps.size()));
    const auto end = [&](int64_t block) { return std::min(out_channels, (block + 1) * kBlock); };
    const int64_t first_group = kb * kBlock / group_out, last_group = (end(kb) - 1) / group_out;
    const bool pair = pairs && kb + 1 < k_blocks && first_group == (end(kb + 1) - 1) / group_out;
    const int64_t last_block = kb + pair;
    for (int64_t g = first_group; g <= last_group; ++g) {
      const int64_t a = std::max(last_block * kBlock, g * group_out) - last_block * kBlock;
      const int64_t b = std::min(end(last_block), (g + 1) * group_out) - last_block * kBlock;
      const auto lanes = static_cast<uint16_t>((1u << b) - (1u << a));
      steps.push_back({kb, 1 + pair, g, g * group_in, (g + 1) * group_in, lanes, g == first_group, 0});
    }
    kb = last_block + 1;
  }
  if (units) units->push_back(static_cast<int64_t>(steps.size()));
  return steps;
}

void pack_taps(const TapConvolution& t, const float* weight, float* packed) {
  constexpr int64_t kTogether = 4;  // steps: the weights of neighbouring outputs may be neighbours in memory
  const auto steps = static_cast<int64_t>(t.steps.size());
  parallel_for(ceil_div(steps, kTogether), [&](int64_t i) {
    for (int64_t c_block = 0; c_block < blocks(t.in_channels); ++c_block)
      for (int64_t step = i * kTogether; step < std::min(steps, (i + 1) * kTogether); ++step)
        pack_block(t, t.steps[static_cast<size_t>(step)], c_block, weight, packed);
  });
}

std::string describe_taps(const TapConvolution& t) {
  std::string text = t.depthwise ? "depthwise, lane by lane" : "direct, 16 or 32 channels at a time";
  if (t.folded) text += ", all pixels as one row (1×1)";
  if (t.phases.size() > 1)
    text += ", " + std::to_string(t.phases.size()) + " phases (stride " + t.out_step.str() +
            ", no inserted zeros)";
  if (std::any_of(t.phases.begin(), t.phases.end(), [](const Phase& p) { return p.padded; }))
    text += ", rows copied with their padding";
  const bool masked = std::any_of(t.steps.begin(), t.steps.end(), [](const Step& s) { return !s.first; });
  if (masked) text += ", one pass a group (groups end inside blocks of 16)";
  return text;
}

}  // namespace loupe::cpu
