#include "models/text/check.h"

#include <cmath>

#include "kernels/common/error.h"

namespace loupe {

void check_text_config(const TextConfig& c, const std::string& who) {
  struct Size {
    const char* name;
    int64_t value, least, most;
  };
  constexpr int64_t kMost = INT32_MAX;
  for (const auto& [name, value, least, most] :
       {Size{"layers", c.layers, 0, 1000}, Size{"the width", c.width, 1, 1 << 20},
        Size{"heads", c.heads, 1, 1 << 14}, Size{"heads of keys", c.kv_heads, 1, c.heads},
        Size{"the width of a head", c.head_width, 1, 1 << 16},
        Size{"the width of its MLPs", c.hidden, 0, 1 << 24}, Size{"the vocabulary", c.vocabulary, 1, kMost},
        Size{"positions", c.positions, 1, kMost}, Size{"types of tokens", c.types, 0, kMost},
        Size{"the turned width of a head", c.rotary_width, 0, c.head_width}})
    if (value < least || value > most) throw Error(who + ": " + name + " cannot be " + std::to_string(value));
  if (c.heads % c.kv_heads)
    throw Error(who + ": " + std::to_string(c.heads) + " heads cannot share " + std::to_string(c.kv_heads) +
                " of keys");
  if (!(c.eps >= 0) || !std::isfinite(c.eps) || !(c.rotary_base > 0) || !std::isfinite(c.rotary_base))
    throw Error(who + ": the eps of its norms or the base of its positions is no sensible number");
}

}  // namespace loupe
