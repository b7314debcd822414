// The command as its user sees it: what it prints, what it writes, and that its results do not depend on how
// it runs.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/image/image.h"
#include "engine/run/method.h"
#include "models/io/formula.h"
#include "models/io/safetensors.h"
#include "models/models.h"
#include "tests/support/command.h"
#include "tests/support/networks.h"
#include "tests/support/sanitized.h"

namespace loupe::test {
namespace {

using nlohmann::json;

/// A picture with something in it.
std::string photograph(const Folder& folder, const std::string& name, int64_t width = 300,
                       int64_t height = 260) {
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < 3; ++c)
        image.pixel(y, x)[c] =
            static_cast<uint8_t>((x * (c + 1) + y * y / (20 + 7 * c) + (x / 40 + y / 40) % 2 * 90) % 256);
  const fs::path path = folder.path() / name;
  fs::create_directories(path.parent_path());
  write_png(path, image);
  return path.string();
}

Said explain(std::vector<std::string> words) {
  words.insert(words.begin(), {"explain", "--model", "squeezenet1_1", "--weights", "formula"});
  return loupe(words);
}

std::set<std::string> files_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (!entry.is_directory()) names.insert(fs::relative(entry.path(), folder).string());
  return names;
}

size_t widest(const std::string& text) {
  size_t most = 0, now = 0;
  for (const char c : text) {
    if (c == '\n')
      now = 0;
    else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80)
      most = std::max(most, ++now);
  }
  return most;
}

}  // namespace

TEST_CASE("--version and --help") {
  CHECK(loupe({"--version"}).out.starts_with("loupe "));
  const Said help = loupe({"--help"});
  CHECK(help.status == 0);
  CHECK(help.err.empty());
  for (const char* command : {"explain", "layers", "methods", "models", "ops", "plan"}) {
    CHECK(help.out.find(command) != std::string::npos);
    const Said page = loupe({command, "--help"});
    CHECK(page.status == 0);
    CHECK(page.out.find("Usage: loupe " + std::string(command)) != std::string::npos);
    CHECK(widest(page.out) <= 100);
  }
  const std::string page = loupe({"explain", "--help"}).out;
  for (const Method* m : all_methods())
    for (const OptionSpec& o : m->options)
      CHECK(page.find("--" + std::string(m->name) + "." + o.name) != std::string::npos);
}

TEST_CASE("--version says what this build has, and why something is missing") {
  const std::string text = loupe({"--version"}).out;
  for (const char* part : {"\ncompiler  ", "\ncpu       ", "; this machine runs "})
    CHECK(text.find(part) != std::string::npos);
  for (const Backend b : {Backend::cuda, Backend::sim}) {
    const std::string name(backend_name(b)), row = "\n" + name + std::string(10 - name.size(), ' ');
    CHECK(text.find(row + DeviceModule::status(b)) != std::string::npos);
    if (DeviceModule::present(b)) CHECK(fs::exists(DeviceModule::status(b)));
    const bool noted = loupe({"ops"}).out.find(name + " cannot be used: ") != std::string::npos;
    CHECK(noted == !DeviceModule::present(b));
  }
}

// What the dynamic linker says about the files that it loads.
TEST_CASE("a run on the cpu loads no device module and nothing of a GPU") {
  const Folder folder;
  const std::string photo = photograph(folder, "photo.png");
  const auto loaded = [&](std::vector<std::string> words) { return loupe(words, "LD_DEBUG=files").err; };
  const std::string explained = loaded({"explain", photo, "--model", "squeezenet1_1", "--weights", "formula",
                                        "--device", "cpu", "--out", folder / "out"});
  CHECK(fs::exists(folder / "out/report.html"));
  for (const std::string& text : {explained, loaded({"--version"}), loaded({"ops"}),
                                  loaded({"plan", "--model", "alexnet", "--device", "cuda"})}) {
    REQUIRE(text.find("libstdc++.so") != std::string::npos);
    for (const char* library : {"libloupe_", "libcuda", "libcublas", "libcudnn", "libnvidia"})
      CHECK_MESSAGE(text.find(library) == std::string::npos, library);
  }
  if (!DeviceModule::present(Backend::sim)) return;
  const std::string simulated = loaded({"explain", photo, "--model", "squeezenet1_1", "--weights", "formula",
                                        "--device", "sim", "--sim.memory", "1M", "--out", folder / "out"});
  CHECK(simulated.find("libloupe_sim.so") != std::string::npos);
}

TEST_CASE("ops lists every kernel with its test") {
  const json rows = json::parse(loupe({"ops", "--json"}).out);
  size_t kernels = 0, listed = 0;
  for (const OpKind* kind : all_ops())
    for (const Backend b : kBackends)
      for (const OpKind::Row& row : kind->kernels) kernels += kind->has(b, row.direction);
  for (const json& row : rows) {
    listed += row["backends"].size();
    CHECK(row["test"] == "op." + row["op"].get<std::string>());
  }
  CHECK(listed == kernels);
  const std::string table = loupe({"ops"}).out;
  CHECK(widest(table) <= 120);
  for (const OpKind* kind : all_ops())
    CHECK(table.find("op." + std::string(kind->name)) != std::string::npos);
}

TEST_CASE("models and methods list what there is") {
  const json models = json::parse(loupe({"models", "--json"}).out);
  CHECK(models.size() == models::names().size());
  const auto vgg = std::ranges::find_if(models, [](const json& m) { return m["model"] == "vgg16"; });
  REQUIRE(vgg != models.end());
  CHECK((*vgg)["parameters"] == 138357544);  // as torchvision counts them
  CHECK((*vgg)["macs"] == 15470264320);      // and its documentation's 15.47 GFLOPS, to the digit by hand
  const auto resnet = std::ranges::find_if(models, [](const json& m) { return m["model"] == "resnet18"; });
  CHECK((*resnet)["parameters"] == 11689512);  // without running statistics, as torchvision counts them
  CHECK(widest(loupe({"models"}).out) <= 120);
  CHECK(json::parse(loupe({"methods", "--json"}).out).size() == all_methods().size());
  CHECK(loupe({"methods"}).out.find("--occlusion.window") != std::string::npos);
}

TEST_CASE("layers adds up, and follows --size and --classes") {
  const json all = json::parse(loupe({"layers", "--model", "squeezenet1_1", "--json"}).out);
  int64_t parameters = 0, macs = 0;
  for (const json& row : all["layers"]) {
    parameters += row["parameters"].get<int64_t>();
    macs += row["macs"].get<int64_t>();
  }
  CHECK(parameters == 1235496);  // as torchvision counts them
  CHECK(all["parameters"] == parameters);
  CHECK(all["macs"] == macs);
  const json& first = all["layers"][1];
  CHECK(first["node"] == "features.0");
  CHECK(first["shape"] == json({64, 111, 111}));
  CHECK(first["receptive_field"]["size"] == json({3, 3}));
  CHECK(first["receptive_field"]["stride"] == json({2, 2}));

  const json small = json::parse(
      loupe({"layers", "--model", "squeezenet1_1", "--size", "65x97", "--classes", "7", "--json"}).out);
  CHECK(small["layers"][1]["shape"] == json({64, 32, 48}));
  CHECK(small["layers"].back()["shape"] == json({7}));
  const std::string table = loupe({"layers", "--model", "squeezenet1_1"}).out;
  CHECK(table.find("1,235,496") != std::string::npos);
  CHECK(widest(table) <= 120);
}

TEST_CASE("plan shows steps, arena and tape") {
  const Said text = loupe({"plan", "--model", "squeezenet1_1", "--rule", "guided_backprop"});
  CHECK(text.status == 0);
  CHECK(text.out.find("features.3.squeeze") != std::string::npos);
  const json forward = json::parse(loupe({"plan", "--model", "squeezenet1_1", "--json"}).out);
  const json backward =
      json::parse(loupe({"plan", "--model", "squeezenet1_1", "--rule", "gradient", "--json"}).out);
  CHECK(forward["tape_bytes"] == 0);
  CHECK(backward["tape_bytes"] > 0);
  CHECK(backward["arena_bytes"] >= forward["arena_bytes"]);
  CHECK(forward["steps"].size() == forward["forward_steps"]);
  CHECK(backward["steps"].size() > backward["forward_steps"]);
  const json part =
      json::parse(loupe({"plan", "--model", "squeezenet1_1", "--from", "features.3", "--json"}).out);
  CHECK(part["steps"].size() < forward["steps"].size());
  for (const char* device : {"ref", "cpu", "cuda", "sim"}) {  // a plan needs no device
    const json plan =
        json::parse(loupe({"plan", "--model", "squeezenet1_1", "--device", device, "--json"}).out);
    CHECK(plan["device"] == device);
    CHECK(plan["arena_bytes"] > 0);
  }
}

TEST_CASE("explain writes pictures, tensors and a report, and prints JSON alone") {
  const Folder folder;
  const std::string out = folder / "deep/out";
  const Said said =
      explain({photograph(folder, "photo.png"), "--method", "gradient,cam,occlusion", "--occlusion.window",
               "64", "--occlusion.stride", "48", "--class", "7", "--out", out, "--json"});
  REQUIRE_MESSAGE(said.status == 0, said.err);
  CHECK(said.err.empty());
  const json all = json::parse(said.out);
  CHECK(files_in(out) == std::set<std::string>{"report.html", "photo/maps.safetensors", "photo/gradient.png",
                                               "photo/cam.png", "photo/occlusion_logit.png",
                                               "photo/occlusion_probability.png",
                                               "photo/occlusion_attribution.png"});
  const json& image = all["images"][0];
  CHECK(image["class"] == 7);
  CHECK(image["label"] == "class 7");
  CHECK(image["peak_bytes"] > 0);
  CHECK(image["files"].size() == 6);
  for (const json& file : image["files"]) CHECK(fs::exists(file.get<std::string>()));

  const auto maps = SafetensorsFile::open(out + "/photo/maps.safetensors");
  CHECK(maps.info("input").shape == Shape{3, 224, 224});
  CHECK(maps.info("logits").shape == Shape{1000});
  CHECK(maps.info("gradient").shape == Shape{3, 224, 224});
  CHECK(maps.info("cam").shape == Shape{13, 13});
  CHECK(maps.info("occlusion_logit").shape == Shape{5, 5});  // 1 + ⌈160/48⌉
  for (const std::string& name : maps.names()) CHECK(maps.info(name).dtype == "F32");
  const auto& meta = maps.metadata();
  CHECK(meta.at("model") == "squeezenet1_1");
  CHECK(meta.at("weights") == "formula");
  CHECK(meta.contains("loupe"));
  CHECK(meta.at("class") == "7");
  CHECK(meta.at("occlusion.window") == "64");
  CHECK(meta.at("occlusion.stride") == "48");
  CHECK(meta.contains("occlusion.fill"));
  CHECK(std::stod(meta.at("score")) == image["score"].get<double>());
  CHECK(maps.tensor("logits").item(7) == doctest::Approx(image["score"].get<double>()));

  const Image picture = read_image(out + "/photo/gradient.png");
  CHECK(picture.width == 224);
  CHECK(picture.height == 224);
  const std::string page = read_text(out + "/report.html");
  for (const char* outside : {"http:", "https:", "<script src", "<link"})
    CHECK(page.find(outside) == std::string::npos);
  size_t pictures = 0;
  for (size_t at = page.find("src=\"data:image/png;base64,"); at != std::string::npos;
       at = page.find("src=\"data:", at + 1))
    ++pictures;
  CHECK(pictures == 5);
}

TEST_CASE("explain gives the same bytes for any thread count and memory limit, and from its own tensors" *
          doctest::skip(kSanitized)) {
  const Folder folder;
  const std::string photo = photograph(folder, "photo.png");
  const std::vector<std::string> how{"--method",
                                     "gradient,guided_backprop,grad_cam,integrated_gradients,occlusion",
                                     "--integrated_gradients.steps",
                                     "5",
                                     "--occlusion.window",
                                     "100",
                                     "--occlusion.stride",
                                     "40"};
  const auto run = [&](const std::string& image, const std::string& out,
                       const std::vector<std::string>& more) {
    std::vector<std::string> words = how;
    words.insert(words.end(), {image, "--out", folder / out});
    words.insert(words.end(), more.begin(), more.end());
    const Said said = explain(words);
    REQUIRE_MESSAGE(said.status == 0, said.err);
  };
  run(photo, "a", {"--threads", "1"});
  run(photo, "b", {"--threads", "3", "--memory", "20M"});
  const std::string first = read_text(folder / "a/photo/maps.safetensors");
  CHECK(first == read_text(folder / "b/photo/maps.safetensors"));
  CHECK(read_text(folder / "a/photo/occlusion_logit.png") ==
        read_text(folder / "b/photo/occlusion_logit.png"));

  // The tensors are the input again: only the image's name differs.
  run(folder / "a/photo/maps.safetensors", "c", {});
  const auto a = SafetensorsFile::open(folder / "a/photo/maps.safetensors"),
             c = SafetensorsFile::open(folder / "c/maps/maps.safetensors");
  CHECK(a.names() == c.names());
  for (const std::string& name : a.names()) {
    const Tensor x = a.tensor(name), y = c.tensor(name);
    CHECK_MESSAGE(std::equal(x.raw(), x.raw() + x.bytes(), y.raw(), y.raw() + y.bytes()), name);
  }
  CHECK(read_text(folder / "a/photo/gradient.png") == read_text(folder / "c/maps/gradient.png"));
}

TEST_CASE("explain takes several pictures, and those of one name apart") {
  const Folder folder;
  const std::string a = photograph(folder, "a/cat.png"), b = photograph(folder, "b/cat.png", 200, 400);
  const Said said = explain({a, b, "--out", folder / "out", "--json"});
  REQUIRE_MESSAGE(said.status == 0, said.err);
  CHECK(files_in(folder / "out") == std::set<std::string>{"report.html", "cat/maps.safetensors",
                                                          "cat/gradient.png", "cat-2/maps.safetensors",
                                                          "cat-2/gradient.png"});
  CHECK(json::parse(said.out)["images"].size() == 2);
}

TEST_CASE("a picture's name does not lead out of the output folder") {
  const Folder folder;
  photograph(folder, "cat.png");
  for (const char* name : {"...png", "..png"}) {
    fs::rename(folder.path() / "cat.png", folder.path() / name);
    const Said said = explain({folder / name, "--out", folder / "out"});
    REQUIRE_MESSAGE(said.status == 0, said.err);
    CHECK(files_in(folder / "out") ==
          std::set<std::string>{"report.html", "picture/maps.safetensors", "picture/gradient.png"});
    fs::rename(folder.path() / name, folder.path() / "cat.png");
  }
}

TEST_CASE("explain takes a class by its label, and a preprocessed .npy of another size") {
  const Folder folder;
  std::string labels = "first label\nthe second\na third\n";
  write_text(folder / "labels.txt", labels);
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 80, 64), }";
  header.resize(118, ' ');
  std::string npy = std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header;
  for (int i = 0; i < 3 * 80 * 64; ++i) {
    const float x = static_cast<float>((i * 37) % 101) / 50 - 1;
    npy.append(reinterpret_cast<const char*>(&x), sizeof x);
  }
  write_text(folder / "x.npy", npy);
  const Said said =
      explain({folder / "x.npy", "--classes", "3", "--labels", folder / "labels.txt", "--class", "Second",
               "--out", folder / "out", "--json", "--device", "ref", "--method", "gradient"});
  REQUIRE_MESSAGE(said.status == 0, said.err);
  const json image = json::parse(said.out)["images"][0];
  CHECK(image["class"] == 1);
  CHECK(image["label"] == "the second");
  CHECK(image["top"].size() == 3);
  const auto maps = SafetensorsFile::open(folder / "out/x/maps.safetensors");
  CHECK(maps.info("gradient").shape == Shape{3, 80, 64});
  CHECK(maps.metadata().at("device") == "ref");
}

TEST_CASE("one run explains pictures of several sizes, each as a run of its own does") {
  const Folder folder;
  const std::vector<Shape> sizes{{3, 64, 64}, {3, 97, 111}, {3, 80, 64}};
  std::vector<std::string> files, words{"--method", "gradient,grad_cam", "--device", "cpu", "--json"};
  for (const Shape& size : sizes) {
    files.push_back(folder / (std::to_string(size[1]) + ".safetensors"));
    write_safetensors(files.back(), {{"input", formula_input(size)}});
  }
  const auto run = [&](std::vector<std::string> all, const std::string& out) {
    all.insert(all.end(), words.begin(), words.end());
    all.insert(all.end(), {"--out", folder / out});
    const Said said = explain(all);
    REQUIRE_MESSAGE(said.status == 0, said.err);
    return json::parse(said.out);
  };
  const json together = run(files, "together");
  REQUIRE(together["images"].size() == 3);
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string maps = std::to_string(sizes[i][1]) + "/maps.safetensors";
    const json alone = run({files[i]}, "alone");
    CHECK(together["images"][i]["score"] == alone["images"][0]["score"]);
    const auto ours = SafetensorsFile::open(folder / ("together/" + maps)),
               theirs = SafetensorsFile::open(folder / ("alone/" + maps));
    CHECK(ours.info("gradient").shape == sizes[i]);
    for (const char* name : {"gradient", "grad_cam", "logits"})
      CHECK(same_bits(ours.tensor(name), theirs.tensor(name)));
  }
  const std::string page = read_text(folder / "together/report.html");
  for (const char* size : {"64×64 pixels", "111×97 pixels", "64×80 pixels"})
    CHECK_MESSAGE(page.find(size) != std::string::npos, size);
}

TEST_CASE("explain in the simulator: the cpu's map, whatever the order of threads, and the device's memory") {
  if (!DeviceModule::present(Backend::sim)) return;
  const Folder folder;
  write_safetensors(folder / "x.safetensors", {{"input", formula_input({3, 64, 64})}});
  const auto run = [&](const std::string& out, const std::vector<std::string>& how) {
    std::vector<std::string> words{
        folder / "x.safetensors", "--method", "cam", "--json", "--out", folder / out};
    words.insert(words.end(), how.begin(), how.end());
    const Said said = explain(words);
    REQUIRE_MESSAGE(said.status == 0, said.err);
    return json::parse(said.out);
  };
  const auto map = [&](const std::string& out) {
    return SafetensorsFile::open(folder / (out + "/x/maps.safetensors")).tensor("cam").clone();
  };
  const json cpu = run("cpu", {"--device", "cpu"}), sim = run("sim", {"--device", "sim"});
  run("again", {"--device", "sim", "--sim.seed", "2", "--sim.memory", "8M"});
  CHECK(relative_l2(map("sim"), map("cpu")) < 1e-5);
  CHECK(same_bits(map("again"), map("sim")));
  CHECK(sim["device"] == "sim");
  CHECK(sim["device_name"].get<std::string>().starts_with("simulator"));
  CHECK(sim["device_peak_bytes"].get<int64_t>() >=
        sim["weight_bytes"].get<int64_t>() + sim["forward_arena_bytes"].get<int64_t>());
  CHECK(cpu["device_name"].is_null());
  CHECK(cpu["device_peak_bytes"].is_null());
}

TEST_CASE("--method all leaves out what does not suit the network, and says so" * doctest::skip(kSanitized)) {
  const Folder folder;
  const std::string photo = photograph(folder, "photo.png");
  const std::vector<std::string> quick = quick_methods();
  std::vector<std::string> words{"explain", photo,   "--model",      "zoo_fc", "--method",
                                 "all",     "--out", folder / "out", "--json"};
  words.insert(words.end(), quick.begin(), quick.end());
  const Said said = loupe(words);
  REQUIRE_MESSAGE(said.status == 0, said.err);
  const json all = json::parse(said.out);
  REQUIRE(all["skipped"].size() == 4);
  CHECK(all["skipped"][0]["method"] == "attention_relevance");
  CHECK(all["skipped"][1]["method"] == "attention_rollout");
  CHECK(all["skipped"][2]["method"] == "cam");
  CHECK(all["skipped"][3]["method"] == "last_attention");
  CHECK(all["images"][0]["methods"].size() == all_methods().size() - 4);
  CHECK(!fs::exists(folder / "out/photo/cam.png"));
}

}  // namespace loupe::test
