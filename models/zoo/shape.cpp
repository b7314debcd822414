#include "models/zoo/shape.h"

#include <array>

#include "kernels/common/error.h"

namespace loupe::zoo {
namespace {

constexpr int kMost = Shape::kMostPoints;
using Row = std::array<float, kMost>;

// A point of the Catmull-Rom spline between b and c.
Joint between(const Joint& a, const Joint& b, const Joint& c, const Joint& d, float t) {
  const auto spline = [t](float p, float q, float r, float s) {
    return q + 0.5f * t * (r - p + t * (2 * p - 5 * q + 4 * r - s + t * (3 * (q - r) + s - p)));
  };
  return {{spline(a.at.x, b.at.x, c.at.x, d.at.x), spline(a.at.y, b.at.y, c.at.y, d.at.y)},
          mix(b.radius, c.radius, t)};
}

// Distance from a tapered piece: that from its axis, less the radius at the nearest point.
void limb_piece(const Joint& a, const Joint& b, const float* xs, const float* ys, int count, float* nearest) {
  const Vec2 axis = b.at - a.at;
  const float square = axis.x * axis.x + axis.y * axis.y, over = square > 0 ? 1 / square : 0;
  const float taper = b.radius - a.radius;
  for (int i = 0; i < count; ++i) {
    const float x = xs[i] - a.at.x, y = ys[i] - a.at.y;
    float t = (x * axis.x + y * axis.y) * over;
    t = t < 0 ? 0 : t;
    t = t > 1 ? 1 : t;
    const float dx = x - t * axis.x, dy = y - t * axis.y;
    const float d = std::sqrt(dx * dx + dy * dy) - (a.radius + t * taper);
    nearest[i] = d < nearest[i] ? d : nearest[i];
  }
}

void dot(const Joint& disc, const float* xs, const float* ys, int count, float* nearest) {
  for (int i = 0; i < count; ++i) {
    const float x = xs[i] - disc.at.x, y = ys[i] - disc.at.y;
    const float d = std::sqrt(x * x + y * y) - disc.radius;
    nearest[i] = d < nearest[i] ? d : nearest[i];
  }
}

// f(p) = |p/r| is 1 on the edge; f·(f − 1)/|p/r²| is the distance to first order there. The tiny term makes
// it minus the smaller radius in the middle, where both lengths are zero.
void ellipse_distances(Vec2 centre, Vec2 radii, Vec2 axis, const float* xs, const float* ys, int count,
                       float* result) {
  const float ux = 1 / (radii.x * radii.x), uy = 1 / (radii.y * radii.y), vx = ux * ux, vy = uy * uy;
  constexpr float kTiny = 1e-12f;
  const float tiny = kTiny * std::max(ux, uy);
  for (int i = 0; i < count; ++i) {
    const float dx = xs[i] - centre.x, dy = ys[i] - centre.y;
    const float x = axis.x * dx + axis.y * dy, y = axis.x * dy - axis.y * dx;
    const float f = std::sqrt(x * x * ux + y * y * uy + kTiny);
    result[i] = f * (f - 1) / std::sqrt(x * x * vx + y * y * vy + tiny);
  }
}

// Distance from the nearest edge; inside where a ray to the right crosses an odd number of them.
void polygon_distances(std::span<const Joint> corners, const float* xs, const float* ys, int count,
                       float* result) {
  Row nearest, sign;
  nearest.fill(1e12f);
  sign.fill(1);
  for (size_t e = 0; e < corners.size(); ++e) {
    const Vec2 a = corners[e].at, b = corners[e + 1 < corners.size() ? e + 1 : 0].at, side = b - a;
    const float square = side.x * side.x + side.y * side.y, over = square > 0 ? 1 / square : 0;
    const float slope = side.y != 0 ? side.x / side.y : 0;
    for (int i = 0; i < count; ++i) {
      const float x = xs[i] - a.x, y = ys[i] - a.y;
      float t = (x * side.x + y * side.y) * over;
      t = t < 0 ? 0 : t;
      t = t > 1 ? 1 : t;
      const float dx = x - t * side.x, dy = y - t * side.y, d = dx * dx + dy * dy;
      nearest[static_cast<size_t>(i)] =
          d < nearest[static_cast<size_t>(i)] ? d : nearest[static_cast<size_t>(i)];
      const bool crosses = ((ys[i] >= a.y) != (ys[i] >= b.y)) & (x < slope * y);
      sign[static_cast<size_t>(i)] = crosses ? -sign[static_cast<size_t>(i)] : sign[static_cast<size_t>(i)];
    }
  }
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) result[i] = sign[i] * std::sqrt(nearest[i]);
}

// The polynomial smooth minimum: `width` is how near two distances are where they begin to melt.
void unite(float* a, const float* b, float width, int count) {
  if (width <= 0) {
    for (int i = 0; i < count; ++i) a[i] = b[i] < a[i] ? b[i] : a[i];
    return;
  }
  const float over = 1 / width;
  for (int i = 0; i < count; ++i) {
    float h = width - std::fabs(a[i] - b[i]);
    h = h > 0 ? h : 0;
    a[i] = (b[i] < a[i] ? b[i] : a[i]) - 0.25f * h * h * over;
  }
}

}  // namespace

void Shape::distances(const float* xs, const float* ys, int count, float* result) const {
  constexpr size_t kDepth = 8;
  std::array<Row, kDepth> stack;
  size_t top = 0;  // rows in use
  for (const Node& n : nodes_) {
    if (top == kDepth) throw Error("a shape of the zoo is nested too deeply");
    const std::span<const Joint> points{points_.data() + n.first, n.end - n.first};
    switch (n.kind) {
      case Node::Kind::ellipse:
        ellipse_distances(n.centre, n.radii, n.axis, xs, ys, count, stack[top++].data());
        break;
      case Node::Kind::limb:
        stack[top].fill(1e6f);
        for (size_t j = 0; j + 1 < points.size(); ++j)
          limb_piece(points[j], points[j + 1], xs, ys, count, stack[top].data());
        ++top;
        break;
      case Node::Kind::dots:
        stack[top].fill(1e6f);
        for (const Joint& j : points) dot(j, xs, ys, count, stack[top].data());
        ++top;
        break;
      case Node::Kind::polygon:
        polygon_distances(points, xs, ys, count, stack[top++].data());
        break;
      case Node::Kind::unite:
        --top;
        unite(stack[top - 1].data(), stack[top].data(), n.size, count);
        break;
      case Node::Kind::cut:
        --top;
        for (size_t i = 0; i < static_cast<size_t>(count); ++i)
          stack[top - 1][i] = std::max(stack[top - 1][i], -stack[top][i]);
        break;
      case Node::Kind::keep:
        --top;
        for (size_t i = 0; i < static_cast<size_t>(count); ++i)
          stack[top - 1][i] = std::max(stack[top - 1][i], stack[top][i]);
        break;
      case Node::Kind::grow:
        for (size_t i = 0; i < static_cast<size_t>(count); ++i) stack[top - 1][i] -= n.size;
        break;
    }
  }
  std::copy_n(stack[0].data(), count, result);
}

Box Shape::extent(const Frame& frame) const {
  std::vector<Box> stack;
  const auto pop = [&] {
    const Box b = stack.back();
    stack.pop_back();
    return b;
  };
  for (const Node& n : nodes_) {
    switch (n.kind) {
      case Node::Kind::ellipse: {
        const Vec2 middle = frame.to_picture(n.centre);
        const Vec2 a = frame.to_picture(n.centre + n.radii.x * n.axis) - middle;
        const Vec2 b = frame.to_picture(n.centre + n.radii.y * Vec2{-n.axis.y, n.axis.x}) - middle;
        const Vec2 half{std::sqrt(a.x * a.x + b.x * b.x), std::sqrt(a.y * a.y + b.y * b.y)};
        stack.push_back({middle - half, middle + half});
        break;
      }
      case Node::Kind::limb:
      case Node::Kind::dots:
      case Node::Kind::polygon: {
        Box box;
        for (uint32_t i = n.first; i < n.end; ++i)
          box.add(frame.to_picture(points_[i].at), frame.scale() * points_[i].radius);
        stack.push_back(box);
        break;
      }
      case Node::Kind::unite: {
        const Box b = pop();
        stack.back().add(b);
        stack.back().widen(0.25f * n.size * frame.scale());  // melting bulges by no more
        break;
      }
      case Node::Kind::cut:
        pop();
        break;
      case Node::Kind::keep: {
        const Box b = pop();
        Box& a = stack.back();
        a.low = {std::max(a.low.x, b.low.x), std::max(a.low.y, b.low.y)};
        a.high = {std::min(a.high.x, b.high.x), std::min(a.high.y, b.high.y)};
        break;
      }
      case Node::Kind::grow:
        stack.back().widen(n.size * frame.scale());
        break;
    }
  }
  return stack.empty() ? Box{} : stack.back();
}

Shape ellipse(Vec2 centre, Vec2 radii, float degrees) {
  Shape s;
  s.nodes_ = {
      {.kind = Shape::Node::Kind::ellipse, .centre = centre, .radii = radii, .axis = polar(degrees, 1)}};
  return s;
}

Shape circle(Vec2 centre, float radius) { return ellipse(centre, {radius, radius}); }

Shape limb(std::span<const Joint> joints) {
  Shape s;
  s.points_.assign(joints.begin(), joints.end());
  if (joints.size() == 1) s.points_.push_back(joints[0]);
  s.nodes_ = {{.kind = Shape::Node::Kind::limb, .end = static_cast<uint32_t>(s.points_.size())}};
  return s;
}

Shape limb(std::initializer_list<Joint> joints) { return limb(std::span(joints.begin(), joints.size())); }

Shape dots(std::span<const Joint> discs) {
  Shape s;
  s.points_.assign(discs.begin(), discs.end());
  s.nodes_ = {{.kind = Shape::Node::Kind::dots, .end = static_cast<uint32_t>(s.points_.size())}};
  return s;
}

Shape tube(std::initializer_list<Joint> joints) {
  const std::span<const Joint> given(joints.begin(), joints.size());
  constexpr int kPieces = 4;  // between two joints
  std::vector<Joint> fine{given.front()};
  for (size_t j = 0; j + 1 < given.size(); ++j)
    for (int k = 1; k <= kPieces; ++k)
      fine.push_back(between(given[j > 0 ? j - 1 : 0], given[j], given[j + 1],
                             given[std::min(j + 2, given.size() - 1)], static_cast<float>(k) / kPieces));
  return limb(fine);
}

Shape polygon(std::span<const Vec2> corners, float round) {
  Shape s;
  for (const Vec2 c : corners) s.points_.push_back({c, 0});
  s.nodes_ = {{.kind = Shape::Node::Kind::polygon, .end = static_cast<uint32_t>(s.points_.size())}};
  return round > 0 ? grow(std::move(s), round) : s;
}

Shape polygon(std::initializer_list<Vec2> corners, float round) {
  return polygon(std::span(corners.begin(), corners.size()), round);
}

Shape outline(std::initializer_list<Vec2> points) {
  const std::span<const Vec2> p(points.begin(), points.size());
  const size_t n = p.size();
  constexpr int kPieces = 3;
  std::vector<Vec2> fine;
  for (size_t i = 0; i < n; ++i)
    for (int k = 0; k < kPieces; ++k)
      fine.push_back(between({p[(i + n - 1) % n]}, {p[i]}, {p[(i + 1) % n]}, {p[(i + 2) % n]},
                             static_cast<float>(k) / kPieces)
                         .at);
  return polygon(fine);
}

void Shape::append(const Shape& other, Node combination) {
  const auto shift = static_cast<uint32_t>(points_.size());
  for (Node n : other.nodes_) {
    n.first += shift;
    n.end += shift;
    nodes_.push_back(n);
  }
  points_.insert(points_.end(), other.points_.begin(), other.points_.end());
  nodes_.push_back(combination);
}

Shape operator|(Shape a, const Shape& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  a.append(b, {.kind = Shape::Node::Kind::unite});
  return a;
}

Shape operator-(Shape a, const Shape& b) {
  if (a.empty() || b.empty()) return a;
  a.append(b, {.kind = Shape::Node::Kind::cut});
  return a;
}

Shape operator&(Shape a, const Shape& b) {
  if (a.empty() || b.empty()) return {};
  a.append(b, {.kind = Shape::Node::Kind::keep});
  return a;
}

Shape blend(float width, std::initializer_list<Shape> shapes) {
  Shape all;
  for (const Shape& s : shapes) {
    if (s.empty()) continue;
    if (all.empty()) {
      all.nodes_ = s.nodes_;
      all.points_ = s.points_;
    } else {
      all.append(s, {.kind = Shape::Node::Kind::unite, .size = width});
    }
  }
  return all;
}

Shape grow(Shape shape, float by) {
  shape.nodes_.push_back({.kind = Shape::Node::Kind::grow, .size = by});
  return shape;
}

Shape place(Shape shape, Vec2 at, float degrees, float scale) {
  const auto moved = [&](Vec2 p) { return at + scale * rotate(p, degrees); };
  for (Joint& j : shape.points_) j = {moved(j.at), scale * j.radius};
  for (Shape::Node& n : shape.nodes_) {
    n.centre = moved(n.centre);
    n.radii = scale * n.radii;
    n.axis = rotate(n.axis, degrees);
    n.size *= scale;
  }
  return shape;
}

}  // namespace loupe::zoo
