// The parts of the page of `loupe tour`, in the order in which they stand on it; each is one <section>, or
// nothing where the run has nothing for it.
#pragma once
#include <cstdio>
#include <string>

#include "tools/loupe/page/html.h"
#include "tools/loupe/text.h"
#include "tools/loupe/tour/tour.h"

namespace loupe::tour {

std::string slowly(const Tour&);    // pictures.cpp: the first picture, large
std::string more(const Tour&);      // the others
std::string this_one(const Tour&);  // pictures with two things
std::string units(const Tour&);     // units.cpp
std::string tokens(const Tour&);    // tokens.cpp
std::string scores(const Tour&);    // scores.cpp
std::string training(const Tour&);  // training.cpp

// drawing.cpp: what is true about a drawing.
/// A PNG of the things in colour, each part of a lone one in its own; all else grey and pale.
std::vector<uint8_t> truth(const zoo::Drawing&);
/// Which part has which colour.
std::string key(const zoo::Object&);
/// The edges between pixels that are the thing's and pixels that are not, as an SVG path.
std::string outline(const zoo::Mask&);

// pictures.cpp: pictures are named by their group and place ("a0"), for the style sheet and <use>.
std::string name_of(const char* group, size_t i);
/// Outlines for <use>, and the drawing for under the maps.
std::string definitions(const TourPicture&, const std::string& id);
/// Is the likeliest class the thing that is drawn?
bool right(const TourPicture&);

// Words and pictures.
template <typename... Args>
std::string format(const char* pattern, Args... args) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, args...);
  return text;
}
inline std::string several(int64_t n, const std::string& one, const std::string& many) {
  return with_commas(n) + " " + (n == 1 ? one : many);
}
/// "a goose", "an ant"
inline std::string a_or_an(const std::string& name) {
  return (std::string("aeiou").find(name[0]) == std::string::npos ? "a " : "an ") + escaped(name);
}
inline std::string image(std::span<const uint8_t> png, const std::string& alternative) {
  return "<img width=64 height=64 alt=\"" + alternative + "\" src=\"" + data_url(png) + "\">";
}

}  // namespace loupe::tour
