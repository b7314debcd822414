// What is wrong with a request or a file is said in one line, with exit status 2 (the request) or 1 (the
// run), and nothing is written. The same under the sanitizers, whose reports would be more lines.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/image/decoders.h"
#include "models/io/formula.h"
#include "models/io/safetensors.h"
#include "models/models.h"
#include "tests/support/command.h"
#include "tests/support/networks.h"
#include "tests/support/torch_bytes.h"

namespace loupe::test {
namespace {

std::string line(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& w : words) text += w + " ";
  return text;
}

// One line "loupe: …" with these parts, nothing on standard output, this exit status.
void check_refused(const Said& said, int status, const std::vector<std::string>& parts) {
  CAPTURE(said.err);
  CHECK(said.status == status);
  CHECK(said.out.empty());
  CHECK(said.err.starts_with("loupe: "));
  CHECK(std::ranges::count(said.err, '\n') == 1);
  CHECK(said.err.ends_with("\n"));
  for (const std::string& part : parts) CHECK_MESSAGE(contains(said.err, part), part);
}

// The same of `loupe explain` with squeezenet1_1, and that no output folder appears. Words given replace the
// usual ones.
class Explain {
 public:
  Explain() { write_png(photo_, pattern(40, 30)); }

  void refused(int status, const std::vector<std::string>& words,
               const std::vector<std::string>& parts) const {
    INFO(line(words));
    check_refused(run(words), status, parts);
    CHECK(!fs::exists(folder_ / "out"));
  }
  void works(const std::vector<std::string>& words) const {
    INFO(line(words));
    const Said said = run(words);
    CHECK_MESSAGE(said.status == 0, said.err);
    CHECK(said.err.empty());
    CHECK(fs::exists(folder_ / "out/report.html"));
    fs::remove_all(folder_ / "out");
  }
  const Folder& folder() const { return folder_; }
  const std::string& photo() const { return photo_; }
  /// A file of these bytes.
  std::string file(const std::string& name, const std::string& bytes) const {
    write_text(folder_ / name, bytes);
    return folder_ / name;
  }

 private:
  Said run(std::vector<std::string> words) const {
    std::vector<std::string> all{"explain"};
    const auto unless_given = [&](const std::string& option, const std::string& value) {
      if (!std::ranges::count(words, option)) all.insert(all.end(), {option, value});
    };
    unless_given("--model", "squeezenet1_1");
    unless_given("--weights", "formula");
    unless_given("--out", folder_ / "out");
    all.insert(all.end(), words.begin(), words.end());
    return loupe(all);
  }
  Folder folder_;
  std::string photo_ = folder_ / "photo.png";
};

// A .npy file of that type and shape.
std::string npy_of(const std::string& type, const std::string& shape, const std::string& data) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize(118, ' ');
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + data;
}

// A safetensors file from its header's text.
std::string safetensors(const std::string& header, const std::string& data = "", uint64_t claimed = 0) {
  const uint64_t length = claimed ? claimed : header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

}  // namespace

TEST_CASE("pictures that cannot be read") {
  const Explain explain;
  const std::string jpeg = read_text(fixture("rgb.jpg").string()),
                    png = read_text(fixture("rgb.png").string());
  const auto refused = [&](const std::string& path, const std::vector<std::string>& parts) {
    explain.refused(1, {path}, parts);
  };
  refused(explain.folder() / "nowhere.jpg", {"nowhere.jpg", "no such file"});
  refused(explain.folder().path().string(), {"folder"});
  refused(explain.file("empty.jpg", ""), {"empty.jpg", "empty"});
  refused(explain.file("cut.jpg", jpeg.substr(0, jpeg.size() / 2)), {"cut.jpg"});
  refused(explain.file("cut.png", png.substr(0, png.size() / 2)), {"cut.png"});
  refused(explain.file("header.png", png.substr(0, 20)), {"header.png"});
  refused(explain.file("letter.jpg", "Dear photograph,\nyours truly\n"), {"letter.jpg"});
  if (has_libjpeg()) {
    std::string early = jpeg.substr(0, jpeg.size() * 3 / 4);
    refused(explain.file("early.jpg", early + "\xFF\xD9"), {"early.jpg", "damaged", "premature end"});
  }
  const auto kind = [](const std::string& name) {
    return read_text(LOUPE_SOURCE_DIR "/tests/fixtures/pictures/" + name);
  };
  refused(explain.file("animated.webp", kind("animated.webp")), {"animated.webp", "WebP"});
  for (const char* name : {"lossy.webp", "lossless.webp", "palette.gif", "interlaced.gif", "rgb.bmp"}) {
    const std::string whole = kind(name);
    refused(explain.file(name, whole.substr(0, whole.size() / 2)), {name});
  }
  refused(fixture("claims_60000x60000.png").string(), {"60000"});
  refused(fixture("tiny.tiff").string(), {"tiny.tiff", "TIFF"});
  // One bad picture among good ones: when asked to, nothing is written for those either.
  explain.refused(1, {explain.photo(), explain.folder() / "cut.jpg", "--stop-on-error"}, {"cut.jpg"});
  // A line break in a name does not make a second line.
  refused(explain.folder() / "two\nlines.jpg", {"two lines.jpg"});
}

TEST_CASE("pictures that are unusual work") {
  const Explain explain;
  const auto works = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--model", "zoo"});
    explain.works(words);
  };
  for (const char* name : {"grey.png", "grey16.png", "rgb16.png", "rgba.png", "grey.jpg", "palette.png",
                           "progressive.jpg", "tiny.bmp", "tiny.gif"})
    works({fixture(name).string()});
  if (has_libjpeg()) works({fixture("cmyk.jpg").string()});
  if (has_libwebp()) works({fixture("tiny.webp").string()});
  write_png(explain.folder() / "dot.png", pattern(1, 1));
  works({explain.folder() / "dot.png"});
  write_png(explain.folder() / "long.png", pattern(20000, 10));
  works({explain.folder() / "long.png"});
  works({explain.photo(), explain.photo()});
}

TEST_CASE("safetensors files that lie") {
  const Explain explain;
  const std::string four(4, '\0');
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"input":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
           "}}";
  };
  const std::vector<std::pair<std::string, std::string>> files{
      {"empty", ""},
      {"short", "\x01\x02\x03"},
      {"header_beyond_file", safetensors("{}", "", 1000)},
      {"header_huge", safetensors("{}", "", ~uint64_t{0})},
      {"data_beyond_file", safetensors(entry("F32", "[2]", "[0,8]"), four)},
      {"negative_offset", safetensors(entry("F32", "[1]", "[-4,0]"), four)},
      {"reversed_offsets", safetensors(entry("F32", "[1]", "[4,0]"), four)},
      {"huge_offset", safetensors(entry("F32", "[1]", "[0,18446744073709551616]"), four)},
      {"negative_size", safetensors(entry("F32", "[-1]", "[0,4]"), four)},
      {"overflowing_shape", safetensors(entry("F32", "[4294967296,4294967296,4]", "[0,4]"), four)},
      {"shape_against_offsets", safetensors(entry("F32", "[3]", "[0,4]"), four)},
      {"fraction", safetensors(entry("F32", "[1.5]", "[0,4]"), four)},
      {"unknown_dtype", safetensors(entry("F31", "[1]", "[0,4]"), four)},
      {"overlap", safetensors(R"({"input":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                              R"("b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
                              four + "ab")},
      {"not_json", safetensors("{\"input\":", four)},
      {"text", "just some text that is long enough"},
      {"list", safetensors("[1,2]")},
      {"nested", safetensors(std::string(200'000, '['))},
      {"nested_objects", safetensors([] {
         std::string text;
         for (int i = 0; i < 200'000; ++i) text += "{\"a\":";
         return text;
       }())},
  };
  for (const auto& [name, bytes] : files) {
    const std::string path = explain.file(name + ".safetensors", bytes);
    explain.refused(1, {explain.photo(), "--weights", path}, {name + ".safetensors"});
    explain.refused(1, {path}, {name + ".safetensors"});
  }
  explain.refused(1, {explain.photo(), "--weights", explain.folder() / "nowhere.safetensors"},
                  {"nowhere.safetensors"});
  explain.refused(1, {explain.photo(), "--weights", explain.folder().path().string()},
                  {explain.folder().path().string()});
}

TEST_CASE("weights of torch.save that are broken, or mean harm") {
  const Explain explain;
  const auto refused = [&](const std::string& bytes, const std::string& part) {
    const std::string path = explain.file("w.pth", bytes);
    explain.refused(1, {explain.photo(), "--weights", path}, {"w.pth", part});
  };
  const auto whole = [](const std::string& name) {
    return read_text(LOUPE_SOURCE_DIR "/tests/fixtures/torch/" + name);
  };
  refused(whole("zip.pth"), "lacks the tensor 'features.0.weight'");
  refused(whole("legacy.pth"), "lacks the tensor 'features.0.weight'");
  refused(whole("deflated.pth"), "compressed or encrypted");
  refused(whole("zip.pth").substr(0, 4000), "has no directory at its end");
  refused(whole("legacy.pth").substr(0, 2000), "cut short");
  using namespace pickled;  // NOLINT
  const std::string evil = explain.folder() / "executed";
  refused(archive(pickled::whole(global("os", "system") + "(" + text("touch " + evil) + "tR")), "no tensors");
  CHECK(!fs::exists(evil));
  std::string deep(1'000'000, ']');
  refused(archive(pickled::whole(deep + std::string(999'999, 'a'))), "nested more than 100 deep");
  refused(archive(pickled::whole(dict(text("t") + tensor({1 << 30}, {1}, 0, 1 << 30)))),
          "should hold 4294967296");
  refused("just some text that is long enough", "it is a text");
}

TEST_CASE("weights that do not fit the network") {
  const Explain explain;
  NamedTensors weights;
  for (const auto& [name, values] : test::formula_weights(models::build("squeezenet1_1").graph))
    weights.emplace_back(name, values);
  const std::string path = explain.folder() / "w.safetensors";
  const auto refused = [&](const NamedTensors& tensors, const std::vector<std::string>& parts) {
    write_safetensors(path, tensors);
    explain.refused(1, {explain.photo(), "--weights", path}, parts);
  };
  NamedTensors without = weights;
  std::erase_if(without, [](const auto& t) { return t.first == "features.3.squeeze.weight"; });
  refused(without, {"w.safetensors", "features.3.squeeze.weight"});

  NamedTensors misshapen = weights, integers = weights, more = weights;
  for (auto& [name, tensor] : misshapen)
    if (name == "features.0.weight") tensor = Tensor::zeros(Dtype::f32, {64, 3, 5, 5});
  refused(misshapen, {"w.safetensors", "features.0.weight", "(64, 3, 5, 5)", "(64, 3, 3, 3)"});
  for (auto& [name, tensor] : integers)
    if (name == "features.0.bias") tensor = Tensor::zeros(Dtype::i32, {64});
  refused(integers, {"w.safetensors", "features.0.bias"});

  more.emplace_back("features.0.num_batches_tracked", Tensor::zeros(Dtype::i32, {1}));
  write_safetensors(path, more);
  explain.works({explain.photo(), "--weights", path});

  NamedTensors infinite = weights;
  for (auto& [name, tensor] : infinite)
    if (name == "classifier.1.bias") tensor.values<float>()[3] = INFINITY;
  refused(infinite, {"finite"});
}

TEST_CASE("preprocessed tensors that do not fit") {
  const Explain explain;
  const auto refused = [&](const Tensor& tensor, const std::string& name,
                           const std::vector<std::string>& parts) {
    const std::string path = explain.folder() / "x.safetensors";
    write_safetensors(path, {{name, tensor}});
    explain.refused(1, {path}, parts);
  };
  refused(Tensor::zeros(Dtype::f32, {3, 64, 64}), "image", {"x.safetensors", "input"});
  refused(Tensor::zeros(Dtype::f32, {64, 64, 3}), "input", {"x.safetensors", "(64, 64, 3)", "(3, H, W)"});
  refused(Tensor::zeros(Dtype::f32, {2, 3, 64, 64}), "input", {"(2, 3, 64, 64)"});
  refused(Tensor::zeros(Dtype::f32, {3, 0, 64}), "input", {"empty"});
  refused(Tensor::zeros(Dtype::u8, {3, 64, 64}), "input", {"u8"});
  Tensor broken = Tensor::zeros(Dtype::f32, {3, 64, 64});
  broken.values<float>()[5] = NAN;
  refused(broken, "input", {"finite"});
  explain.refused(1, {explain.file("x.npy", "\x93NUMPY and no more")}, {"x.npy"});
  write_safetensors(explain.folder() / "small.safetensors",
                    {{"input", Tensor::zeros(Dtype::f32, {3, 4, 4})}});
  explain.refused(2, {explain.folder() / "small.safetensors"}, {"squeezenet1_1", "4×4"});
  explain.refused(
      2, {explain.photo(), explain.folder() / "small.safetensors", "--stop-on-error"},  // layer is named
      {"small.safetensors", "4×4", "node 'features.2'"});
}

TEST_CASE("names and values that do not exist") {
  const Explain explain;
  const auto refused = [&](std::vector<std::string> words, const std::vector<std::string>& parts) {
    words.insert(words.begin(), explain.photo());
    explain.refused(2, words, parts);
  };
  refused({"--model", "squeezenet1_2"}, {"squeezenet1_2", "squeezenet1_1"});
  refused({"--method", "gradients"}, {"gradients", "gradient"});
  for (const char* option :
       {"--method", "--class", "--out", "--device", "--memory", "--sim.seed", "--sim.memory"})
    refused({option, ""}, {option, "empty"});
  refused({"--method", "all,cam"}, {"all"});
  refused({"--device", "gpu"}, {"gpu"});
  refused({"--device", "cpu", "--sim.seed", "2"}, {"--sim.seed", "cpu"});
  refused({"--device", "cpu", "--conv", "cudnn"}, {"--conv", "cpu"});
  refused({"--device", "cuda", "--conv", "mine"}, {"--conv", "own or cudnn", "mine"});
  refused({"--device", "ref", "--sim.memory", "1G"}, {"--sim.memory", "ref"});
  refused({"--class", "1000"}, {"1000", "999"});
  refused({"--class", "-1"}, {"-1"});
  refused({"--class", "jaguar"}, {"jaguar", "--labels"});
  refused({"--class", "99999999999999999999"}, {"range"});
  refused({"--classes", "0"}, {"--classes"});
  refused({"--threads", "0"}, {"--threads"});
  refused({"--threads", "two"}, {"--threads", "two"});
  refused({"--memory", "lots"}, {"--memory", "lots"});
  refused({"--memory", "-5M"}, {"--memory"});
  refused({"--method", "grad_cam", "--grad_cam.layer", "features.99"}, {"features.99"});
  refused({"--method", "grad_cam", "--grad_cam.leyer", "x"}, {"--grad_cam.leyer", "--grad_cam.layer"});
  refused({"--occlusion.window", "32"}, {"--occlusion.window", "gradient"});
  const auto occlusion = [&](const std::string& option, const std::string& value) {
    refused({"--method", "occlusion", "--occlusion." + option, value}, {"occlusion", option});
  };
  occlusion("window", "225");
  occlusion("window", "0");
  occlusion("window", "-3");
  occlusion("window", "3.5");
  occlusion("window", "wide");
  occlusion("window", "");
  occlusion("window", "99999999999999999999");
  occlusion("stride", "0");
  occlusion("fill", "nan");
  occlusion("channels", "two");
  refused({"--method", "integrated_gradients", "--integrated_gradients.steps", "0"}, {"steps"});
  refused({"--no-such-option"}, {"--no-such-option"});
  refused({"--orientation", "up"}, {"--orientation", "exif or ignore", "up"});
  refused({"--size", "0"}, {"--size"});
  refused({"--size", "64xx"}, {"--size"});
  refused({"--size", "99999"}, {"--size", "65536"});
  refused({"--crop", "12.5"}, {"--crop", "12.5"});
  refused({"--crop", "64", "--no-crop"}, {"--crop", "--no-crop"});
  refused({"--crop", "8"}, {"8×8"});
  refused({"--mean", "0.5,0.5"}, {"--mean", "one number or three"});
  refused({"--mean", "123.675"}, {"--mean", "divide it by 255"});
  refused({"--std", "0"}, {"--std", "0"});
  refused({"--std", "nan"}, {"--std", "nan"});
  refused({"--std", "58.4"}, {"--std", "divide it by 255"});
  refused({"--channels", "2"}, {"--channels"});
  refused({"--channels", "grey"}, {"--channels", "grey"});
  refused({"--transform-input", "maybe"}, {"--transform-input", "yes or no"});
  refused({"--transform-input", "yes"}, {"squeezenet1_1", "transform_input", "GoogLeNet"});

  const std::string labels = explain.file("labels.txt", "tench\ngoldfish\n");
  refused({"--labels", labels, "--classes", "1000"}, {"2 labels", "1000"});
  refused({"--labels", labels, "--classes", "2", "--class", "goldfsh"}, {"goldfsh", "goldfish"});
  const Explain other;
  other.refused(1, {explain.photo(), "--labels", explain.folder() / "none.txt"}, {"none.txt"});
  other.refused(1, {explain.photo(), "--labels", explain.file("nothing.txt", "")}, {"nothing.txt"});
  other.refused(1, {explain.photo(), "--memory", "1K"}, {"--memory"});
  other.refused(
      1, {explain.photo(), "--method", "integrated_gradients", "--integrated_gradients.baseline", "none.png"},
      {"none.png"});
  const auto baseline = [&](int status, const std::string& bytes, const std::vector<std::string>& parts) {
    other.refused(status,
                  {explain.photo(), "--method", "integrated_gradients", "--integrated_gradients.baseline",
                   explain.file("baseline.npy", bytes)},
                  parts);
  };
  baseline(1, "\x93NUMPY and no more", {"baseline.npy"});
  baseline(2, npy_of("<f4", "(3, 2, 2)", std::string(48, '\0')),
           {"baseline.npy", "(1, 3, 2, 2)", "(1, 3, 224, 224)"});
  baseline(1, npy_of("|u1", "(3, 2, 2)", std::string(12, '\0')), {"baseline.npy", "u8"});
}

TEST_CASE("a device that this build or this machine lacks") {
  const Explain explain;
  for (const Backend b : {Backend::cuda, Backend::sim}) {
    try {
      DeviceModule::of(b);
    } catch (const Error& e) {
      const std::string name(backend_name(b));
      explain.refused(1, {explain.photo(), "--device", name}, {"device " + name, e.what()});
    }
  }
}

TEST_CASE("the simulator's options, and a device with too little memory") {
  if (!DeviceModule::present(Backend::sim)) return;
  const Explain explain;
  const auto refused = [&](int status, const std::string& option, const std::string& value,
                           const std::vector<std::string>& parts) {
    explain.refused(status, {explain.photo(), "--device", "sim", option, value}, parts);
  };
  refused(2, "--sim.seed", "-1", {"--sim.seed"});
  refused(2, "--sim.seed", "two", {"--sim.seed", "two"});
  refused(2, "--sim.memory", "some", {"--sim.memory", "some"});
  refused(1, "--sim.memory", "1M", {"weights of squeezenet1_1", "5 MiB", "sim", "of 1 MiB"});
  refused(1, "--sim.memory", "6M", {"one image", "sim", "MiB free of 6 MiB", "smaller images"});
}

TEST_CASE("weights of another network, in the lines that people see") {
  const Explain explain;
  const std::string path = explain.folder() / "w.safetensors";
  NamedTensors weights;
  for (const auto& [name, values] :
       test::formula_weights(models::build("squeezenet1_1", {.classes = 10}).graph))
    weights.emplace_back(name, values);
  write_safetensors(path, weights);
  explain.refused(1, {explain.photo(), "--weights", path}, {"w.safetensors", "--classes 10"});
  explain.works({explain.photo(), "--weights", path, "--classes", "10"});
  explain.works({explain.photo(), "--weights", path, "--labels",
                 explain.file("ten", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n")});
  weights.emplace_back("features.13.weight", Tensor::zeros(Dtype::f32, {1}));
  write_safetensors(path, weights);
  explain.refused(1, {explain.photo(), "--weights", path, "--classes", "10"},
                  {"features.13.weight", "squeezenet1_1 does not have", "--weights.extra ignore"});
  explain.refused(2, {explain.photo(), "--weights", path, "--weights.extra", "some"}, {"--weights.extra"});
  explain.works({explain.photo(), "--weights", path, "--classes", "10", "--weights.extra", "ignore"});
}

TEST_CASE("a method that does not suit the network, when asked for by name") {
  const Explain explain;
  const std::string small = explain.folder() / "small.safetensors";
  write_safetensors(small, {{"input", Tensor::zeros(Dtype::f32, {3, 32, 32})}});
  explain.refused(2, {small, "--method", "gradient,grad_cam"},
                  {"grad_cam", "squeezenet1_1", "(1, 512, 1, 1)"});
  explain.refused(2, {small, "--method", "occlusion", "--occlusion.window", "40"}, {"occlusion", "40", "32"});
  std::vector<std::string> all = quick_methods();
  all.insert(all.end(), {small, "--method", "all"});
  explain.works(all);
  explain.refused(2, {explain.photo(), "--model", "alexnet", "--method", "gradient,cam"}, {"cam", "alexnet"});
}

TEST_CASE("output folders that cannot be written") {
  const Explain explain;
  const std::string file = explain.file("file", "x");
  for (const std::string& out : {file, file + "/deeper", std::string("/proc/loupe")}) {
    explain.refused(1, {explain.photo(), "--out", out}, {out});
    CHECK(read_text(file) == "x");
  }
  // A file where the picture's folder should be.
  // Of others, and so not to be replaced; nor is a folder of Loupe's to which something was added.
  fs::create_directory(explain.folder() / "results");
  write_text(explain.folder() / "results/photo", "x");
  explain.refused(1, {explain.photo(), "--out", explain.folder() / "results"}, {"results", "photo"});
  CHECK(read_text(explain.folder() / "results/photo") == "x");
  CHECK(std::distance(fs::directory_iterator(explain.folder() / "results"), {}) == 1);
  // A run that fails later takes its new folders away again.
  explain.refused(2,
                  {explain.photo(), "--out", explain.folder() / "new/deeper", "--method",
                   "gradient,occlusion", "--occlusion.window", "999"},
                  {"window"});
  CHECK(!fs::exists(explain.folder() / "new"));
}

TEST_CASE("commands that are not understood") {
  check_refused(loupe({}), 2, {"explain", "--help"});
  check_refused(loupe({"explian", "photo.jpg"}), 2, {"explian", "explain"});
  check_refused(loupe({"explain"}), 2, {"IMAGE"});
  if (models::has_built_in_weights("zoo"))
    check_refused(loupe({"explain", "nowhere.jpg"}), 1, {"nowhere.jpg", "no such file"});
  else
    check_refused(loupe({"explain", "nowhere.jpg"}), 2, {"--weights", "zoo"});
  check_refused(loupe({"explain", "photo.jpg", "--model", "alexnet"}), 2, {"--weights"});
  check_refused(loupe({"explain", "photo.jpg", "--model"}), 2, {"--model needs a value"});
  check_refused(loupe({"layers", "--model", "alexnet", "--model", "vgg16"}), 2,
                {"--model is given more than once"});
  check_refused(loupe({"ops", "conv2d"}), 2, {"conv2d"});
  check_refused(loupe({"layers", "--model", "alexnet", "--size", "224by224"}), 2, {"--size"});
  check_refused(loupe({"layers", "--model", "alexnet", "--size", "0"}), 2, {"--size"});
  check_refused(loupe({"layers", "--model", "alexnet", "--size", "8"}), 2, {"alexnet", "8×8"});
  check_refused(loupe({"layers", "--model", "alexnett"}), 2, {"alexnet"});
  check_refused(loupe({"plan", "--model", "alexnet", "--rule", "gradeint"}), 2, {"gradeint", "gradient"});
  check_refused(loupe({"plan", "--model", "alexnet", "--to", "features.0"}), 2, {"--rule"});
  check_refused(loupe({"plan", "--model", "alexnet", "--from", "features.O"}), 2, {"features.O"});
  check_refused(loupe({"plan", "--model", "alexnet", "--batch", "0"}), 2, {"--batch"});
  check_refused(loupe({"plan", "--model", "alexnet", "--device", "gpu"}), 2, {"gpu", "cuda"});
  check_refused(loupe({"plan", "--model", "alexnet", "--sim.seed", "1"}), 2, {"--sim.seed"});
}

}  // namespace loupe::test
