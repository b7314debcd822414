// The lessons of `loupe lesson` as their user sees them: every number against one that is worked out here.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/zoo/zoo.h"
#include "tests/support/device.h"
#include "tests/support/lessons.h"

namespace loupe::test {
namespace {

std::vector<std::string> devices_here() {
  std::vector<std::string> names;
  for (const Backend b : host_and_simulator()) names.emplace_back(backend_name(b));
  return names;
}

Row product(const Row& a, const Row& b, size_t rows, size_t inner, size_t columns) {
  Row out(rows * columns);
  for (size_t i = 0; i < rows; ++i)
    for (size_t k = 0; k < inner; ++k)
      for (size_t j = 0; j < columns; ++j) out[i * columns + j] += a[i * inner + k] * b[k * columns + j];
  return out;
}

Row transposed(const Row& a, size_t rows, size_t columns) {
  Row out(a.size());
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < columns; ++j) out[j * rows + i] = a[i * columns + j];
  return out;
}

// Everything that the lesson says of a row, from the definition of W alone.
void check_row(const json& r, double tolerance) {
  const auto n = r["n"].get<size_t>(), f = r["f"].get<size_t>(), s = r["s"].get<size_t>(),
             p = r["p"].get<size_t>();
  CAPTURE(n);
  CAPTURE(f);
  CAPTURE(s);
  CAPTURE(p);
  const size_t m = n + 2 * p, rows = (m - f) / s + 1;
  const Row w = flat(r["w"]), x = flat(r["x"]);
  REQUIRE(r["n_y"] == rows);
  Row padded(m), matrix(rows * m);
  std::ranges::copy(x, padded.begin() + static_cast<ptrdiff_t>(p));
  for (size_t i = 0; i < rows; ++i)
    for (size_t k = 0; k < f; ++k) matrix[i * m + i * s + k] = w[k];
  const Row wide = transposed(matrix, rows, m);
  const Row y = product(matrix, padded, rows, m, 1), back = product(wide, y, m, rows, 1);
  const Row gram = product(matrix, wide, rows, m, rows), projection = product(wide, matrix, m, rows, m);
  same(r["x_padded"], padded, 0);
  same(r["W"], matrix, tolerance);
  for (const char* name : {"y", "y_matrix"}) same(r[name], y, tolerance);
  for (const char* name : {"WT_y", "conv_transpose", "sub_pixel_convolution", "interleaved"}) {
    CAPTURE(name);
    same(r[name], back, tolerance);
  }
  const auto cut = static_cast<ptrdiff_t>(p);
  same(r["conv_transpose_cropped"], Row(back.begin() + cut, back.end() - cut), tolerance);
  same(r["W_WT"], gram, tolerance);
  same(r["WT_W"], projection, tolerance);
  same(r["WT_W_twice"], product(projection, projection, m, m, m), 4 * tolerance);
  same(r["W_WT_y"], product(gram, y, rows, rows, 1), 4 * tolerance);
}

}  // namespace

TEST_CASE("the lecture's convolution is its matrix, and the matrix's transpose the transposed convolution") {
  const json all = lesson({"deconv"}), r = all["row"];
  check_row(r, 0);
  const json golden =
      R"({"y": [11, 30, 50, 70, 23], "WT_y": [11, 22, 63, 104, 140, 220, 220, 340, 233, 326, 69, 92],
      "sub_pixel_y": [0, 0, 0, 11, 0, 30, 0, 50, 0, 70, 0, 23, 0, 0, 0], "flipped_w": [4, 3, 2, 1],
      "conv_transpose_cropped": [63, 104, 140, 220, 220, 340, 233, 326], "short_filters": [[3, 1], [4, 2]],
      "short_filter_outputs": [[11, 63, 140, 220, 233, 69], [22, 104, 220, 340, 326, 92]]})"_json;
  for (const auto& [name, values] : golden.items()) {
    CAPTURE(name);
    same(r[name], flat(values), 0);
  }
  CHECK(r["W"].size() == 5);
  CHECK(r["W"][0].size() == 12);
  const json& u = all["unpooling"];
  same(u["pooled"], {5, 4, 2, 6}, 0);
  same(u["switches"], {2, 3, 2, 0}, 0);
  same(u["by_switches"], {0, 0, 0, 0, 5, 0, 0, 4, 0, 0, 6, 0, 2, 0, 0, 0}, 0);
  same(u["regular"], {5, 0, 4, 0, 0, 0, 0, 0, 2, 0, 6, 0, 0, 0, 0, 0}, 0);
  same(u["pooled_again"], flat(u["pooled"]), 0);
}

TEST_CASE("any row, filter, stride and padding, on every device") {
  const std::vector<std::vector<std::string>> kinds{
      {"--n", "1", "--f", "1", "--s", "1", "--p", "0"},
      {"--n", "9", "--s", "3", "--p", "1", "--filter", "-0.5,2,0.25,1,-3"},
      {"--x", "3,-1,0.5,2,7,1,1", "--f", "2", "--s", "5", "--p", "4"},
      {"--n", "32", "--f", "16", "--s", "1", "--p", "8"},
      {"--n", "4", "--filter", "0,0,0", "--s", "2", "--p", "0"}};
  for (const auto& kind : kinds)
    for (const std::string& device : devices_here()) {
      if (kind[1] == "32" && device != "cpu") continue;  // slow there
      CAPTURE(device);
      std::vector<std::string> words{"deconv", "--device", device};
      words.insert(words.end(), kind.begin(), kind.end());
      const double tolerance = device == "ref" ? 1e-14 : 1e-5;
      const json all = lesson(words);
      CHECK(all["device"] == device);
      check_row(all["row"], tolerance);
      const json& picture = all["picture"];
      same(picture["y_matrix"], flat(picture["y"]), tolerance);
      same(picture["conv_transpose"], flat(picture["WT_y"]), tolerance);
      same(picture["sub_pixel_convolution"], flat(picture["WT_y"]), tolerance);
    }
}

TEST_CASE("a picture's convolution and its transpose, cell by cell") {
  const json all = lesson({"deconv", "--n", "5", "--filter", "2,-1,3", "--s", "2", "--p", "1"}),
             &picture = all["picture"];
  constexpr size_t n = 5, f = 3, m = 7, rows = 3;
  const Row w{2, -1, 3}, x = flat(picture["x"]);
  Row y(rows * rows), back(m * m);
  const auto each = [&](const auto& body) {
    for (size_t i = 0; i < rows; ++i)
      for (size_t j = 0; j < rows; ++j)
        for (size_t a = 0; a < f; ++a)
          for (size_t b = 0; b < f; ++b) body(i * rows + j, 2 * i + a, 2 * j + b, w[(a + b) % f]);
  };
  each([&](size_t at, size_t i, size_t j, double tap) {
    if (i >= 1 && j >= 1 && i <= n && j <= n) y[at] += tap * x[(i - 1) * n + j - 1];
  });
  each([&](size_t at, size_t i, size_t j, double tap) { back[i * m + j] += tap * y[at]; });
  same(picture["y"], y, 0);
  same(picture["conv_transpose"], back, 0);
  CHECK(picture["rows"] == 9);
  CHECK(picture["columns"] == 49);
}

TEST_CASE("W Wᵀ is the identity for the filters that are said to have it, and Wᵀ W never") {
  const json all = lesson({"deconv"});
  std::map<std::string, bool> said;
  for (const json& c : all["filters"]) {
    const Row w = flat(c["w"]);
    CAPTURE(c["name"]);
    REQUIRE(w.size() == 4);
    const double length = w[0] * w[0] + w[1] * w[1] + w[2] * w[2] + w[3] * w[3],
                 overlap = w[0] * w[2] + w[1] * w[3];
    CHECK(c["length"].get<double>() == doctest::Approx(length));
    CHECK(std::abs(c["overlap"].get<double>() - std::abs(overlap)) < 1e-12);
    const bool has = std::abs(length - 1) < 1e-9 && std::abs(overlap) < 1e-9;
    CHECK(c["orthonormal"] == has);
    CHECK((c["right_inverse"].get<double>() < 1e-9) == has);
    CHECK((c["projection"].get<double>() < 1e-9) == has);
    CHECK(c["lost"].get<double>() > 0.01);  // 7 of 12 dimensions
    said[c["name"]] = has;
  }
  CHECK(said.at("an edge of 4 taps"));
  CHECK_FALSE(said.at("an edge, one tap too short"));
  CHECK(said.at("Daubechies' wavelet"));
  CHECK(said.at("random, on 2 taps"));
  CHECK_FALSE(said.at("random, on all taps (a)"));
  CHECK_FALSE(said.at("yours"));
}

TEST_CASE("the page's examples are the engine's, and its script makes the same numbers") {
  const Folder folder;
  const Said said = loupe({"lesson", "deconv", "--filter", "0.5,-2,1", "--out", folder / "out"});
  REQUIRE(said.status == 0);
  const std::string page = read_text(folder / "out/deconv.html");
  const json data = data_of(page);
  CHECK(data["examples"].size() > 20);
  CHECK(flat(data["examples"][0]["w"]) == Row{0.5, -2, 1});
  for (const json& e : data["examples"]) check_row(e, 1e-14);
  CHECK(!contains(page, "http"));  // nothing comes from elsewhere
  const std::string verdict = in_node(page, "deconv/deconv.js", folder);
  if (!verdict.empty()) {
    CHECK(verdict.starts_with("true "));
    CHECK(verdict.size() > std::string("true 999").size());
  }
}

TEST_CASE("a script that is wrong is noticed") {
  const Folder folder;
  REQUIRE(loupe({"lesson", "deconv", "--out", folder / "out"}).status == 0);
  std::string page = read_text(folder / "out/deconv.html");
  const std::string from = "\"WT_y\":[11.0,22.0", to = "\"WT_y\":[11.5,22.0";
  REQUIRE(contains(page, from));
  page.replace(page.find(from), from.size(), to);
  const std::string verdict = in_node(page, "deconv/deconv.js", folder);
  if (!verdict.empty()) CHECK(verdict.starts_with("false "));
}

TEST_CASE("numbers that make no convolution are refused in one line") {
  refused({}, "name a command, such as `loupe lesson ");
  refused({"decon"}, "did you mean 'deconv'");
  refused({"deconv", "--n", "0"}, "--n");
  refused({"deconv", "--n", "33"}, "--n");
  refused({"deconv", "--s", "0"}, "--s");
  refused({"deconv", "--p", "-1"}, "--p");
  refused({"deconv", "--n", "3", "--f", "8"},
          "a filter of 8 taps does not fit in 3 numbers with 2 zeros on each side");
  refused({"deconv", "--filter", "1,2,x"}, "--filter");
  refused({"deconv", "--filter", "1,,2"}, "--filter");
  refused({"deconv", "--filter", "1,nan"}, "--filter");
  refused({"deconv", "--filter", "1,2", "--f", "3"}, "--filter has 2 numbers, and --f says 3");
  refused({"deconv", "--filter", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"}, "at most 16");
  refused({"deconv", "--device", "abacus"}, "abacus");
}

TEST_CASE("the ReLU's table: what each rule passes, for the numbers given") {
  const Row x{2, -1, 3, 0, -4, 1, -2, 6, 0, 5, -1, -3, 1, -6, 4, 2},
      r{1, 2, -3, 0, -2, -1, 4, 1, 3, 2, -1, -4, -1, 6, 5, -2};
  const auto listed = [](const Row& values) {
    std::string text;
    for (const double v : values) text += (text.empty() ? "" : ",") + std::to_string(static_cast<int>(v));
    return text;
  };
  for (const std::string& device : devices_here()) {
    const json t = lesson({"relu", "--x=" + listed(x), "--signal=" + listed(r), "--device", device});
    for (size_t i = 0; i < 16; ++i) {
      CAPTURE(i);
      CHECK(t["forward"][i] == std::max(x[i], 0.0));
      CHECK(t["gradient"][i] == (x[i] > 0 ? r[i] : 0));
      CHECK(t["deconvnet"][i] == std::max(r[i], 0.0));
      CHECK(t["guided_backprop"][i] == (x[i] > 0 ? std::max(r[i], 0.0) : 0));
    }
  }
  refused({"relu", "--x", "1,2"}, "--x takes 16 numbers, row by row of a 4 × 4 map, not 2");
}

TEST_CASE("CAM's lesson adds up, by sums made here") {
  const json c = lesson({"cam", "--class", "husky"});
  CHECK(c["label"] == "husky");
  double map = 0, weighted = 0;
  const Row cam = flat(c["cam"]);
  for (const double v : cam) map += v / static_cast<double>(cam.size());
  for (const json& k : c["channels"]) weighted += k["mean"].get<double>() * k["weight"].get<double>();
  CHECK(c["channels"].size() == 256);
  const double score = c["score"], bias = c["bias"];
  CHECK(bias != 0);
  CHECK(std::abs(map + bias - score) < 1e-5 * (1 + std::abs(score)));
  CHECK(std::abs(weighted + bias - score) < 1e-5 * (1 + std::abs(score)));
  CHECK(c["mean_of_cam"].get<double>() == doctest::Approx(map));
  refused({"cam", "--class", "dinosaur"}, "dinosaur");
  refused({"cam", "--class", "husky,dalmatian"}, "one class");
  refused({"cam", "--model", "vgg11", "--weights", "formula"}, "cam does not suit vgg11");
}

TEST_CASE("the receptive field's sums are the gradient's box") {
  const json all = lesson({"receptive-field"});
  CHECK(all["layer"] == "features.16");
  CHECK(all["cell"] == json({6, 6}));
  CHECK(all["field"] == json({12, 12, 49, 49}));  // 37 pixels from −12 + 6·4 on
  CHECK(all["gradient"] == all["field"]);
  const json corner = lesson({"receptive-field", "--layer", "features.7", "--place", "0,12"});
  CHECK(corner["field"] == json({0, 48, 13, 61}));
  CHECK(corner["gradient"] == corner["field"]);
  CHECK(corner["within_half"] > 0.3);
  const json border = lesson({"receptive-field", "--layer", "features.11", "--place", "0,0"});
  CHECK(border["field"] == json({0, 0, 21, 21}));  // cut: from −8
  CHECK(border["gradient"] == border["field"]);
  refused({"receptive-field", "--layer", "features.99"}, "features.9");
  refused({"receptive-field", "--layer", "fc"}, "no places");
  refused({"receptive-field", "--layer", "avgpool"}, "sees the whole picture");
  refused({"receptive-field", "--place", "13,0"}, "--place");
}

TEST_CASE("A with B's switches is B's deconvnet; saved switches are what they were; changed ones change it") {
  const Folder folder;
  const json all = lesson({"switches", "--save-switches", folder / "a.safetensors", "--out", folder / "out"});
  const json& deconvnet = all["rules"][0];
  CHECK(deconvnet["method"] == "deconvnet");
  CHECK(deconvnet["off_b"] == 0);
  CHECK(deconvnet["maps"]["a_with_b"]["like_b"].get<double>() == doctest::Approx(1));
  CHECK(deconvnet["maps"]["a"]["like_b"].get<double>() < 0.5);
  for (size_t i = 1; i < 3; ++i) CHECK(all["rules"][i]["off_b"] > 0.05);
  const std::string page = read_text(folder / "out/switches.html");
  CHECK(contains(page, "data:image/png;base64,"));
  CHECK(!contains(page, "http"));

  const json again = lesson({"switches", "--switches", folder / "a.safetensors"});
  for (const json& rule : again["rules"])
    CHECK(rule["maps"]["a_with_file"]["like_a"].get<double>() == doctest::Approx(1));
  std::string bytes = read_text(folder / "a.safetensors");  // every switch of the last pool, at the end, to 0
  std::fill(bytes.end() - 10816, bytes.end(), '\0');
  write_text(folder / "b.safetensors", bytes);
  const json changed = lesson({"switches", "--switches", folder / "b.safetensors"});
  CHECK(changed["rules"][0]["maps"]["a_with_file"]["like_a"] < 0.99);

  // `loupe explain` saves the same ones; a second run may replace its results.
  write_png(folder / "b.png", zoo::draw(3, 8).image);
  for (int i = 0; i < 2; ++i) {
    const Said said = loupe({"explain", folder / "b.png", "--method", "gradient", "--class", "husky,goose",
                             "--save-switches", "--out", folder / "explained"});
    CAPTURE(said.err);
    REQUIRE(said.status == 0);
  }
  const json of_b = lesson({"switches", "--switches", folder / "explained/b/switches.safetensors"});
  CHECK(of_b["rules"][0]["maps"]["a_with_file"]["like_b"].get<double>() == doctest::Approx(1));
  const Said none = loupe({"explain", folder / "b.png", "--model", "mobilenet_v2", "--weights", "formula",
                           "--save-switches", "--out", folder / "none"});
  CHECK(none.status == 2);
  CHECK(contains(none.err, "has no max pools"));

  refused({"switches", "--model", "resnet18", "--weights", "formula", "--switches", folder / "a.safetensors"},
          "is no max pool of");
  refused({"switches", "--model", "mobilenet_v2", "--weights", "formula"}, "has no max pools");
  const Said missing = loupe({"lesson", "switches", "--switches", folder / "none.safetensors"});
  CHECK(missing.status == 1);
  CHECK(std::ranges::count(missing.err, '\n') == 1);
}

}  // namespace loupe::test
