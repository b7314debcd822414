#include "engine/neurons/dream.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/image/resize.h"
#include "engine/neurons/view.h"
#include "kernels/common/parallel.h"

namespace loupe {

namespace {

// What a process has beside pictures, weights and passes.
constexpr int64_t kReserve = int64_t{64} << 20;

template <typename T>
using Plane = std::vector<T>;

constexpr float kDeep = 65535;
float colour_of(uint16_t v) { return static_cast<float>(v) / kDeep; }
uint16_t deep(float colour) {  // NaN: 0
  return colour > 0 ? static_cast<uint16_t>(std::min(colour, 1.0F) * kDeep + 0.5F) : uint16_t{0};
}

// bfloat16: the upper half of a float, rounded to even.
float widened(uint16_t v) { return std::bit_cast<float>(uint32_t{v} << 16); }
uint16_t shortened(float v) {
  const auto bits = std::bit_cast<uint32_t>(v);
  return static_cast<uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

// A row or column of a plane under a Gaussian, mirrored at its ends.
class Blur {
 public:
  explicit Blur(double deviation) {
    const auto reach = static_cast<int64_t>(std::ceil(3 * deviation));
    double sum = 0;
    for (int64_t i = -reach; i <= reach; ++i)
      sum += std::exp(-static_cast<double>(i * i) / (2 * deviation * deviation));
    for (int64_t i = -reach; i <= reach; ++i)
      weights_.push_back(
          static_cast<float>(std::exp(-static_cast<double>(i * i) / (2 * deviation * deviation)) / sum));
  }
  void line(uint16_t* at, int64_t n, int64_t step) const {
    const int64_t reach = std::ssize(weights_) / 2;
    std::vector<float> long_line(static_cast<size_t>(n + 2 * reach));
    for (int64_t i = -reach; i < n + reach; ++i)
      long_line[static_cast<size_t>(i + reach)] = widened(at[mirrored(i, n) * step]);
    for (int64_t i = 0; i < n; ++i) {
      float sum = 0;
      for (size_t k = 0; k < weights_.size(); ++k) sum += weights_[k] * long_line[static_cast<size_t>(i) + k];
      at[i * step] = shortened(sum);
    }
  }

 private:
  std::vector<float> weights_;
};

class Dreamer {
 public:
  Dreamer(Network& net, const Preprocessing& how, const DreamGoal& goal, const DreamOptions& options,
          const Draws& draws, const std::string& name, const Progress& progress)
      : net_(net),
        how_(how),
        goal_(goal),
        options_(options),
        draws_(draws),
        name_(name),
        progress_(progress) {}

  Image run(Image photo);

 private:
  int64_t pixels() const { return height_ * width_; }
  size_t channels() const { return static_cast<size_t>(how_.channels); }
  void begin_octave(Pair size, const Image& base);
  void climb(int64_t octave, int64_t bytes);
  Tensor seen(const DreamWindows::Window& window, int64_t down, int64_t right) const;
  void add(const Tensor& gradient, const DreamWindows::Window& window, int64_t down, int64_t right);
  void smooth();
  void move();
  void keep_details(const Image& base);
  Image picture();

  Network& net_;
  const Preprocessing& how_;
  const DreamGoal& goal_;
  const DreamOptions& options_;
  const Draws& draws_;
  const std::string& name_;
  const Progress& progress_;
  int64_t height_ = 0, width_ = 0;
  std::vector<Plane<uint16_t>> colours_, gradient_;  // of the octave
  std::vector<Plane<float>> details_;                // what the octave before added, in its size
  int64_t details_height_ = 0, details_width_ = 0;
  bool moved_ = false;
  double done_ = 0, all_ = 1;  // pixels times steps
};

// The photograph in this size, and over it the details so far.
void Dreamer::begin_octave(Pair size, const Image& base) {
  height_ = size.h, width_ = size.w;
  struct Between {  // two cells of the smaller axis
    int64_t from, to;
    float part;
  };
  const auto between = [](int64_t i, int64_t large, int64_t small) {
    const double at = std::clamp(
        (static_cast<double>(i) + 0.5) * static_cast<double>(small) / static_cast<double>(large) - 0.5, 0.0,
        static_cast<double>(small - 1));
    const auto from = static_cast<int64_t>(at);
    return Between{from, std::min(from + 1, small - 1), static_cast<float>(at - static_cast<double>(from))};
  };
  std::vector<Between> columns;
  for (int64_t x = 0; x < width_; ++x)
    columns.push_back(details_.empty() ? Between{} : between(x, width_, details_width_));
  colours_.clear();
  for (size_t c = 0; c < channels(); ++c) {
    Plane<uint16_t>& to = colours_.emplace_back(static_cast<size_t>(pixels()));
    parallel_for(height_, [&](int64_t y) {
      const uint8_t* from = base.pixel(y, 0) + c;
      uint16_t* row = to.data() + y * width_;
      if (details_.empty()) {
        for (int64_t x = 0; x < width_; ++x) row[x] = deep(static_cast<float>(from[3 * x]) / 255);
        return;
      }
      const Between rows = between(y, height_, details_height_);
      const float *top = details_[c].data() + rows.from * details_width_,
                  *bottom = details_[c].data() + rows.to * details_width_;
      for (int64_t x = 0; x < width_; ++x) {
        const Between& b = columns[static_cast<size_t>(x)];
        const float over = top[b.from] + b.part * (top[b.to] - top[b.from]);
        const float under = bottom[b.from] + b.part * (bottom[b.to] - bottom[b.from]);
        row[x] = deep(static_cast<float>(from[3 * x]) / 255 + over + rows.part * (under - over));
      }
    });
    if (!details_.empty()) Plane<float>().swap(details_[c]);  // a plane at a time: both never exist whole
  }
  details_.clear();
}

void Dreamer::keep_details(const Image& base) {
  details_height_ = height_, details_width_ = width_;
  for (size_t c = 0; c < channels(); ++c) {
    Plane<float>& to = details_.emplace_back(static_cast<size_t>(pixels()));
    parallel_for(height_, [&](int64_t y) {
      for (int64_t i = y * width_; i < (y + 1) * width_; ++i)
        to[static_cast<size_t>(i)] = colour_of(colours_[c][static_cast<size_t>(i)]) -
                                     static_cast<float>(base.rgb[static_cast<size_t>(3 * i) + c]) / 255;
    });
    Plane<uint16_t>().swap(colours_[c]);
  }
  colours_.clear();
}

// The network's input, of a view in which the picture lies `down` and `right` from the corner.
Tensor Dreamer::seen(const DreamWindows::Window& window, int64_t down, int64_t right) const {
  const int64_t h = window.rows.end - window.rows.begin, w = window.columns.end - window.columns.begin;
  Tensor x(Dtype::f32, {1, how_.channels, h, w});
  std::vector<int64_t> columns;
  for (int64_t k = window.columns.begin; k < window.columns.end; ++k)
    columns.push_back(mirrored(k - right, width_));
  float* to = x.values<float>().data();
  parallel_for(how_.channels * h, [&](int64_t i) {
    const auto c = static_cast<size_t>(i / h);
    const uint16_t* from = colours_[c].data() + mirrored(window.rows.begin + i % h - down, height_) * width_;
    for (int64_t k = 0; k < w; ++k)
      to[i * w + k] = (colour_of(from[columns[static_cast<size_t>(k)]]) - how_.mean[c]) / how_.std[c];
  });
  return x;
}

// Adds a window's part; what lies beyond the picture is nobody's.
void Dreamer::add(const Tensor& gradient, const DreamWindows::Window& window, int64_t down, int64_t right) {
  const Tensor g = gradient.to(Dtype::f32);
  const int64_t h = window.rows.end - window.rows.begin, w = window.columns.end - window.columns.begin;
  const float* from = g.values<const float>().data();
  parallel_for(how_.channels * h, [&](int64_t i) {
    const int64_t y = window.rows.begin + i % h - down;
    const float weight = window.rows.weights[static_cast<size_t>(i % h)];
    if (y < 0 || y >= height_ || weight == 0) return;
    const auto c = static_cast<size_t>(i / h);
    uint16_t* row = gradient_[c].data() + y * width_;
    for (int64_t k = 0; k < w; ++k) {
      const int64_t x = window.columns.begin + k - right;
      const float part = weight * window.columns.weights[static_cast<size_t>(k)] / how_.std[c];
      if (x >= 0 && x < width_ && part != 0) row[x] = shortened(widened(row[x]) + part * from[i * w + k]);
    }
  });
}

void Dreamer::smooth() {
  if (options_.blur == 0) return;
  const Blur blur(options_.blur);
  for (Plane<uint16_t>& g : gradient_) {
    parallel_for(height_, [&](int64_t y) { blur.line(g.data() + y * width_, width_, 1); });
    parallel_for(width_, [&](int64_t x) { blur.line(g.data() + x, height_, width_); });
  }
}

void Dreamer::move() {
  std::vector<double> of_row(static_cast<size_t>(height_));
  parallel_for(height_, [&](int64_t y) {
    double sum = 0;
    for (const Plane<uint16_t>& g : gradient_)
      for (int64_t i = y * width_; i < (y + 1) * width_; ++i)
        sum += std::abs(static_cast<double>(widened(g[static_cast<size_t>(i)])));
    of_row[static_cast<size_t>(y)] = sum;
  });
  double mean = 0;
  for (const double v : of_row) mean += v;
  mean /= static_cast<double>(pixels() * how_.channels);
  if (!std::isfinite(mean))
    throw Error("the gradient of '" + net_.graph().node(goal_.node).name + "' is not finite");
  if (mean == 0) return;
  moved_ = true;
  const double step = options_.rate / 255 / mean;
  parallel_for(height_, [&](int64_t y) {
    for (size_t c = 0; c < channels(); ++c)
      for (int64_t i = y * width_; i < (y + 1) * width_; ++i) {
        uint16_t& v = colours_[c][static_cast<size_t>(i)];
        const double by = step * static_cast<double>(widened(gradient_[c][static_cast<size_t>(i)]));
        v = deep(colour_of(v) + static_cast<float>(by));
      }
  });
}

// bytes: what there is for windows; 0: no limit.
void Dreamer::climb(int64_t octave, int64_t bytes) {
  DreamWindows windows(net_, goal_, height_, width_, options_.jitter, {options_.side, bytes});
  gradient_.assign(channels(), Plane<uint16_t>(static_cast<size_t>(pixels())));
  for (int64_t step = 0; step < options_.steps; ++step) {
    double u[2];
    draws_.uniforms(name_ + ".octave" + std::to_string(octave), u, 2 * step);
    const auto down = static_cast<int64_t>(u[0] * static_cast<double>(windows.height() - height_ + 1)),
               right = static_cast<int64_t>(u[1] * static_cast<double>(windows.width() - width_ + 1));
    for (Plane<uint16_t>& g : gradient_) std::ranges::fill(g, uint16_t{0});
    for (int64_t i = 0; i < windows.count(); ++i) {
      add(windows.gradient(i, seen(windows.window(i), down, right)), windows.window(i), down, right);
      if (progress_)
        progress_((done_ + static_cast<double>(pixels()) * static_cast<double>(i + 1) /
                               static_cast<double>(windows.count())) /
                  all_);
    }
    smooth();
    move();
    done_ += static_cast<double>(pixels());
  }
  gradient_.clear();
  net_.release_arena();  // what comes next needs the memory
}

Image Dreamer::picture() {
  Image image{width_, height_, std::vector<uint8_t>(static_cast<size_t>(3 * pixels()))};
  parallel_for(height_, [&](int64_t y) {
    for (int64_t i = y * width_; i < (y + 1) * width_; ++i)
      for (size_t c = 0; c < 3; ++c) {
        const uint16_t v = colours_[c % channels()][static_cast<size_t>(i)];
        image.rgb[static_cast<size_t>(3 * i) + c] = static_cast<uint8_t>((v + 128) / 257);
      }
  });
  return image;
}

Image Dreamer::run(Image photo) {
  const std::vector<Pair> sizes = dream_octaves(photo.height, photo.width, options_);
  all_ = 0;
  for (const Pair& s : sizes) all_ += static_cast<double>(s.h * s.w * options_.steps);
  for (size_t octave = 0; octave < sizes.size(); ++octave) {
    const Pair size = sizes[octave];
    const bool last = octave + 1 == sizes.size();
    Image base = last ? std::move(photo) : resize(photo, size.w, size.h);
    if (how_.channels == 1) base = to_grey(base);
    begin_octave(size, base);
    if (last) base = {};
    const int64_t held =
        static_cast<int64_t>(photo.rgb.size() + base.rgb.size()) + 4 * pixels() * how_.channels;
    const int64_t left = options_.memory - kReserve - net_.packed_bytes() - held;
    if (options_.memory > 0 && left <= 0)
      throw UsageError("a picture of " + Pair(size.h, size.w).str() + " pixels needs more memory than " +
                       std::to_string(options_.memory >> 20) + " MiB");
    climb(static_cast<int64_t>(octave), options_.memory > 0 ? left : 0);
    if (!last) keep_details(base);
  }
  if (!moved_)
    throw UsageError("nothing in the picture moves '" + net_.graph().node(goal_.node).name +
                     "': what was asked for has no gradient there");
  return picture();
}

}  // namespace

std::vector<Pair> dream_octaves(int64_t height, int64_t width, const DreamOptions& options) {
  const double shorter = static_cast<double>(std::min(height, width));
  int64_t count = options.octaves;
  if (count == 0)
    count =
        1 + std::max<int64_t>(0, std::llround(std::floor(std::log(shorter / DreamOptions::kSmallestOctave) /
                                                         std::log(options.scale))));
  std::vector<Pair> sizes;
  for (int64_t i = count - 1; i >= 0; --i) {
    const double by = std::pow(options.scale, static_cast<double>(i));
    const auto side = [by](int64_t n) { return std::llround(static_cast<double>(n) / by); };
    if (side(height) < 1 || side(width) < 1)
      throw UsageError(std::to_string(count) + " octaves leave nothing of a picture of " +
                       Pair(height, width).str() + " pixels");
    sizes.emplace_back(side(height), side(width));
  }
  return sizes;
}

Image dream(Network& net, const Preprocessing& how, Image photo, const DreamGoal& goal,
            const DreamOptions& options, const Draws& draws, const std::string& name,
            const Progress& progress) {
  if (photo.width < 1 || photo.height < 1) throw UsageError("the picture is empty");
  if (options.steps < 1)
    throw UsageError("a dream takes a step or more, not " + std::to_string(options.steps));
  if (!(options.rate > 0 && options.rate <= 255))
    throw UsageError("the rate of a dream is above 0 and at most 255, not " + std::to_string(options.rate));
  if (!(options.scale > 1 && options.scale <= 100))
    throw UsageError("the scale of octaves is above 1, not " + std::to_string(options.scale));
  if (!(options.blur >= 0 && options.blur <= 100))
    throw UsageError("a blur is of 0 to 100 pixels, not " + std::to_string(options.blur));
  if (options.octaves < 0 || options.jitter < 0 || options.side < 1)
    throw UsageError("octaves, jitter and windows of a dream are not below 0");
  const Shape input = net.graph().input_shapes().at(0);
  if (input.rank() != 4 || input[1] != how.channels || (how.channels != 1 && how.channels != 3))
    throw UsageError(net.name() + " takes no pictures of " + std::to_string(how.channels) + " channels");
  return Dreamer(net, how, goal, options, draws, name, progress).run(std::move(photo));
}

}  // namespace loupe
