// `loupe embed` as its user sees it: files, bytes, tables, pictures, interruptions, bad input.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/tensor/npy.h"
#include "models/zoo/zoo.h"
#include "tests/support/command.h"

namespace loupe::test {
namespace {

using nlohmann::json;

constexpr int64_t kCount = 60;

// Three kinds of points, each about a corner, with a word and a label each.
class Embed {
 public:
  Embed() {
    Tensor x(Dtype::f32, {kCount, 4});
    std::string words, labels;
    for (int64_t i = 0; i < kCount; ++i) {
      for (int64_t k = 0; k < 4; ++k)
        x.values<float>()[static_cast<size_t>(4 * i + k)] =
            (k == i % 3 ? 5.0f : 0.0f) + static_cast<float>((i * 37 + k * 11) % 17) / 20.0f;
      words += "wort" + std::to_string(i) + "\n";
      labels += i % 3 == 0 ? "<b>\n" : i % 3 == 1 ? "tiere\n" : "\n";  // the last is empty
    }
    labels.replace(labels.size() - 1, 1, "x\n");
    write_text(at("x.npy"), encode_npy(x));
    write_text(at("words.txt"), words);
    write_text(at("labels.txt"), labels);
  }
  std::string at(const std::string& file) const { return folder_ / file; }
  Said run(std::vector<std::string> words, const std::string& out, const std::string& before = "") const {
    words.insert(words.begin(), "embed");
    if (!out.empty()) words.insert(words.end(), {"--out", at(out)});
    return loupe(words, before);
  }
  Said map(std::vector<std::string> words, const std::string& out, const std::string& before = "") const {
    words.insert(words.begin(), {"--vectors", at("x.npy")});
    if (std::ranges::count(words, "--perplexity") == 0) words.insert(words.end(), {"--perplexity", "8"});
    return run(words, out, before);
  }
  std::string bytes(const std::vector<std::string>& words) const {
    const Said said = map(words, "bytes");
    CAPTURE(said.err);
    REQUIRE(said.status == 0);
    return read_text(at("bytes/map.npy"));
  }
  /// One line, that status, and nothing written.
  void refused(const std::vector<std::string>& words, const std::string& part, int status = 2) const {
    said_and_nothing(run(words, "refused"), part, status);
  }
  void said_and_nothing(const Said& said, const std::string& part, int status) const {
    CAPTURE(said.err);
    CHECK(said.status == status);
    CHECK(said.err.starts_with("loupe: "));
    CHECK(std::ranges::count(said.err, '\n') == 1);
    CHECK(contains(said.err, part));
    CHECK(!fs::exists(at("refused")));
  }

 private:
  Folder folder_;
};

int64_t names_in(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

}  // namespace

TEST_CASE("four files; the map is the same for a seed and any threads, and others are others") {
  const Embed e;
  const Said said = e.map(
      {"--words", e.at("words.txt"), "--labels", e.at("labels.txt"), "--clusters", "3", "--json"}, "out");
  CAPTURE(said.err);
  REQUIRE(said.status == 0);
  CHECK(names_in(e.at("out")) == 4);
  const json record = json::parse(said.out);
  CHECK(json::parse(read_text(e.at("out/embed.json"))) == record);
  CHECK(record["points"] == kCount);
  CHECK(record["tsne"]["perplexity"] == 8);
  CHECK(record["labels"] == 4);
  CHECK(record["trustworthiness"] > 0.9);
  CHECK(record["purity"]["vectors"] > 0.9);
  CHECK(record["purity"]["chance"] < 0.4);
  CHECK(record["seconds"]["tsne"] > 0);
  CHECK(record["clusters"]["of"].size() == kCount);
  for (size_t i = 3; i < kCount; ++i) CHECK(record["clusters"]["of"][i] == record["clusters"]["of"][i - 3]);
  CHECK(read_text(e.at("out/vectors.npy")) == read_text(e.at("x.npy")));
  const Tensor map = read_npy(e.at("out/map.npy"));
  CHECK(map.shape() == Shape{kCount, 2});
  CHECK(map.dtype() == Dtype::f32);
  const std::string page = read_text(e.at("out/embedding.html"));
  CHECK(contains(page, "wort17"));
  CHECK(contains(page, "\\u003cb>"));
  CHECK(!contains(page, "http"));
  const std::string first = e.bytes({});
  CHECK(read_text(e.at("out/map.npy")) == first);
  CHECK(e.bytes({"--threads", "1"}) == first);
  CHECK(e.bytes({"--threads", "3"}) == first);
  CHECK(e.bytes({"--metric", "cosine"}) != first);
  const std::string noise = e.bytes({"--init", "random"});
  CHECK(e.bytes({"--init", "random"}) == noise);
  CHECK(e.bytes({"--init", "random", "--seed", "2"}) != noise);
  CHECK(e.bytes({"--map", "pca"}) != first);
  CHECK(json::parse(read_text(e.at("bytes/embed.json")))["explained"][0] > 0.3);
}

TEST_CASE("neighbours of a word, and analogies, with a map and without one") {
  const Embed e;
  const std::vector<std::string> words{"--words", e.at("words.txt"), "--neighbours", "3"};
  const auto asked = [&](std::vector<std::string> more) {
    more.insert(more.begin(), words.begin(), words.end());
    return e.map(more, "");
  };
  const Said near = asked({"--near", "wort4", "--analogy", "wort0, wort1 ,wort4", "--json"});
  CAPTURE(near.err);
  REQUIRE(near.status == 0);
  const json tables = json::parse(near.out)["tables"];
  REQUIRE(tables.size() == 2);
  REQUIRE(tables[0]["nearest"].size() == 3);
  for (const json& row : tables[0]["nearest"])
    CHECK(std::stoi(row["word"].get<std::string>().substr(4)) % 3 == 1);
  CHECK(tables[0]["nearest"][0]["distance"] <= tables[0]["nearest"][1]["distance"]);
  CHECK(std::stoi(tables[1]["nearest"][0]["word"].get<std::string>().substr(4)) % 3 == 0);
  CHECK(tables[1]["nearest"][0]["cosine"] > 0.9);
  CHECK(contains(asked({"--near", "wort4"}).out, "nearest to wort4"));
  const Said numbers = e.map({"--near", "4", "--map", "pca"}, "both");
  CHECK(contains(numbers.out, "nearest to 4"));
  CHECK(fs::exists(e.at("both/embedding.html")));
  e.said_and_nothing(asked({"--near", "wrt4"}), "did you mean 'wort4'", 2);
  e.said_and_nothing(asked({"--analogy", "wort1,wort2"}), "three words", 2);
  e.said_and_nothing(e.map({"--near", "60"}, "refused"), "point without a word", 2);
}

TEST_CASE("pictures in a layer: drawn ones, a folder's, and what cannot be read") {
  const Embed e;
  const Said said = e.run({"--zoo", "42", "--perplexity", "5", "--neighbours", "2", "--json"}, "zoo");
  CAPTURE(said.err);
  REQUIRE(said.status == 0);
  const json record = json::parse(said.out);
  CHECK(record["network"]["layer"] == "flatten");
  CHECK(record["labels"] == zoo::labels().size());
  CHECK(record["purity"]["vectors"] > 0.7);  // there are two others of a picture's class
  const std::string page = read_text(e.at("zoo/embedding.html"));
  CHECK(contains(page, "<script type=text/plain id=sprite>/9j/"));
  fs::create_directories(e.at("p/cats"));
  fs::create_directories(e.at("p/dogs"));
  for (int64_t i = 0; i < 6; ++i)
    write_png(e.at(i % 2 ? "p/cats/" : "p/dogs/") + std::to_string(i) + ".png", zoo::draw(3, i).image);
  write_text(e.at("p/cats/notes.txt"), "no picture");
  const Said folder = e.run({e.at("p"), "--layer", "features.4", "--map", "pca", "--json"}, "folder");
  CAPTURE(folder.err);
  REQUIRE(folder.status == 0);
  const json mine = json::parse(folder.out);
  CHECK(mine["points"] == 6);
  CHECK(mine["dimensions"] == 64);
  CHECK(mine["labels"] == 2);
  CHECK(mine["skipped"][0]["image"] == "cats/notes.txt");
  const Said all =
      e.run({e.at("p"), "--layer", "features.4", "--places", "all", "--map", "pca", "--json"}, "all");
  CHECK(json::parse(all.out)["dimensions"] == 64 * 28 * 28);
  // The mean over the places, by hand.
  const Tensor mean = read_npy(e.at("folder/vectors.npy")), whole = read_npy(e.at("all/vectors.npy"));
  double sum = 0;
  for (int64_t p = 0; p < 28 * 28; ++p) sum += whole.item(64 * 28 * 28 + 5 * 28 * 28 + p);
  CHECK(mean.item(64 + 5) == doctest::Approx(sum / (28 * 28)).epsilon(1e-5));
  e.refused({"--zoo", "9", "--layer", "features.400"}, "features.400");
  e.refused({"--zoo", "9", "--places", "some"}, "--places");
}

TEST_CASE("what makes no map is refused in a line, and leaves nothing") {
  const Embed e;
  const auto of = [&](const std::string& bytes) {
    write_text(e.at("bad.npy"), bytes);
    return std::vector<std::string>{"--vectors", e.at("bad.npy")};
  };
  e.refused({}, "name what is to be embedded");
  e.refused({"--vectors", e.at("x.npy"), "--zoo", "7"}, "--vectors");
  e.refused({"--vectors", e.at("none.npy")}, "none.npy", 1);
  e.refused(of("garbage"), "not a NumPy array", 1);
  e.refused(of(encode_npy(Tensor::zeros(Dtype::f32, {5}))), "shape");
  e.refused(of(encode_npy(Tensor::zeros(Dtype::f32, {5, 2, 2}))), "(N, D)");
  e.refused(of(encode_npy(Tensor::zeros(Dtype::f32, {0, 2}))), "no vectors");
  e.refused(of(encode_npy(Tensor::zeros(Dtype::i32, {50, 2}))), "whole numbers");
  Tensor x = Tensor::zeros(Dtype::f64, {50, 2});
  x.values<double>()[7] = NAN;
  e.refused(of(encode_npy(x)), "NaN in row 3, column 1");
  e.refused(of(encode_npy(Tensor::zeros(Dtype::f32, {2, 2}))), "three points");
  e.refused(of(encode_npy(Tensor::zeros(Dtype::f32, {31, 2}))), "more than 31 points");
  e.refused({"--vectors", e.at("x.npy"), "--perplexity", "0.2"}, "--perplexity");
  write_text(e.at("few.txt"), "a\nb\n");
  e.refused({"--vectors", e.at("x.npy"), "--labels", e.at("few.txt")},
            "holds 2 lines, but there are 60 points");
  e.refused({"--vectors", e.at("x.npy"), "--words", e.at("few.txt")}, "--words");
  e.refused({"--vectors", e.at("x.npy"), "--map", "umap"}, "--map takes tsne or pca");
  e.refused({"--vectors", e.at("x.npy"), "--metric", "cosin"}, "did you mean 'cosine'");
  e.refused({"--vectors", e.at("x.npy"), "--memory", "1K"}, "--memory");
  e.refused({"--vectors", e.at("x.npy"), "--clusters", "61"}, "--clusters");
  e.said_and_nothing(e.map({}, ""), "--out is missing", 2);
  // Points that are all the same, and the fewest there can be, are maps like any other.
  CHECK(e.run(of(encode_npy(Tensor::zeros(Dtype::f32, {40, 3}))), "same").status == 0);
  auto least = of(encode_npy(Tensor::zeros(Dtype::f32, {3, 1})));
  least.insert(least.end(), {"--map", "pca", "--clusters", "3"});
  CHECK(e.run(least, "least").status == 0);
}

TEST_CASE("Ctrl-C leaves nothing behind") {
  const Embed e;
  const Said said =
      e.map({"--steps", "1000000"}, "refused", "timeout --foreground --preserve-status -s INT 0.5");
  e.said_and_nothing(said, "nothing was written", 130);
}

}  // namespace loupe::test
