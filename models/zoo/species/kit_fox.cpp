#include "models/zoo/species.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"body"};

void draw(Canvas& canvas, const Random&) {  // to be drawn
  canvas.paint("body", circle({0, 0}, 1), {.colour = rgb(0x808080)});
}

}  // namespace

extern const Species kit_fox;
const Species kit_fox{kParts, draw};

}  // namespace loupe::zoo
