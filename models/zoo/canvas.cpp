#include "models/zoo/canvas.h"

#include "kernels/common/error.h"
#include "models/zoo/random.h"

namespace loupe::zoo {
namespace {

constexpr int kSide = static_cast<int>(kSize);

// A lattice of random heights, which noise() joins smoothly.
constexpr int kLattice = 64;
const std::array<float, kLattice * kLattice>& lattice() {
  static const auto heights = [] {
    std::array<float, kLattice * kLattice> h;
    for (size_t i = 0; i < h.size(); ++i) h[i] = Random(i)("height", -1, 1);
    return h;
  }();
  return heights;
}

// 16 well-mixed bits of a pixel in each half (a Weyl step and two rounds of xor-shift-multiply).
uint32_t mixed(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

uint8_t to_byte(float v) { return static_cast<uint8_t>(std::clamp(v * 255 + 0.5f, 0.0f, 255.0f)); }

}  // namespace

float noise(Vec2 at) {
  const std::array<float, kLattice* kLattice>& h = lattice();
  const float fx = std::floor(at.x), fy = std::floor(at.y);
  const int x0 = static_cast<int>(fx) & (kLattice - 1), x1 = (x0 + 1) & (kLattice - 1);
  const int y0 = (static_cast<int>(fy) & (kLattice - 1)) * kLattice,
            y1 = (y0 + kLattice) & (kLattice * kLattice - 1);
  float tx = at.x - fx, ty = at.y - fy;
  tx = tx * tx * (3 - 2 * tx);
  ty = ty * ty * (3 - 2 * ty);
  const auto height = [&](int i) { return h[static_cast<size_t>(i)]; };
  return mix(mix(height(y0 + x0), height(y0 + x1), tx), mix(height(y1 + x0), height(y1 + x1), tx), ty);
}

Canvas::Canvas(Light light, bool masks) : light_(light), masks_(masks) { layers_.reserve(2); }

Canvas Canvas::ruler(const Frame& frame) {
  Canvas c({}, false);
  c.ruler_ = true;
  c.frame_ = frame;
  return c;
}

void Canvas::begin_object(int64_t cls, std::span<const std::string_view> parts) {
  if (layers_.size() == layers_.capacity()) throw Error("a picture has at most two objects");
  current_ = &layers_.emplace_back();
  current_->cls = cls;
  current_->names = parts;
  if (masks_) current_->parts.resize(parts.size());
}

void Canvas::paint(std::string_view part, const Shape& shape, const Material& material) {
  cover(Role::part, part, shape, material);
}
void Canvas::mark(const Shape& shape, const Material& material) { cover(Role::marking, "", shape, material); }

Canvas::Row Canvas::row(int64_t y) {
  const auto at = static_cast<size_t>((kSize - 1 - y) * kSize);
  return {r_.data() + at, g_.data() + at, b_.data() + at};
}

Canvas::Window Canvas::window(const Shape& shape, float margin) const {
  const Box b = shape.extent(frame_);
  if (b.empty()) return {0, 0, 0, 0};
  const auto pixel = [](float v) { return static_cast<int>(std::clamp(v, 0.0f, static_cast<float>(kSide))); };
  const float top = static_cast<float>(kSide) - b.high.y, bottom = static_cast<float>(kSide) - b.low.y;
  return {pixel(b.low.x - margin), pixel(b.high.x + margin + 1), pixel(top - margin),
          pixel(bottom + margin + 1)};
}

void Canvas::measure(const Shape& shape, const Window& w, std::vector<float>& distances) const {
  const int stride = w.x1 - w.x0 + 2;
  distances.resize(static_cast<size_t>(stride * (w.y1 - w.y0 + 2)));
  std::array<float, Shape::kMostPoints> xs, ys;
  float* out = distances.data();
  for (int y = w.y0 - 1; y <= w.y1; ++y, out += stride) {
    const auto centre = [&](int x) {
      return frame_.from_picture({static_cast<float>(x) + 0.5f, static_cast<float>(kSide - y) - 0.5f});
    };
    const Vec2 begin = centre(w.x0 - 1), next = centre(w.x0) - begin;
    for (int i = 0; i < stride; ++i) {
      xs[static_cast<size_t>(i)] = begin.x + static_cast<float>(i) * next.x;
      ys[static_cast<size_t>(i)] = begin.y + static_cast<float>(i) * next.y;
    }
    shape.distances(xs.data(), ys.data(), stride, out);
    for (int i = 0; i < stride; ++i) out[i] *= frame_.scale();
  }
}

void Canvas::shade_row(const Window& w, int y, const float* distance, int stride, const Material& m,
                       const float* coverage) {
  const float curve = m.round > 0 ? 1 / (m.round * frame_.scale()) : 0;
  const float lx = light_.direction.x * light_.contrast, ly = light_.direction.y * light_.contrast;
  for (int x = w.x0; x < w.x1; ++x) {
    const int i = x - w.x0;
    if (coverage[i] <= 0) continue;
    const float* d = distance + i;
    Colour c = m.colour;
    if (m.pattern || m.grain > 0) {
      const Vec2 at =
          frame_.from_picture({static_cast<float>(x) + 0.5f, static_cast<float>(kSide - y) - 0.5f});
      if (m.pattern) c = m.pattern(at, c);
      if (m.grain > 0) c = (1 + m.grain * noise({at.x / m.grain_size.x, at.y / m.grain_size.y})) * c;
    }
    if (curve > 0) {
      // The surface rises like a quarter circle from the edge, where it faces along the distance's gradient.
      float tilt = 1 + d[0] * curve;
      tilt = tilt < 0 ? 0 : tilt > 1 ? 1 : tilt;
      const float gx = 0.5f * (d[1] - d[-1]), gy = 0.5f * (d[-stride] - d[stride]);
      c = (1 + tilt * (gx * lx + gy * ly) - 0.18f * tilt * tilt) * c;
    }
    const auto at = static_cast<size_t>(y * kSide + x);
    r_[at] += coverage[i] * (c.r - r_[at]);
    g_[at] += coverage[i] * (c.g - g_[at]);
    b_[at] += coverage[i] * (c.b - b_[at]);
  }
}

void Canvas::cover(Role role, std::string_view part, const Shape& shape, const Material& material) {
  if (ruler_) {
    extent_.add(shape.extent(frame_));
    return;
  }
  // What is narrower than a pixel would vanish between pixels; fading over one at least is its share of them.
  const float fade = std::max(material.soft * frame_.scale(), 1.0f);
  const Window w = window(shape, 0.5f * fade);
  if (w.x0 >= w.x1 || w.y0 >= w.y1) return;
  measure(shape, w, distances_);

  Plane* own = nullptr;
  if (current_ && masks_ && !part.empty()) {
    const auto found = std::find(current_->names.begin(), current_->names.end(), part);
    if (found == current_->names.end())
      throw Error("the class '" + labels()[static_cast<size_t>(current_->cls)] + "' has no part '" +
                  std::string(part) + "'");
    own = &current_->parts[static_cast<size_t>(found - current_->names.begin())];
  }
  const int stride = w.x1 - w.x0 + 2, width = w.x1 - w.x0;
  const float over = 1 / fade;
  std::array<float, kSide> coverage;
  for (int y = w.y0; y < w.y1; ++y) {
    const float* d = distances_.data() + (y - w.y0 + 1) * stride + 1;
    for (int i = 0; i < width; ++i) {
      float c = 0.5f - d[i] * over;
      c = c < 0 ? 0 : c;
      coverage[static_cast<size_t>(i)] = (c > 1 ? 1 : c) * material.opacity;
    }
    shade_row(w, y, d, stride, material, coverage.data());

    const auto at = static_cast<size_t>(y * kSide + w.x0);
    const auto add = [&](Plane& p) {
      for (size_t i = 0; i < static_cast<size_t>(width); ++i) p[at + i] += coverage[i] * (1 - p[at + i]);
    };
    const auto take = [&](Plane& p) {
      for (size_t i = 0; i < static_cast<size_t>(width); ++i) p[at + i] -= coverage[i] * p[at + i];
    };
    for (Layer& layer : layers_) {
      const bool mine = &layer == current_;
      mine ? add(layer.visible) : take(layer.visible);
      if (mine && role == Role::marking) continue;
      for (Plane& p : layer.parts) &p == own ? add(p) : take(p);
    }
  }
}

float Canvas::would_cover(const Shape& shape) const {
  const Window w = window(shape, 0.5f);
  if (w.x0 >= w.x1 || w.y0 >= w.y1) return 0;
  measure(shape, w, distances_);
  const int stride = w.x1 - w.x0 + 2;
  float most = 0;
  for (const Layer& layer : layers_) {
    float all = 0, covered = 0;
    for (const float v : layer.visible) all += v;
    for (int y = w.y0; y < w.y1; ++y) {
      const float* d = distances_.data() + (y - w.y0 + 1) * stride + 1;
      for (int x = w.x0; x < w.x1; ++x)
        covered +=
            std::clamp(0.5f - d[x - w.x0], 0.0f, 1.0f) * layer.visible[static_cast<size_t>(y * kSide + x)];
    }
    if (all > 0) most = std::max(most, covered / all);
  }
  return most;
}

Image Canvas::image(Colour tint, float noise_amplitude, uint64_t noise_seed) const {
  Image image{kSize, kSize, std::vector<uint8_t>(static_cast<size_t>(kPixels * 3))};
  const auto seed = static_cast<uint32_t>(noise_seed);
  const float grain = noise_amplitude / 1024;
  for (int i = 0; i < kPixels; ++i) {
    const uint32_t a = mixed(static_cast<uint32_t>(i) * 0x9e3779b9u + seed), b = mixed(a);
    // The sum of two even numbers of ten bits is a triangle: near enough to a sensor's noise.
    const auto triangle = [&](int shift) {
      return (static_cast<float>(a >> shift & 1023) + static_cast<float>(b >> shift & 1023) - 1023) * grain;
    };
    const auto at = static_cast<size_t>(i);
    uint8_t* p = image.rgb.data() + 3 * i;
    p[0] = to_byte(r_[at] * tint.r + triangle(0));
    p[1] = to_byte(g_[at] * tint.g + triangle(10));
    p[2] = to_byte(b_[at] * tint.b + triangle(20));
  }
  return image;
}

std::vector<Object> Canvas::objects() const {
  const auto mask = [](const Plane& p) {
    Mask m(kPixels);
    for (size_t i = 0; i < m.size(); ++i) m[i] = to_byte(p[i]);
    return m;
  };
  std::vector<Object> result;
  for (const Layer& layer : layers_) {
    Object& o = result.emplace_back();
    o.cls = layer.cls;
    if (!masks_) continue;
    o.mask = mask(layer.visible);
    for (size_t i = 0; i < layer.parts.size(); ++i) {
      Part part{layer.names[i], mask(layer.parts[i])};
      if (std::any_of(part.mask.begin(), part.mask.end(), [](uint8_t v) { return v >= 128; }))
        o.parts.push_back(std::move(part));
    }
  }
  return result;
}

}  // namespace loupe::zoo
