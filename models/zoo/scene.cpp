#include "models/zoo/scene.h"

#include "models/zoo/zoo.h"

namespace loupe::zoo {
namespace {

Region region(const Mask& mask) {
  Region r{kSize, kSize};
  for (const uint8_t cover : mask) r.inside.push_back(cover >= 128);
  return r;
}

}  // namespace

Scene scene(uint64_t seed, int64_t index, int objects, const Preprocessing& how) {
  const Drawing drawing = draw(seed, index, {.objects = objects});
  Scene scene{.input = preprocess(drawing.image, how)};
  for (const Object& o : drawing.objects) {
    SceneObject object{.cls = o.cls, .region = region(o.mask)};
    for (const Part& p : o.parts)
      if (Region part = region(p.mask); part.count() > 0)
        object.parts.push_back({std::string(p.name), std::move(part)});
    scene.objects.push_back(std::move(object));
  }
  return scene;
}

}  // namespace loupe::zoo
