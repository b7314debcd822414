// Shapes: what is painted. A shape knows the signed distance of every point from its edge (negative inside),
// so that edges are smooth at any size and shapes melt into each other.
//
//   const Shape neck = tube({{{0.4f, 0}, 0.2f}, {{0.7f, 0.3f}, 0.1f}});
//   const Shape body = blend(0.1f, {ellipse({0, 0}, {0.5f, 0.3f}), neck});
//   const Shape bitten = body - circle({0.5f, 0}, 0.2f);
//
// Distances are exact for discs, polygons and limbs of one width, and close to it elsewhere; what matters is
// that they are right near the edge.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "models/zoo/geometry.h"

namespace loupe::zoo {

/// A point of a limb and how thick it is there.
struct Joint {
  Vec2 at;
  float radius = 0;
};

class Shape {
 public:
  bool empty() const { return nodes_.empty(); }
  /// The rectangle in the picture that holds all of it.
  Box extent(const Frame& frame) const;

  /// The distances of `count` ≤ kMostPoints points (xs[i], ys[i]).
  static constexpr int kMostPoints = 80;
  void distances(const float* xs, const float* ys, int count, float* result) const;

  friend Shape ellipse(Vec2 centre, Vec2 radii, float degrees);
  friend Shape limb(std::span<const Joint> joints);
  friend Shape dots(std::span<const Joint> discs);
  friend Shape polygon(std::span<const Vec2> corners, float round);
  friend Shape operator|(Shape a, const Shape& b);
  friend Shape operator-(Shape a, const Shape& b);
  friend Shape operator&(Shape a, const Shape& b);
  friend Shape blend(float width, std::initializer_list<Shape> shapes);
  friend Shape grow(Shape shape, float by);
  friend Shape place(Shape shape, Vec2 at, float degrees, float scale);

 private:
  // In reverse Polish order: the first four put distances on a stack, the others combine its upper two.
  struct Node {
    enum class Kind : uint8_t { ellipse, limb, dots, polygon, unite, cut, keep, grow } kind;
    float size = 0;                           // blending width; growth; how far a polygon is rounded
    uint32_t first = 0, end = 0;              // into points_
    Vec2 centre = {}, radii = {}, axis = {};  // of an ellipse
  };
  void append(const Shape& other, Node combination);

  std::vector<Node> nodes_;
  std::vector<Joint> points_;
};

/// `degrees`: how far its first axis is turned from the x axis.
Shape ellipse(Vec2 centre, Vec2 radii, float degrees = 0);
Shape circle(Vec2 centre, float radius);
/// Straight pieces from joint to joint, round at the ends.
Shape limb(std::span<const Joint> joints);
Shape limb(std::initializer_list<Joint> joints);
/// Many discs.
Shape dots(std::span<const Joint> discs);
/// A smooth curve through the joints.
Shape tube(std::initializer_list<Joint> joints);
/// Corners in either order; `round` grows it, with round corners.
Shape polygon(std::span<const Vec2> corners, float round = 0);
Shape polygon(std::initializer_list<Vec2> corners, float round = 0);
/// What a smooth closed curve through the points encloses.
Shape outline(std::initializer_list<Vec2> points);

/// Both; the first without the second; only where both are.
Shape operator|(Shape a, const Shape& b);
Shape operator-(Shape a, const Shape& b);
Shape operator&(Shape a, const Shape& b);
/// All of them, melted together where they are nearer to each other than `width`.
Shape blend(float width, std::initializer_list<Shape> shapes);
/// Larger by that much all around; thinner where it is negative.
Shape grow(Shape shape, float by);
/// Scaled, then turned about the origin, then moved to `at`.
Shape place(Shape shape, Vec2 at, float degrees = 0, float scale = 1);

}  // namespace loupe::zoo
