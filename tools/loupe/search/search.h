// What `loupe search` and `loupe features` share: the options of a search, and the search, which checkpoints.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/neurons/index.h"
#include "engine/run/image_model.h"
#include "tools/loupe/options.h"
#include "tools/loupe/preprocessing_choice.h"
#include "tools/loupe/progress_bar.h"
#include "tools/loupe/search/pictures.h"

namespace loupe {

struct SearchChoice {
  std::string folder;  // positional, added by the command
  ModelChoice model;
  WeightsChoice weights;
  PreprocessingChoice preprocessing;
  DeviceChoice device;
  std::string layers = "all", top = "9", zoo, seed = "1", shard, checkpoint = "5", threads, memory, out;
  std::string seed_help = "Which drawn pictures (1)";
  void add_to(CLI::App& app);
};

/// A network, pictures, and how far the search of them has come.
struct Search {
  ImageModel network;
  PictureList pictures;
  Orientation orientation;
  std::vector<NodeId> layers;
  HitIndex index;  // what out/index.bin holds of the same search, or an empty one
  std::filesystem::path out;
  double checkpoint;  // seconds

  /// A picture of the list as the network sees it, (1, C, H, W).
  Tensor read(const std::string& name) const {
    return pictures.read(name, network.preprocessing, orientation);
  }
};

/// Checks everything, and makes the folder. Throws UsageError and Error, one line.
Search prepare_search(const SearchChoice& choice);
/// Goes on to the end. index.bin is replaced by a newer one every few seconds, so that a run that is killed at any
/// moment loses no more than those; Ctrl-C writes it and throws Interrupted. Throws Error where nothing can be read, or
/// the disk is full: index.bin then is the last one.
void run_search(Search& search, ProgressBar& bar);

/// A picture, or why it could not be read.
struct ReadPicture {
  std::string name = {};
  Tensor x = {};  // (1, C, H, W)
  std::string why = {};
};
inline constexpr int64_t kStretch = 16;  // pictures in memory at once
/// Pictures [begin, end) of the search's part of its list, read side by side.
std::vector<ReadPicture> read_stretch(Search& search, int64_t begin, int64_t end);
/// Those that could be read, neighbours of one size together: (N, C, H, W) and their names.
void in_stacks(const std::vector<ReadPicture>& stretch,
               const std::function<void(const Tensor&, std::span<const std::string>)>& take);

/// "zoo: 3 layers, 96 channels": for people.
std::string words_of(const HitIndex& index);
/// index.json.
std::string index_json(const HitIndex& index);
/// Writes index.bin and index.json.
void write_index(const std::filesystem::path& folder, const HitIndex& index);
/// The strip of a filter within the folder of its layer: "0042.png".
std::string strip_name(size_t channel);
/// Makes a folder and those above it. Throws Error naming it.
void make_folder(const std::filesystem::path& folder);

/// The first `count` crops of every channel beside each other: folder/<layer>/<channel>.png. Pictures are read again, a
/// few times at most.
void write_strips(const Search& search, const std::filesystem::path& folder, int64_t count, ProgressBar& bar);

}  // namespace loupe
