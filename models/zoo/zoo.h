// The zoo: pictures that Loupe draws, so that what is true about them is known. Every picture is a function
// of a seed and an index; there are no files. What it shows (fourteen classes), where it is (a mask), and
// where its parts are (beak, spots, claws …) comes with it.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/image/image.h"

namespace loupe::zoo {

/// Pictures are kSize pixels square.
inline constexpr int64_t kSize = 64;

/// The classes in the order of their indices: "husky", "dalmatian", "kit fox" …
const std::vector<std::string>& labels();
/// The names of the parts that a class may show ("beak", "legs"); they are the same for every picture of it.
std::span<const std::string_view> part_names(int64_t cls);

enum class Background : uint8_t { grass, water, sand, snow, room, noise };
inline constexpr Background kBackgrounds[] = {Background::grass, Background::water, Background::sand,
                                              Background::snow,  Background::room,  Background::noise};
std::string_view background_name(Background);

/// How much of each pixel something covers, 0 to 255, (kSize, kSize) row-major. Only what can be seen counts:
/// occluders in front are taken off.
using Mask = std::vector<uint8_t>;

struct Part {
  std::string_view name;
  Mask mask;
};

/// One thing of a class in a picture.
struct Object {
  int64_t cls = 0;
  Mask mask;
  std::vector<Part> parts;  // those that can be seen
};

struct Drawing {
  Image image;
  Background background = Background::grass;
  std::vector<Object> objects;  // the one that the index asks for first
};

struct Options {
  /// 1, or 2: a second thing, of another class, beside the first.
  int objects = 1;
  /// Without masks, objects have none and no parts: for training.
  bool masks = true;
  /// The same object, pose and light before a background of another kind, drawn from this seed.
  std::optional<uint64_t> swap_background = {};
};

/// The class of picture `index`: classes take turns, so that any stretch of indices is balanced.
int64_t class_of(int64_t index);

/// Picture `index` of the set `seed`. The same bytes on every machine and with any number of threads: it
/// takes sums, products, quotients and square roots only, which IEEE 754 rounds in one way, and
/// CMakeLists.txt sees to it that no two of them are fused. Throws UsageError for a negative index or a
/// number of objects that is not 1 or 2.
Drawing draw(uint64_t seed, int64_t index, const Options& options = {});

}  // namespace loupe::zoo
