// Canvas: the picture while it is drawn. Painting a shape covers what is there; while an object is being
// painted, the canvas keeps account of where it and its parts can be seen.
#pragma once
#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "models/zoo/material.h"
#include "models/zoo/shape.h"
#include "models/zoo/zoo.h"

namespace loupe::zoo {

/// Where light comes from in the picture (y up), and how strong the shading is.
struct Light {
  Vec2 direction{-0.5f, 0.8f};
  float contrast = 0.5f;
};

class Canvas {
 public:
  Canvas(Light light, bool masks);
  /// One that paints nothing and only measures what would be painted: see extent().
  static Canvas ruler(const Frame& frame);

  /// Shapes are given in the coordinates of this frame from now on.
  void set_frame(const Frame& frame) { frame_ = frame; }

  /// Does `paint` with coordinates of their own: a head, drawn about its own middle, that is turned and
  /// scaled and put at `at`. Markings and materials turn with it.
  template <typename Paint>
  void nested(Vec2 at, float degrees, float scale, const Paint& paint) {
    const Frame outer = frame_;
    frame_ = outer.inner(at, degrees, scale);
    paint();
    frame_ = outer;
  }

  /// What is painted until end_object() is an object of this class, with the parts that it may have.
  void begin_object(int64_t cls, std::span<const std::string_view> parts);
  void end_object() { current_ = nullptr; }

  /// Paints a part of the object ("beak"), or with "" something that is no part in particular. It covers the
  /// other parts beneath it.
  void paint(std::string_view part, const Shape& shape, const Material& material);
  /// A marking (an eye, a seam): it belongs to whatever part it is painted on. Outside an object: scenery.
  void mark(const Shape& shape, const Material& material);

  /// The share of an object's visible area that a shape would cover: of the one of which it is most.
  float would_cover(const Shape& shape) const;
  /// The box of all that was painted since this ruler was made, in the picture.
  const Box& extent() const { return extent_; }

  /// A row of the picture from below, for backgrounds: kSize values of each colour.
  struct Row {
    float *r, *g, *b;
  };
  Row row(int64_t y);

  /// Multiplies all colours, adds sensor noise of that amplitude, and rounds.
  Image image(Colour tint, float noise_amplitude, uint64_t noise_seed) const;
  /// The objects in the order in which they were begun, with masks where these were asked for.
  std::vector<Object> objects() const;

 private:
  static constexpr int kPixels = static_cast<int>(kSize * kSize);
  using Plane = std::array<float, kPixels>;

  struct Layer {
    int64_t cls = 0;
    std::span<const std::string_view> names;
    Plane visible{};
    std::vector<Plane> parts;  // none without masks
  };
  /// The rectangle of pixels that a shape may touch, clipped to the picture.
  struct Window {
    int x0, x1, y0, y1;
  };
  Window window(const Shape& shape, float margin) const;
  /// Distances in pixels over the window and one pixel around it, rows of x1 − x0 + 2.
  void measure(const Shape& shape, const Window& w, std::vector<float>& distances) const;
  enum class Role : uint8_t { part, marking };
  void cover(Role role, std::string_view part, const Shape& shape, const Material& material);
  void shade_row(const Window& w, int y, const float* distance, int stride, const Material& m,
                 const float* coverage);

  Light light_;
  bool masks_, ruler_ = false;
  Frame frame_;
  Box extent_;
  Plane r_{}, g_{}, b_{};
  std::vector<Layer> layers_;
  Layer* current_ = nullptr;
  mutable std::vector<float> distances_;
};

}  // namespace loupe::zoo
