// Relayout: the same values in the other layout, channels in blocks of 16 or row by row (array.h). A plan
// puts it between ops of the cpu that want different layouts; the other backends have one layout.
#pragma once
#include "kernels/common/op.h"

namespace loupe {

/// x → y of the same type; the layouts are those of the arrays.
OpPtr relayout();

/// An array of this shape has the same bytes in both layouts.
inline bool same_in_both_layouts(const Shape& s) {
  if (s.rank() == 2) return s[1] % kBlock == 0;
  return s.rank() == 4 && s[1] % kBlock == 0 && s[2] * s[3] == 1;
}

}  // namespace loupe
