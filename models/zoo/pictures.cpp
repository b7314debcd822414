#include "models/zoo/pictures.h"

#include <algorithm>

#include "kernels/common/parallel.h"

namespace loupe::zoo {

namespace {
// One image of a batch, normalised: what preprocess() makes of a picture that already has the right size.
void normalise(const Image& image, const Preprocessing& how, float* to) {
  const int64_t pixels = image.width * image.height;
  for (size_t c = 0; c < 3; ++c)
    for (int64_t i = 0; i < pixels; ++i) {
      const float share = static_cast<float>(image.rgb[static_cast<size_t>(3 * i) + c]) / 255.0f;
      *to++ = (share - how.mean[c]) / how.std[c];
    }
}

Tensor pictures(int64_t count) { return Tensor(Dtype::f32, {count, 3, kSize, kSize}); }

void draw_into(const Tensor& rows, int64_t row, uint64_t set, int64_t index, const Options& options,
               const Preprocessing& how) {
  const Drawing drawing = draw(set, index, options);
  normalise(drawing.image, how, rows.row(row).values<float>().data());
}
}  // namespace

uint64_t training_set(uint64_t seed) {
  uint64_t z = (seed ^ 0x6c6f7570657a6f6fu) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  return (z ^ (z >> 27)) | uint64_t{1} << 62;
}

Batch batch(uint64_t set, int64_t first, int64_t count, const Preprocessing& how) {
  Batch b{pictures(count), {}};
  for (int64_t i = 0; i < count; ++i) {
    draw_into(b.input, i, set, first + i, {.masks = false}, how);
    b.classes.push_back(class_of(first + i));
  }
  return b;
}

int64_t Verdicts::right() const {
  int64_t n = 0;
  for (size_t c = 0; c < called.size(); ++c) n += called[c][c];
  return n;
}

Verdicts test(ImageModel& model, uint64_t set, int64_t count, const Options& options,
              const Progress& progress) {
  const size_t classes = labels().size();
  Network& network = model.network;
  const Shape input{1, 3, kSize, kSize};
  if (network.classes() != std::ssize(labels()))
    throw UsageError(network.name() + " tells " + std::to_string(network.classes()) +
                     " classes apart; the zoo has " + std::to_string(classes));
  try {
    network.graph().shapes(input);
  } catch (const UsageError& e) {
    throw UsageError(network.name() + " does not take the zoo's pictures of 64×64 pixels: " + e.what());
  }
  if (count < 1) throw UsageError("a test takes at least one picture, not " + std::to_string(count));
  Options quick = options;
  quick.masks = false;
  Verdicts v{count, std::vector(classes, std::vector<int64_t>(classes)), {}};
  in_batches(network, input, count, {.values = {network.graph().output()}}, progress,
             [&](int64_t begin, int64_t end) {
               const Tensor x = pictures(end - begin);
               parallel_for(end - begin,
                            [&](int64_t i) { draw_into(x, i, set, begin + i, quick, model.preprocessing); });
               const std::vector<int64_t> best = Target(top1).classes(network.logits(x));
               for (int64_t i = 0; i < end - begin; ++i) {
                 const int64_t said = best[static_cast<size_t>(i)];
                 ++v.called[static_cast<size_t>(class_of(begin + i))][static_cast<size_t>(said)];
                 v.said.push_back(said);
               }
             });
  return v;
}

}  // namespace loupe::zoo
