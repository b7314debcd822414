// `loupe embed`: points of many numbers on a map that a person can look at.
#pragma once
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/image/image.h"
#include "engine/lenses/k_means.h"
#include "engine/lenses/map_quality.h"
#include "engine/lenses/tsne.h"
#include "tools/loupe/options.h"
#include "tools/loupe/preprocessing_choice.h"
#include "tools/loupe/progress_bar.h"

namespace loupe {

/// Where points come from.
struct PointsChoice {
  std::string vectors, words, labels;  // files
  std::string folder, zoo, layer, places = "mean", except;
  std::string pictures_seed = "1";
  ModelChoice model;
  WeightsChoice weights;
  PreprocessingChoice preprocessing;
  DeviceChoice device;
  void add_to(CLI::App& app);
};

/// What is embedded. Of each point there is a word, a label and a small picture, or of none.
struct Points {
  std::string what;     // for people: "words.npy", "pictures in the layer flatten of zoo"
  Tensor vectors = {};  // (N, D), float32
  std::vector<std::string> words = {}, labels = {};
  std::vector<Image> pictures = {};                                // squares of one size
  std::vector<std::pair<std::string, std::string>> settings = {};  // of the network
  std::vector<std::pair<std::string, std::string>> skipped = {};   // files, and why they were not read

  int64_t count() const { return vectors.shape()[0]; }
  /// "jaguar", or "17" where there are no words.
  std::string word(int64_t i) const {
    return words.empty() ? std::to_string(i) : words[static_cast<size_t>(i)];
  }
};

/// Called with the part that is done; throws Interrupted after Ctrl-C.
using Watch = std::function<void(const std::string& what, double part)>;

/// Reads or computes them. Throws UsageError and Error, one line.
Points read_points(const PointsChoice& choice, const Watch& watch);
/// Those of pictures, in a layer of a network (pictures.cpp).
Points picture_points(const PointsChoice& choice, const Watch& watch);

/// Names, and which of them each point has.
struct Grouping {
  std::vector<std::string> names = {};
  std::vector<int32_t> of = {};
};
/// Labels in the order in which they first come.
Grouping grouped(const std::vector<std::string>& labels);

struct MapChoice {
  bool by_tsne = true;
  TsneOptions tsne = {};
  Metric metric = Metric::euclidean;
  int64_t neighbours = 10, clusters = 0;
  uint64_t seed = 1;
  int64_t memory = 0;
};

/// A map of points and what is known of it.
struct Embedding {
  Points points;
  MapChoice how;
  Tensor map = {};           // (N, 2), float32
  double divergence = 0;     // of t-SNE
  double explained[2] = {};  // of PCA: shares of the variance along both axes
  Neighbours near = {}, on_map = {};
  double trust = 0, recall = 0;
  Grouping labels = {}, clusters = {};  // without names where there are none
  std::optional<Purity> purity = {}, purity_on_map = {};
  std::vector<std::pair<std::string, double>> seconds = {};
};
/// Throws UsageError where the points are too few for what is asked, before anything is computed.
void check_map(const Points& points, MapChoice& how);
Embedding embed(Points points, const MapChoice& how, const Watch& watch);

/// embed.json.
nlohmann::ordered_json embedding_record(const Embedding& e);
/// What the command prints.
std::string embedding_summary(const Embedding& e);
/// embedding.html, which needs nothing but itself.
std::string embedding_page(const Embedding& e);

/// The neighbours of a word, and what completes an analogy a,b,c: a − b + c.
struct NearTable {
  std::string asked, measure;  // "cosine" or "distance"
  std::vector<std::pair<std::string, double>> rows;
};
/// Throws UsageError, with near names, for a word that is not there.
NearTable near_table(const Points& points, const std::string& word, const MapChoice& how);
NearTable analogy_table(const Points& points, const std::string& three, int64_t count);
std::string near_text(const NearTable& table);

}  // namespace loupe
