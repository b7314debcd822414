// The search itself, in stretches of pictures that are read side by side.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/file/file.h"
#include "engine/neurons/search.h"
#include "kernels/common/parallel.h"
#include "tools/loupe/command.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/search/search.h"
#include "tools/loupe/text.h"

namespace loupe {

namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

}  // namespace

std::vector<ReadPicture> read_stretch(Search& s, int64_t begin, int64_t end) {
  const HitIndex::Part& part = s.index.parts[0];
  std::vector<ReadPicture> stretch(static_cast<size_t>(end - begin));
  for (int64_t i = begin; i < end; ++i)
    stretch[static_cast<size_t>(i - begin)].name = s.pictures.name(part.shard - 1 + i * part.shards);
  parallel_for(end - begin, [&](int64_t i) {
    ReadPicture& r = stretch[static_cast<size_t>(i)];
    try {
      r.x = s.read(r.name);
      s.network.graph().shapes(r.x.shape());  // throws where a layer does not fit
    } catch (const std::exception& e) {
      r.why = one_line(e.what());
    }
  });
  return stretch;
}

void in_stacks(const std::vector<ReadPicture>& stretch,
               const std::function<void(const Tensor&, std::span<const std::string>)>& take) {
  std::vector<Tensor> pictures;
  std::vector<std::string> names;
  const auto flush = [&] {
    if (!names.empty()) take(stack_rows(pictures), names);
    pictures.clear();
    names.clear();
  };
  for (const ReadPicture& r : stretch) {
    if (!r.why.empty()) continue;
    if (!pictures.empty() && pictures[0].shape() != r.x.shape()) flush();
    pictures.push_back(r.x);
    names.push_back(r.name);
  }
  flush();
}

void run_search(Search& s, ProgressBar& bar) {
  using Clock = std::chrono::steady_clock;
  HitIndex& index = s.index;
  UnitSearch search(s.network, s.layers, index.top, std::move(index.layers));
  const auto save = [&] {
    index.layers = search.found();
    write_file(s.out / "index.bin", encode_index(index));
  };
  const OnInterrupt watch;
  auto saved = Clock::now();
  bar.begin("searching");
  while (!index.finished()) {
    const int64_t end = std::min(index.total, index.next + kStretch);
    const std::vector<ReadPicture> stretch = read_stretch(s, index.next, end);
    in_stacks(stretch, [&](const Tensor& x, std::span<const std::string> names) { search.add(x, names); });
    for (const ReadPicture& r : stretch)
      r.why.empty() ? void(++index.pictures) : index.skipped.push_back({r.name, r.why});
    index.next = end;
    bar.update(static_cast<double>(end) / static_cast<double>(index.total));
    if (OnInterrupt::came()) {
      save();
      bar.clear();
      throw Interrupted("stopped after " + with_commas(end) + " of " + with_commas(index.total) +
                        " pictures; the same command goes on from there");
    }
    if (!index.finished() && std::chrono::duration<double>(Clock::now() - saved).count() >= s.checkpoint) {
      save();
      saved = Clock::now();
    }
  }
  bar.clear();
  index.layers = search.found();
  if (index.pictures == 0 && !index.skipped.empty())
    throw Error("nothing could be read: of " + with_commas(std::ssize(index.skipped)) +
                " files the first is '" + index.skipped[0].image + "': " + index.skipped[0].why);
  std::ranges::sort(index.skipped);
}

std::string words_of(const HitIndex& index) {
  int64_t channels = 0;
  for (const LayerHits& l : index.layers) channels += std::ssize(l.channels);
  return with_commas(index.pictures) + (index.pictures == 1 ? " picture, " : " pictures, ") +
         with_commas(channels) + " channels of " + with_commas(std::ssize(index.layers)) +
         (index.layers.size() == 1 ? " layer" : " layers") +
         (index.skipped.empty() ? "" : "; " + with_commas(std::ssize(index.skipped)) + " could not be read");
}

std::string index_json(const HitIndex& index) {
  json all = json::object();
  for (const auto& [name, value] : index.settings) all[name] = value;
  all["top"] = index.top;
  all["pictures"] = index.pictures;
  all["parts"] = json::array();
  for (const HitIndex::Part& p : index.parts)
    all["parts"].push_back({{"shard", p.shard}, {"shards", p.shards}});
  all["skipped"] = json::array();
  for (const HitIndex::Skipped& k : index.skipped)
    all["skipped"].push_back({{"image", valid_utf8(k.image)}, {"why", valid_utf8(k.why)}});
  json& layers = all["layers"] = json::object();
  for (const LayerHits& l : index.layers) {
    json channels = json::array();
    for (const std::vector<Hit>& hits : l.channels) {
      json list = json::array();
      for (const Hit& h : hits)
        list.push_back(
            {{"image", valid_utf8(h.image)}, {"score", h.score}, {"y", h.y}, {"x", h.x}, {"crop", h.crop}});
      channels.push_back(std::move(list));
    }
    layers[l.layer] = std::move(channels);
  }
  return all.dump() + "\n";
}

void write_index(const fs::path& folder, const HitIndex& index) {
  make_folder(folder);
  write_file(folder / "index.bin", encode_index(index));
  write_text(folder / "index.json", index_json(index));
}

}  // namespace loupe
