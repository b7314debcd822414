// D/report.html of many pictures. It stays small, because the thumbnails are files that a browser loads as they come
// into sight: some 400 bytes a picture.
#include <algorithm>
#include <cmath>

#include "engine/image/resize.h"
#include "tools/loupe/explain/page_parts.h"
#include "tools/loupe/file_name.h"
#include "tools/loupe/page/html.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

constexpr int64_t kLongest = 160;  // pixels of a thumbnail's longer side

std::string card(const ExplainedImage& image) {
  const Answer& answer = image.answers.at(0);
  const std::string folder = "./" + address(image.name) + "/";
  return "<a href=\"" + folder + kPageFile + "\" title=\"" + escaped(image.path) +
         "\"><img loading=lazy alt=\"\" src=\"" + folder + kThumbnailFile + "\"><span class=small>" +
         escaped(answer.words) + "<br><span class=soft>" +
         (answer.verdict ? percent(answer.verdict->probability) : short_number(answer.score)) + "<br>" +
         escaped(image.name) + "</span></span></a>\n";
}

}  // namespace

std::string contact_sheet(const Explained& all) {
  std::string out = page_begin(
      all, "",
      std::to_string(all.images.size()) + (all.images.size() == 1 ? " picture" : " pictures") +
          " · hold the pointer on one to see its first map, and click to see all that is known of it");
  out += "<nav class=sheet>\n";
  for (const ExplainedImage& image : all.images) out += card(image);
  return out + "</nav>\n" + page_end(all);
}

std::vector<uint8_t> thumbnail(const Image& photo, const Image& map) {
  const double scale =
      static_cast<double>(kLongest) / static_cast<double>(std::max(photo.width, photo.height));
  const auto side = [&](int64_t pixels) {
    return std::max<int64_t>(1, std::llround(static_cast<double>(pixels) * scale));
  };
  const int64_t width = side(photo.width), height = side(photo.height);
  const Image left = resize(photo, width, height), right = resize(map, width, height);
  Image both{2 * width, height, {}};
  for (int64_t y = 0; y < height; ++y)
    for (const Image* half : {&left, &right})
      both.rgb.insert(both.rgb.end(), half->pixel(y, 0), half->pixel(y, 0) + 3 * width);
  return encode_jpeg(both);
}

}  // namespace loupe
