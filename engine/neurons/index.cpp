#include "engine/neurons/index.h"

#include <algorithm>
#include <set>

#include "kernels/common/error.h"

namespace loupe {

bool ranks_before(const Hit& a, const Hit& b) {
  if (a.score != b.score) return a.score > b.score;
  if (a.image != b.image) return a.image < b.image;
  return std::pair(a.y, a.x) < std::pair(b.y, b.x);
}

bool comes_in(const std::vector<Hit>& hits, double score, const std::string& image, int64_t top) {
  if (std::ssize(hits) < top) return true;
  const Hit& last = hits.back();
  return score > last.score || (score == last.score && image < last.image);
}

void insert(std::vector<Hit>& hits, Hit hit, int64_t top) {
  if (!comes_in(hits, hit.score, hit.image, top)) return;
  hits.insert(std::ranges::upper_bound(hits, hit, ranks_before), std::move(hit));
  if (std::ssize(hits) > top) hits.pop_back();
}

namespace {

void expect_same_search(const HitIndex& x, const HitIndex& y, const std::string& a, const std::string& b) {
  const auto fail = [&](const std::string& why) {
    throw UsageError("'" + a + "' and '" + b + "' do not go together: " + why);
  };
  for (const auto& [index, name] : {std::pair(&x, &a), std::pair(&y, &b)})
    if (!index->finished())
      throw UsageError("'" + *name + "' is not finished: " + std::to_string(index->next) + " of " +
                       std::to_string(index->total) + " pictures were looked at; run its search again");
  if (x.settings.size() != y.settings.size()) fail("they are of different kinds");
  for (size_t i = 0; i < x.settings.size(); ++i)
    if (x.settings[i] != y.settings[i])
      fail("their " + x.settings[i].first + " differs, " + x.settings[i].second + " and " +
           y.settings[i].second);
  if (x.top != y.top)
    fail("one keeps " + std::to_string(x.top) + " pictures, the other " + std::to_string(y.top));
  const auto same = [](const LayerHits& l, const LayerHits& m) {
    return l.layer == m.layer && l.channels.size() == m.channels.size();
  };
  if (!std::ranges::equal(x.layers, y.layers, same)) fail("they are about different layers");
  for (const HitIndex::Part& p : x.parts)
    for (const HitIndex::Part& q : y.parts)
      if (p.source == q.source && (p.shards != q.shards || p.shard == q.shard))
        fail("both hold the same pictures");
}

// Shards of one list of pictures that are all there are the list.
void join_shards(std::vector<HitIndex::Part>& parts) {
  std::ranges::sort(parts);
  std::set<uint64_t> sources;
  for (const HitIndex::Part& p : parts) sources.insert(p.source);
  for (const uint64_t source : sources) {
    const auto of_source = [&](const HitIndex::Part& p) { return p.source == source; };
    const int64_t shards = std::ranges::find_if(parts, of_source)->shards;
    if (std::ranges::any_of(parts, [&](const auto& p) { return of_source(p) && p.shards != shards; }) ||
        std::ranges::count_if(parts, of_source) != shards)
      continue;
    std::erase_if(parts, of_source);
    parts.push_back({source, 1, 1});
  }
  std::ranges::sort(parts);
}

}  // namespace

HitIndex merge(const HitIndex& x, const HitIndex& y, const std::string& a, const std::string& b) {
  expect_same_search(x, y, a, b);
  HitIndex both = x;
  both.next = both.total = x.total + y.total;
  both.pictures += y.pictures;
  both.parts.insert(both.parts.end(), y.parts.begin(), y.parts.end());
  join_shards(both.parts);
  both.skipped.insert(both.skipped.end(), y.skipped.begin(), y.skipped.end());
  std::ranges::sort(both.skipped);
  for (size_t l = 0; l < both.layers.size(); ++l)
    for (size_t c = 0; c < both.layers[l].channels.size(); ++c) {
      std::vector<Hit>& hits = both.layers[l].channels[c];
      for (const Hit& hit : y.layers[l].channels[c]) {
        if (std::ranges::any_of(hits, [&](const Hit& h) { return h.image == hit.image; }))
          throw UsageError("'" + hit.image + "' is in '" + a + "' and in '" + b +
                           "': pictures of two folders need different names");
        insert(hits, hit, both.top);
      }
    }
  return both;
}

}  // namespace loupe
