// Search: equal to brute force whatever the batches, and `loupe search` as its user sees it: killed, sharded, merged,
// and fed with what is no picture.
// ctest: LABELS big
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "engine/file/file_names.h"
#include "engine/neurons/search.h"
#include "kernels/common/parallel.h"
#include "models/zoo/zoo.h"
#include "tests/support/command.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

using nlohmann::json;

constexpr int64_t kTop = 4;

// Pictures among which some are equal, so that there are ties.
Tensor some_pictures(int64_t count) {
  std::mt19937_64 random(3);
  const Shape shape{count, 3, 14, 11};
  Tensor x(Dtype::f32, shape);
  for (float& v : x.values<float>()) v = static_cast<float>(random() % 2001) / 1000.0f - 1;
  for (const int64_t same : {5, 8})
    if (same < count)
      std::copy_n(x.row(2).values<float>().data(), x.row(2).numel(), x.row(same).values<float>().data());
  return x;
}

std::vector<std::string> names_of(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back("picture " + std::to_string(1000 + i));
  return names;
}

// Every list by a full sort of every cell's value.
std::vector<LayerHits> by_brute_force(Network& net, std::span<const NodeId> layers, const Tensor& x,
                                      std::span<const std::string> names) {
  std::vector<LayerHits> all;
  for (const NodeId n : layers) {
    Execution& pass = net.execution(x.shape(), Purpose{.values = {n}});
    pass.forward(x);
    const Tensor v = pass.value(n).to(Dtype::f64);
    const Shape& s = v.shape();
    LayerHits& l = all.emplace_back(LayerHits{net.graph().node(n).name});
    for (int64_t c = 0; c < s[1]; ++c) {
      std::vector<Hit> hits;
      for (int64_t i = 0; i < s[0]; ++i) {
        const auto map = v.row(i).row(c).values<const double>();
        const auto at = std::ranges::max_element(map) - map.begin();
        hits.push_back({map[static_cast<size_t>(at)], names[static_cast<size_t>(i)],
                        static_cast<int32_t>(at / s[3]), static_cast<int32_t>(at % s[3])});
      }
      std::ranges::stable_sort(hits, [](const Hit& a, const Hit& b) { return a.score > b.score; });
      hits.resize(static_cast<size_t>(std::min<int64_t>(kTop, s[0])));
      l.channels.push_back(std::move(hits));
    }
  }
  return all;
}

std::vector<LayerHits> without_crops(std::vector<LayerHits> all) {
  for (LayerHits& l : all)
    for (auto& hits : l.channels)
      for (Hit& h : hits) h.crop = {};
  return all;
}

std::vector<LayerHits> searched(Network& net, const std::vector<NodeId>& layers, const Tensor& x,
                                std::span<const std::string> names, int64_t batch) {
  UnitSearch search(net, layers, kTop);
  for (int64_t i = 0; i < std::ssize(names); i += batch) {
    const int64_t end = std::min<int64_t>(std::ssize(names), i + batch);
    search.add(x.slice(i, end), names.subspan(static_cast<size_t>(i), static_cast<size_t>(end - i)));
  }
  return search.found();
}

HitIndex index_of(std::vector<LayerHits> layers, int64_t pictures, HitIndex::Part part) {
  return {.settings = {{"model", "small"}},
          .top = kTop,
          .parts = {part},
          .next = pictures,
          .total = pictures,
          .pictures = pictures,
          .layers = std::move(layers)};
}

}  // namespace

TEST_CASE("the lists are those of brute force, whatever the device, the batch and the threads") {
  const int64_t count = 11;
  const Tensor x = some_pictures(count);
  const std::vector<std::string> names = names_of(count);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    std::vector<NodeId> layers = filter_layers(net.graph());
    REQUIRE(layers.size() >= 2);
    const std::vector<LayerHits> expected = by_brute_force(net, layers, x, names);
    const std::vector<LayerHits> whole = searched(net, layers, x, names, count);
    CHECK(without_crops(whole) == expected);
    for (const int64_t batch : {1, 4}) CHECK(searched(net, layers, x, names, batch) == whole);
    if (device == Device::sim()) continue;
    const int threads = max_threads();
    for (const int t : {1, 3}) {
      set_threads(t);
      Network other =
          with_formula_weights(SmallNetwork{}.graph(), device);  // a plan is made for so many threads
      CHECK(searched(other, layers, x, names, 3) == whole);
    }
    set_threads(threads);
    // Neither does the order of the pictures matter: equal scores go by the name.
    UnitSearch backwards(net, layers, kTop);
    for (int64_t i = count - 1; i >= 0; --i)
      backwards.add(x.slice(i, i + 1), std::span(names).subspan(static_cast<size_t>(i), 1));
    CHECK(backwards.found() == whole);
  }
}

TEST_CASE("NaN ranks nowhere") {
  Network net = with_formula_weights(SmallNetwork{.relus = false}.graph(), Device::cpu());
  const std::vector<NodeId> layers{filter_layers(net.graph())[0]};
  const Tensor x = some_pictures(3);
  std::ranges::fill(x.row(1).values<float>(), std::nanf(""));
  const std::vector<std::string> names = names_of(3);
  const std::vector<LayerHits> found = searched(net, layers, x, names, 3);
  for (const auto& hits : found[0].channels) {
    CHECK(hits.size() == 2);
    CHECK(
        std::ranges::none_of(hits, [&](const Hit& h) { return h.image == names[1] || std::isnan(h.score); }));
  }
}

TEST_CASE("a crop holds every pixel that the place depends on, and no more than its border, at every size") {
  Network net = with_formula_weights(SmallNetwork{.relus = false}.graph(), Device::ref());
  const std::vector<ReceptiveField> fields = receptive_fields(net.graph());
  const std::vector<NodeId> layers = filter_layers(net.graph());
  const NodeId input = net.graph().inputs()[0];
  for (const Shape& size : {Shape{1, 3, 14, 11}, Shape{1, 3, 7, 16}, Shape{1, 3, 23, 6}}) {
    Tensor x(Dtype::f32, size);
    std::mt19937_64 random(9);
    for (float& v : x.values<float>()) v = static_cast<float>(random() % 2001) / 1000.0f - 1;
    for (const NodeId n : layers) {
      const Shape shape = net.graph().shapes(size)[static_cast<size_t>(n)];
      for (int64_t p = 0; p < shape[2] * shape[3]; ++p) {
        const int64_t y = p / shape[3], cell_x = p % shape[3];
        Execution& pass = net.execution(size, Purpose{.from = n, .gradients = {input}});
        pass.forward(x);
        pass.backward(seed_position(shape, 0, y, cell_x));
        const Tensor g = pass.gradient(input);
        std::array<int32_t, 4> reached{99, 99, 0, 0};
        for (int64_t i = 0; i < g.numel(); ++i) {
          if (g.item(i) == 0) continue;
          const auto row = static_cast<int32_t>(i / size[3] % size[2]),
                     column = static_cast<int32_t>(i % size[3]);
          reached = {std::min(reached[0], row), std::min(reached[1], column), std::max(reached[2], row + 1),
                     std::max(reached[3], column + 1)};
        }
        const auto crop = seen_by_cell(fields[static_cast<size_t>(n)], y, cell_x, size[2], size[3]);
        CAPTURE(net.graph().node(n).name);
        CAPTURE(size.str());
        CAPTURE(p);
        for (size_t i = 0; i < 2; ++i) {
          CHECK(crop[i] <= reached[i]);
          CHECK(crop[i + 2] >= reached[i + 2]);
          CHECK(crop[i] >= 0);
          CHECK(crop[i + 2] <= size[2 + static_cast<int>(i)]);
        }
        if (n == layers[0]) CHECK(crop == reached);  // nothing but a convolution: exactly
      }
    }
  }
}

TEST_CASE("indexes merge to one run's, in any order; files hold them, and nothing else is taken for one") {
  const int64_t count = 11;
  const Tensor x = some_pictures(count);
  const std::vector<std::string> names = names_of(count);
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const std::vector<NodeId> layers = filter_layers(net.graph());
  const HitIndex whole = index_of(searched(net, layers, x, names, 4), count, {7, 1, 1});
  std::vector<HitIndex> shards;
  for (const int64_t shard : {1, 2, 3}) {
    UnitSearch search(net, layers, kTop);
    int64_t pictures = 0;
    for (int64_t i = shard - 1; i < count; i += 3, ++pictures)
      search.add(x.slice(i, i + 1), std::span(names).subspan(static_cast<size_t>(i), 1));
    shards.push_back(index_of(search.found(), pictures, {7, shard, 3}));
  }
  std::vector<size_t> order{0, 1, 2};
  do {
    const HitIndex two = merge(shards[order[0]], shards[order[1]], "a", "b");
    CHECK(merge(two, shards[order[2]], "a", "b") == whole);
    CHECK(encode_index(merge(shards[order[2]], two, "a", "b")) == encode_index(whole));
  } while (std::ranges::next_permutation(order).found);
  CHECK(contains(usage_error([&] { merge(whole, shards[0], "a", "b"); }), "both hold the same pictures"));
  HitIndex other = shards[1];
  other.settings[0].second = "another";
  CHECK(contains(usage_error([&] { merge(shards[0], other, "a", "b"); }), "model differs"));
  other = shards[1];
  other.parts[0].source = 8;
  other.layers = shards[0].layers;
  CHECK(contains(usage_error([&] { merge(shards[0], other, "a", "b"); }), "need different names"));
  other.next = 1;
  CHECK(contains(usage_error([&] { merge(shards[0], other, "a", "b"); }), "is not finished"));

  const std::vector<uint8_t> file = encode_index(whole);
  CHECK(decode_index(file) == whole);
  for (size_t n = 0; n < file.size(); n += 1 + n / 40)
    CHECK(!error_of([&] { decode_index(std::span(file).first(n)); }).empty());
  std::mt19937_64 random(5);
  for (int i = 0; i < 300; ++i) {
    std::vector<uint8_t> damaged = file;
    damaged[random() % damaged.size()] ^= static_cast<uint8_t>(1 + random() % 255);
    const std::string why = error_of([&] { decode_index(damaged); });
    CHECK(!why.empty());
    CHECK(std::ranges::count(why, '\n') == 0);
  }
}

TEST_CASE("filters are seen behind their batch norm and function; layers without places are refused") {
  const Graph graph = SmallNetwork{}.graph();
  for (const NodeId n : filter_layers(graph)) CHECK(graph.node(n).shape().rank() == 4);
  const Shape input = graph.input_shapes()[0];
  CHECK(contains(usage_error([&] { layers_with_places(graph, {graph.node(graph.output()).name}, input); }),
                 "has no places"));
  CHECK(
      contains(usage_error([&] { layers_with_places(graph, {"con1"}, input); }), "the network has no layer"));
}

// ---- the command

namespace {

class Pictures {
 public:
  explicit Pictures(int64_t count) {
    fs::create_directories(folder_ / "pictures/more");
    for (int64_t i = 0; i < count; ++i) {
      char name[32];
      std::snprintf(name, sizeof name, "pictures/%s%03d.png", i % 3 ? "" : "more/", static_cast<int>(i));
      write_png(folder_ / name, zoo::draw(4, i).image);
    }
  }
  std::string operator/(const std::string& name) const { return folder_ / name; }
  std::vector<std::string> words(const std::string& out, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"search", folder_ / "pictures", "--out", folder_ / out, "--device", "cpu"});
    return more;
  }
  Said run(const std::string& out, const std::vector<std::string>& more = {}) const {
    return loupe(words(out, more));
  }
  json index(const std::string& out) const { return json::parse(read_text(folder_ / (out + "/index.json"))); }
  void refused(const std::vector<std::string>& words, const std::string& part) const {
    const Said said = loupe(words);
    CAPTURE(said.err);
    CHECK(said.status != 0);
    CHECK(std::ranges::count(said.err, '\n') == 1);
    CHECK(contains(said.err, part));
  }

 private:
  Folder folder_;
};

// Starts the command and kills it some time after it has written the file anew: whether it was still at work.
bool killed_after(const std::vector<std::string>& words, const fs::path& file, int milliseconds) {
  std::error_code none;
  const auto before = fs::last_write_time(file, none);
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<std::string> all{LOUPE_BINARY_DIR "/bin/loupe"};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (std::string& w : all) arguments.push_back(w.data());
    arguments.push_back(nullptr);
    if (!std::freopen("/dev/null", "w", stdout) || !std::freopen("/dev/null", "w", stderr)) std::_Exit(1);
    ::execv(arguments[0], arguments.data());
    std::_Exit(1);
  }
  int status = 0;
  while (fs::last_write_time(file, none) == before && ::waitpid(child, &status, WNOHANG) == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

}  // namespace

TEST_CASE("a search writes what the issue says; files that are no pictures are skipped, counted and named") {
  const Pictures p(12);
  write_text(p / "pictures/notes.txt", "no picture");
  write_text(p / "pictures/more/torn.png", read_text(p / "pictures/001.png").substr(0, 200));
  const Said said = p.run("out", {"--top", "3"});
  CAPTURE(said.err);
  REQUIRE(said.status == 0);
  CHECK(contains(said.out, "12 pictures"));
  CHECK(contains(said.out, "2 could not be read"));
  CHECK(contains(said.err, "skipped 'notes.txt'"));
  const json index = p.index("out");
  CHECK(index["pictures"] == 12);
  CHECK(index["skipped"].size() == 2);
  CHECK(index["layers"].size() > 2);
  for (const auto& [layer, channels] : index["layers"].items())
    for (const json& hits : channels) {
      CHECK(hits.size() == 3);
      double before = 1e300;
      for (const json& h : hits) {
        CHECK(fs::exists(p / ("pictures/" + h["image"].get<std::string>())));
        CHECK(h["score"].get<double>() <= before);
        before = h["score"].get<double>();
        CHECK(h["crop"].size() == 4);
        CHECK(h["y"].get<int>() >= 0);
      }
    }
  const std::string layer = index["layers"].begin().key();
  const Image strip = read_image(p / ("out/strips/" + layer + "/0000.png"));
  CHECK(strip.width == 3 * 56 + 2 * 2);
  CHECK(strip.height == 56);
  // Again: nothing is searched twice, and the files are the same.
  const std::string bytes = read_text(p / "out/index.bin"), text = read_text(p / "out/index.json");
  CHECK(p.run("out", {"--top", "3"}).status == 0);
  CHECK(read_text(p / "out/index.bin") == bytes);
  CHECK(read_text(p / "out/index.json") == text);
}

TEST_CASE("shards merge to one run's files, in any order") {
  const Pictures p(10);
  const std::vector<std::string> plain{"--top", "3", "--strips", "0"};
  REQUIRE(p.run("whole", plain).status == 0);
  for (const char* shard : {"1", "2", "3"}) {
    std::vector<std::string> more = plain;
    more.insert(more.end(), {"--shard", std::string(shard) + "/3", "--threads", shard});
    REQUIRE(p.run(std::string("s") + shard, more).status == 0);
  }
  const Said some = loupe({"search", "--merge", p / "s3", p / "s1", "--out", p / "some"});
  CHECK(contains(some.out, "shards are missing: there are 2 of 3"));
  REQUIRE(loupe({"search", "--merge", p / "some", p / "s2/index.bin", "--out", p / "merged"}).status == 0);
  CHECK(read_text(p / "merged/index.bin") == read_text(p / "whole/index.bin"));
  CHECK(read_text(p / "merged/index.json") == read_text(p / "whole/index.json"));
  p.refused({"search", "--merge", p / "s1", p / "s1", "--out", p / "twice"}, "both hold the same pictures");
  // A merged index goes on to strips without another search.
  CHECK(p.run("merged", {"--top", "3", "--strips", "1"}).status == 0);
  CHECK(fs::exists(p / "merged/strips"));
}

TEST_CASE("a search that is killed at any moment goes on where it was, to the same end") {
  const Pictures p(2);
  const std::vector<std::string> more{"--zoo",        "3000", "--strips",  "0",
                                      "--checkpoint", "0",    "--threads", "1"};
  REQUIRE(p.run("whole", more).status == 0);
  int killed = 0;
  for (const int milliseconds : {0, 7, 2, 11, 4}) {
    killed += killed_after(p.words("out", more), p / "out/index.bin", milliseconds);
    REQUIRE(fs::exists(p / "out/index.bin"));
    read_index(p / "out/index.bin");  // whole, whenever it was killed
  }
  CHECK(killed >= 1);
  if (killed == 5)
    p.refused(p.words("out", {"--zoo", "299"}), "holds a search that is not finished, of other pictures");
  REQUIRE(p.run("out", more).status == 0);
  CHECK(read_text(p / "out/index.bin") == read_text(p / "whole/index.bin"));
  CHECK(read_text(p / "out/index.json") == read_text(p / "whole/index.json"));
  int files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(p / "out")) ++files;
  CHECK(files == 2);  // nothing is left over
}

TEST_CASE("a planted picture is found in a stream that is on no disk") {
  const Pictures p(0);
  Image loud{zoo::kSize, zoo::kSize, {}};
  std::mt19937_64 random(1);
  for (int64_t i = 0; i < zoo::kSize * zoo::kSize; ++i)
    for (const uint64_t bits = random(); const int c : {0, 1, 2}) loud.rgb.push_back(bits >> c & 1 ? 255 : 0);
  write_png(p / "pictures/planted.png", loud);
  REQUIRE(p.run("out", {"--zoo", "500", "--strips", "0"}).status == 0);
  const json layers = p.index("out")["layers"];
  int first = 0;
  for (const json& hits : layers.front()) first += hits[0]["image"] == "planted.png";
  CHECK(first > 0);
}

TEST_CASE("a full disk is said in one line, and what was found stays") {
  const Pictures p(6);
  const std::vector<std::string> few{"--top", "2", "--strips", "0"}, more{"--top", "3", "--strips", "0"};
  REQUIRE(p.run("out", few).status == 0);
  REQUIRE(p.run("whole", more).status == 0);
  const std::string before = read_text(p / "out/index.bin"), text = read_text(p / "out/index.json");
  const Said full = loupe(p.words("out", more), "trap '' XFSZ; ulimit -f 2;");
  CAPTURE(full.err);
  CHECK(full.status == 1);
  CHECK(std::ranges::count(full.err, '\n') == 1);
  CHECK(contains(full.err, "cannot write"));
  CHECK(read_text(p / "out/index.bin") == before);
  CHECK(read_text(p / "out/index.json") == text);
  REQUIRE(p.run("out", more).status == 0);
  CHECK(read_text(p / "out/index.bin") == read_text(p / "whole/index.bin"));
}

TEST_CASE("names come in order whatever the stretch that is in memory") {
  const Folder folder;
  std::vector<std::string> all;
  for (const char* name :
       {"b", "a/z", "a/b/c", "a.txt", "c/1", "c/10", "c/2", "zz", "a/B", "a-1", "\xc3\xa9"}) {
    fs::create_directories(fs::path(folder / name).parent_path());
    write_text(folder / name, "x");
    all.emplace_back(name);
  }
  for (const char* other : {".hidden", "out/x", ".git/x", "c/.x"}) {
    fs::create_directories(fs::path(folder / other).parent_path());
    write_text(folder / other, "x");
  }
  std::ranges::sort(all);
  for (const int64_t stretch : {1, 2, 3, 5, 10, 11, 12}) {
    CAPTURE(stretch);
    FileNames names(folder.path(), folder / "out", stretch);
    REQUIRE(names.size() == std::ssize(all));
    for (int64_t i = 0; i < names.size(); ++i) CHECK(names.at(i) == all[static_cast<size_t>(i)]);
    for (int64_t i = names.size(); i-- > 0;) CHECK(names.at(i) == all[static_cast<size_t>(i)]);
    fs::rename(folder / "zz", folder / ".zz");
    if (stretch < 10) {
      names.at(0);  // another stretch is in memory
      CHECK(contains(error_of([&] { names.at(9); }), "other files now"));
    }
    fs::rename(folder / ".zz", folder / "zz");
  }
}

TEST_CASE("what cannot be searched is said in one line") {
  const Pictures p(2);
  fs::create_directories(p / "empty");
  fs::create_directories(p / "texts");
  write_text(p / "texts/a.txt", "a");
  write_text(p / "file", "a");
  fs::create_directories(p / "garbage");
  write_text(p / "garbage/index.bin", "garbage");
  p.refused({"search", p / "empty", "--out", p / "out"}, "holds no files");
  p.refused({"search", p / "texts", "--out", p / "out"}, "nothing could be read");
  p.refused({"search", p / "nowhere", "--out", p / "out"}, "there is no folder");
  p.refused({"search", p / "pictures"}, "--out is missing");
  p.refused({"search", "--out", p / "out"}, "name a folder of pictures");
  p.refused(p.words("out", {"--layers", "nothing"}), "has no layer 'nothing'");
  p.refused(p.words("out", {"--shard", "4/3"}), "--shard");
  p.refused(p.words("file"), "cannot make the folder");
  p.refused(p.words("garbage"), "it is no index of `loupe search`");
  p.refused({"search", "--merge", p / "garbage", p / "pictures", "--out", p / "out"}, "cannot read");
  if (fs::exists("/dev/full")) {
    fs::create_directories(p / "full");
    fs::create_symlink("/dev/full", p / "full/strips");
    p.refused(p.words("full"), "cannot make the folder");
    CHECK(fs::exists(p / "full/index.json"));  // what was done stays
  }
}

}  // namespace loupe::test
