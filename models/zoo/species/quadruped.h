// What animals on four legs share.
#pragma once
#include "models/zoo/species.h"

namespace loupe::zoo {

/// How far each leg swings forward, in degrees: the near and the far one.
struct Gait {
  float front[2], hind[2];
};

inline Gait gait(const Random& random) {
  const float stride = random.chance("stands", 0.35f) ? random("standing", 0, 7) : random("stride", 10, 26);
  const float near = random.chance("phase", 0.5f) ? stride : -stride;
  return {{near, -near}, {-0.8f * near, 0.8f * near}};
}

/// From the shoulder down to the paw, `length` below it where it does not swing.
inline Shape front_leg(Vec2 shoulder, float length, float thick, float swing) {
  const Vec2 knee = shoulder + rotate({0.02f, -0.52f * length}, swing);
  const Vec2 ankle = knee + rotate({0, -0.43f * length}, swing > 0 ? 0.3f * swing : 1.2f * swing);
  return limb({{shoulder, 1.35f * thick}, {knee, 0.85f * thick}, {ankle, 0.8f * thick}}) |
         limb({{ankle, 0.85f * thick}, {ankle + Vec2{0.9f * thick, -0.02f}, 0.8f * thick}});
}

/// From the hip over knee and hock to the paw.
inline Shape hind_leg(Vec2 hip, float length, float thick, float swing) {
  const Vec2 knee = hip + rotate({0.13f * length, -0.42f * length}, swing);
  const Vec2 hock = knee + rotate({-0.22f * length, -0.26f * length}, swing);
  const Vec2 paw = hock + rotate({0.08f * length, -0.3f * length}, 0.6f * swing);
  return limb({{hip, 2.0f * thick}, {knee, 1.25f * thick}, {hock, 0.8f * thick}, {paw, 0.8f * thick}}) |
         limb({{paw, 0.85f * thick}, {paw + Vec2{0.9f * thick, -0.02f}, 0.8f * thick}});
}

}  // namespace loupe::zoo
