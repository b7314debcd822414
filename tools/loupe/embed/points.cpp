// Points that are given: vectors from a file, with words and labels from others.
#include <filesystem>
#include <unordered_map>

#include "engine/lenses/vectors.h"
#include "engine/tensor/npy.h"
#include "models/io/labels.h"
#include "tools/loupe/arguments.h"
#include "tools/loupe/embed/embed.h"
#include "tools/loupe/text.h"

namespace loupe {

void PointsChoice::add_to(CLI::App& app) {
  const std::string given = "Points that are given", seen = "Points that are pictures";
  value_option(app, "--vectors", vectors, "FILE.npy", "Vectors (N, D), float32 or float64", given);
  value_option(app, "--words", words, "FILE", "What each point is called, one a line", given);
  value_option(app, "--labels", labels, "FILE", "What kind each point is of, one a line; also of pictures",
               given);
  argument(app, "FOLDER", folder, "Pictures, in all its folders; a picture's label is the first of these",
           seen);
  value_option(app, "--zoo", zoo, "N",
               "Also N drawn pictures, which are on no disk; their labels are their classes", seen);
  value_option(app, "--zoo-seed", pictures_seed, "S", "Which drawn pictures (1)", seen);
  value_option(app, "--layer", layer, "NAME",
               "The layer whose values are a picture's vector (what the last one reads)", seen);
  value_option(app, "--places", places, "mean|all",
               "Of a layer with places, or tokens: their mean, or all of them one after another (mean)",
               seen);
  model.add_to(app, seen);
  weights.add_to(app, "File with the weights, or `formula`; the zoo's are built in", seen);
  preprocessing.add_to(app, "How pictures are prepared");
  device.add_to(app, seen);
}

namespace {

std::vector<std::string> lines_of(const std::string& path, const std::string& option, int64_t count) {
  std::vector<std::string> lines = read_labels(path);
  if (std::ssize(lines) != count)
    throw UsageError(option + " '" + path + "' holds " + with_commas(std::ssize(lines)) +
                     (lines.size() == 1 ? " line, but there " : " lines, but there ") +
                     (count == 1 ? "is 1 point" : "are " + with_commas(count) + " points"));
  for (std::string& line : lines) line = valid_utf8(line);
  return lines;
}

}  // namespace

Points read_points(const PointsChoice& c, const Watch& watch) {
  const bool pictures = !c.folder.empty() || !c.zoo.empty();
  if (c.vectors.empty() && !pictures)
    throw UsageError("name what is to be embedded: --vectors FILE.npy, a folder of pictures, or --zoo N");
  if (!c.vectors.empty() && pictures)
    throw UsageError("--vectors are points of their own: name no pictures beside them");
  Points points;
  if (pictures) {
    points = picture_points(c, watch);
  } else {
    points.what = std::filesystem::path(c.vectors).filename().string();
    points.vectors = as_floats(read_npy(c.vectors), "'" + c.vectors + "'");
  }
  if (!c.words.empty()) points.words = lines_of(c.words, "--words", points.count());
  if (!c.labels.empty()) points.labels = lines_of(c.labels, "--labels", points.count());
  return points;
}

Grouping grouped(const std::vector<std::string>& labels) {
  Grouping all;
  std::unordered_map<std::string, int32_t> known;
  for (const std::string& label : labels) {
    const auto [found, fresh] = known.try_emplace(label, static_cast<int32_t>(known.size()));
    if (fresh) all.names.push_back(label);
    all.of.push_back(found->second);
  }
  return all;
}

}  // namespace loupe
