// Points, boxes and frames of reference. Angles are in degrees, counter-clockwise; y goes up.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

namespace loupe::zoo {

struct Vec2 {
  float x = 0, y = 0;
  friend constexpr Vec2 operator+(Vec2 a, Vec2 b) { return {a.x + b.x, a.y + b.y}; }
  friend constexpr Vec2 operator-(Vec2 a, Vec2 b) { return {a.x - b.x, a.y - b.y}; }
  friend constexpr Vec2 operator*(float s, Vec2 a) { return {s * a.x, s * a.y}; }
};

/// (1 − t)·a + t·b
constexpr float mix(float a, float b, float t) { return a + t * (b - a); }
constexpr Vec2 mix(Vec2 a, Vec2 b, float t) { return a + t * (b - a); }
/// From 0 below `low` to 1 above `high`, smoothly.
constexpr float step(float low, float high, float x) {
  const float t = std::clamp((x - low) / (high - low), 0.0f, 1.0f);
  return t * t * (3 - 2 * t);
}

/// The C library's sine may differ in its last bit from machine to machine; this one does not.
inline float sine(float degrees) {
  double t = static_cast<double>(degrees) / 360.0;
  t -= std::floor(t + 0.5);  // turns in [-1/2, 1/2)
  if (t > 0.25) t = 0.5 - t;
  if (t < -0.25) t = -0.5 - t;
  const double x = t * 6.283185307179586, s = x * x;
  return static_cast<float>(
      x * (1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72 * (1 - s / 110 * (1 - s / 156)))))));
}
inline float cosine(float degrees) { return sine(degrees + 90); }
/// The point at that angle and distance from the origin.
inline Vec2 polar(float degrees, float length) { return {length * cosine(degrees), length * sine(degrees)}; }
inline Vec2 rotate(Vec2 p, float degrees) {
  const float c = cosine(degrees), s = sine(degrees);
  return {c * p.x - s * p.y, s * p.x + c * p.y};
}

/// A rectangle along the axes; empty where nothing was added.
struct Box {
  static constexpr float kFar = std::numeric_limits<float>::max();
  Vec2 low{kFar, kFar}, high{-kFar, -kFar};

  void add(Vec2 p, float radius = 0) {
    low = {std::min(low.x, p.x - radius), std::min(low.y, p.y - radius)};
    high = {std::max(high.x, p.x + radius), std::max(high.y, p.y + radius)};
  }
  void add(const Box& b) {
    if (b.empty()) return;
    add(b.low);
    add(b.high);
  }
  void widen(float by) {
    if (empty()) return;
    low = low - Vec2{by, by};
    high = high + Vec2{by, by};
  }
  bool empty() const { return !(low.x <= high.x && low.y <= high.y); }
  float width() const { return high.x - low.x; }
  float height() const { return high.y - low.y; }
  Vec2 middle() const { return mix(low, high, 0.5f); }
};

/// From the coordinates in which something is drawn to those of the picture (pixels; y goes up there too,
/// from the bottom edge): flip, then turn, scale and move. Distances are multiplied by `scale`.
class Frame {
 public:
  Frame() = default;
  Frame(Vec2 origin, float scale, float degrees = 0, bool flip = false)
      : scale_(scale), c_(cosine(degrees)), s_(sine(degrees)), flip_(flip ? -1.0f : 1.0f), origin_(origin) {}

  Vec2 to_picture(Vec2 p) const {
    const float x = flip_ * p.x;
    return {origin_.x + scale_ * (c_ * x - s_ * p.y), origin_.y + scale_ * (s_ * x + c_ * p.y)};
  }
  Vec2 from_picture(Vec2 p) const {
    const float x = (p.x - origin_.x) / scale_, y = (p.y - origin_.y) / scale_;
    return {flip_ * (c_ * x + s_ * y), c_ * y - s_ * x};
  }
  /// A frame inside this one: its origin is `at` here, and it is turned and scaled.
  Frame inner(Vec2 at, float degrees, float scale) const {
    Frame f = *this;
    f.origin_ = to_picture(at);
    f.scale_ *= scale;
    const Vec2 axis = rotate({c_, s_}, flip_ * degrees);
    f.c_ = axis.x;
    f.s_ = axis.y;
    return f;
  }
  /// Pixels that one unit takes.
  float scale() const { return scale_; }

 private:
  float scale_ = 1, c_ = 1, s_ = 0, flip_ = 1;
  Vec2 origin_;
};

}  // namespace loupe::zoo
