// `loupe train`, with schedules of a few steps: going on after any end leads to the same bits, and what goes
// wrong is said in one line and loses nothing.
// ctest: LABELS big
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "engine/training/telemetry.h"
#include "models/io/checkpoint.h"
#include "models/io/safetensors.h"
#include "models/models.h"
#include "tests/support/command.h"

namespace loupe::test {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

Words joined(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const Words kShort{"--steps", "6", "--batch", "4"};

// A folder that `loupe train` works in.
struct Training {
  Folder folder;
  std::string network = "zoo";
  std::string out = folder / "run";

  Words words(const Words& more) const {
    Words all = joined({"train", network, "--out", out, "--threads", "2"}, more);
    if (!std::ranges::count(more, "--test")) all = joined(all, {"--test", "0"});
    return all;
  }
  Said run(const Words& more, const std::string& before = "") const { return loupe(words(more), before); }
  void works(const Words& more) const {
    const Said said = run(more);
    REQUIRE_MESSAGE(said.status == 0, said.err);
    CHECK(said.err.empty());  // no progress in a pipe
  }
  // One line "loupe: …" with these parts, nothing on standard output.
  void fails(int status, const Words& more, const Words& parts, const std::string& before = "") const {
    const Said said = run(more, before);
    CAPTURE(said.err);
    CHECK(said.status == status);
    CHECK(said.out.empty());
    CHECK(said.err.starts_with("loupe: "));
    CHECK(std::ranges::count(said.err, '\n') == 1);
    for (const std::string& part : parts) CHECK_MESSAGE(said.err.find(part) != std::string::npos, part);
  }
  std::string file(const std::string& name) const { return out + "/" + name; }
  std::string checkpoint() const { return file("checkpoint.safetensors"); }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    if (fs::exists(out))
      for (const auto& entry : fs::directory_iterator(out)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }
  // Of telemetry.jsonl; every one is whole.
  std::vector<json> lines() const {
    std::istringstream text(read_text(file("telemetry.jsonl")));
    std::vector<json> all;
    for (std::string line; std::getline(text, line);) all.push_back(json::parse(line));
    return all;
  }
};

void check_steps(const std::vector<json>& lines, int64_t count) {
  REQUIRE(std::ssize(lines) == count);
  for (int64_t i = 0; i < count; ++i) CHECK(lines[static_cast<size_t>(i)]["step"] == i);
}

}  // namespace

TEST_CASE("training that was stopped goes on to the same bits, and telemetry has one line a step") {
  const Training whole, parts;
  whole.works(kShort);
  parts.works(joined(kShort, {"--stop-after", "2", "--checkpoint-every", "1"}));
  CHECK(read_checkpoint(parts.checkpoint()).state.next_step == 2);
  CHECK(parts.files() == Words{"checkpoint.safetensors", "telemetry.jsonl"});
  parts.works({"--resume", "--stop-after", "1", "--steps", "6"});
  check_steps(parts.lines(), 3);
  parts.works({"--resume"});
  CHECK(read_text(parts.checkpoint()) == read_text(whole.checkpoint()));
  CHECK(read_text(parts.file("zoo.safetensors")) == read_text(whole.file("zoo.safetensors")));
  CHECK(parts.files() == Words{"checkpoint.safetensors", "telemetry.jsonl", "zoo.json", "zoo.safetensors"});

  const auto lines = parts.lines(), expected = whole.lines();
  check_steps(lines, 6);
  check_steps(expected, 6);
  const Graph graph = models::build("zoo").graph;
  std::vector<std::string> layers, relus;
  for (NodeId n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    if (!node.op) continue;
    const auto kind = node.op->kind().name;
    if (kind == "relu") relus.push_back(node.name);
    if (kind == "conv2d" || kind == "linear") layers.push_back(node.name);
  }
  REQUIRE(layers.size() == 6);
  REQUIRE(relus.size() == 5);
  for (size_t i = 0; i < lines.size(); ++i) {
    for (const char* key : {"loss", "accuracy", "rate", "gradient_norm", "parameter_norm"}) {
      CAPTURE(key);
      CHECK(std::isfinite(lines[i].at(key).get<double>()));
      CHECK(lines[i].at(key) == expected[i].at(key));
    }
    CHECK(lines[i].at("images_per_second").get<double>() > 0);
    CHECK(lines[i].at("update_ratio").size() == layers.size());
    CHECK(lines[i].at("dead_relu").size() == relus.size());
    for (const std::string& layer : layers) CHECK(lines[i]["update_ratio"].at(layer).get<double>() > 0);
    for (const std::string& relu : relus) CHECK(lines[i]["dead_relu"].contains(relu));
  }
  // A finished training that is taken up again has nothing left to do.
  parts.works({"--resume"});
  CHECK(read_text(parts.checkpoint()) == read_text(whole.checkpoint()));
  check_steps(parts.lines(), 6);
}

TEST_CASE("the weights are the checkpoint's, rounded to f16, and the record says how they came about") {
  const Training training;
  const Said said =
      training.run(joined(kShort, {"--test", "28", "--test-seed", "5", "--rate", "0.001", "--json"}));
  REQUIRE_MESSAGE(said.status == 0, said.err);
  const Checkpoint last = read_checkpoint(training.checkpoint());
  CHECK(last.state.next_step == 6);
  const std::string path = training.file("zoo.safetensors");
  const SafetensorsFile weights = SafetensorsFile::open(path);
  const Graph graph = models::build("zoo").graph;
  CHECK(weights.names().size() == graph.parameters().size());
  for (NodeId p : graph.parameters()) {
    const std::string& name = graph.node(p).name;
    CAPTURE(name);
    CHECK(weights.info(name).dtype == "F16");
    const Tensor rounded = weights.tensor(name), exact = last.state.tensors.at(name);
    double worst = 0;  // in units of half a last place of f16: 2⁻¹¹ of the value, at least 2⁻²⁵
    for (int64_t i = 0; i < exact.numel(); ++i)
      worst = std::max(worst, std::abs(rounded.item(i) - exact.item(i)) /
                                  std::max(0x1p-11 * std::abs(exact.item(i)), 0x1p-25));
    CHECK(worst <= 1);
  }
  const json record = json::parse(said.out);
  CHECK(record == json::parse(read_text(training.file("zoo.json"))));
  CHECK(record["network"] == "zoo");
  CHECK(record["command"] == "loupe train zoo --steps 6 --batch 4 --rate 0.001 --warmup 0");
  CHECK(weights.metadata().at("command") == record["command"]);
  CHECK(record["settings"]["rate"] == "0.001");
  CHECK(record["threads"] == 2);
  CHECK(record["weights_bytes"] == fs::file_size(path));
  double seconds = 0;
  for (const json& line : training.lines()) seconds += 4 / line["images_per_second"].get<double>();
  CHECK(std::abs(record["seconds"].get<double>() - seconds) < 0.006);  // it has two decimals
  CHECK(record["test"]["count"] == 28);
  CHECK(record["test"]["seed"] == 5);
  const Said again =
      loupe({"zoo", "test", "--network", "zoo", "--weights", path, "--count", "28", "--seed", "5", "--json"});
  REQUIRE_MESSAGE(again.status == 0, again.err);
  CHECK(json::parse(again.out)["classes"] == record["test"]["classes"]);
}

TEST_CASE("Ctrl-C leaves a checkpoint that goes on, and says how") {
  for (const int signal : {SIGINT, SIGTERM}) {
    const Training training;
    const std::string err = training.folder / "err";
    const Words words = training.words({"--steps", "100000", "--batch", "2"});
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const int to = ::open(err.c_str(), O_WRONLY | O_CREAT, 0600);
      ::dup2(to, STDERR_FILENO);
      std::string program = LOUPE_BINARY_DIR "/bin/loupe";
      std::vector<char*> argv{program.data()};
      for (const std::string& w : words) argv.push_back(const_cast<char*>(w.c_str()));
      argv.push_back(nullptr);
      ::execv(program.c_str(), argv.data());
      ::_exit(127);
    }
    // A line of telemetry shows that it is under way; a child that ended never writes one.
    const std::string telemetry = training.file("telemetry.jsonl");
    int status = 0;
    while (!(fs::exists(telemetry) && fs::file_size(telemetry) > 0) &&
           ::waitpid(child, &status, WNOHANG) == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    REQUIRE(::kill(child, signal) == 0);
    REQUIRE(::waitpid(child, &status, 0) == child);
    const std::string said = read_text(err);
    CAPTURE(said);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 130);
    CHECK(std::ranges::count(said, '\n') == 1);
    CHECK(said.find("`loupe train zoo --out " + training.out + " --resume` goes on") != std::string::npos);
    const int64_t done = read_checkpoint(training.checkpoint()).state.next_step;
    CHECK(done >= 1);
    CHECK(training.files() == Words{"checkpoint.safetensors", "telemetry.jsonl"});
    check_steps(training.lines(), done);
    training.works({"--resume", "--stop-after", "2"});
    CHECK(read_checkpoint(training.checkpoint()).state.next_step == done + 2);
    check_steps(training.lines(), done + 2);
  }
}

TEST_CASE("a checkpoint is neither overwritten unasked nor taken for another training's") {
  const Training training;
  training.works(joined(kShort, {"--stop-after", "1"}));
  const std::string before = read_text(training.checkpoint());
  training.fails(2, kShort, {training.out, "--resume", "--out"});
  training.fails(2, {"--resume", "--rate", "0.5"}, {"--rate 0.5", "--resume", "0.003"});
  training.fails(2, {"--resume", "--seed", "2"}, {"--seed 2"});
  training.fails(2, {"--resume", "--steps", "7"}, {"--steps 7"});
  training.fails(2, {"--resume", "--optimizer", "sgd"}, {"--optimizer sgd", "adamw"});
  Training other;
  other.network = "zoo_fc";
  other.out = training.out;
  other.fails(2, {"--resume"}, {"checkpoint of zoo, not of zoo_fc"});
  CHECK(read_text(training.checkpoint()) == before);
  check_steps(training.lines(), 1);
}

TEST_CASE("a checkpoint that is missing, damaged, cut, foreign or does not fit is left as it is") {
  const Training none;
  none.fails(1, {"--resume"}, {none.checkpoint(), "no checkpoint"});
  CHECK(!fs::exists(none.out));

  const Training training;
  training.works(joined(kShort, {"--stop-after", "1"}));
  const std::string good = read_text(training.checkpoint()),
                    telemetry = read_text(training.file("telemetry.jsonl"));
  const auto refused = [&](const std::string& bytes, const Words& parts) {
    write_text(training.checkpoint(), bytes);
    training.fails(1, {"--resume"}, joined({training.checkpoint()}, parts));
    CHECK(read_text(training.checkpoint()) == bytes);
    CHECK(read_text(training.file("telemetry.jsonl")) == telemetry);
    CHECK(training.files() == Words{"checkpoint.safetensors", "telemetry.jsonl"});
  };
  for (const size_t at : {good.size() - 1, good.size() / 2, good.size() / 9}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    refused(bad, {"damaged"});
  }
  const size_t rate = good.find("0.003");
  REQUIRE(rate != std::string::npos);
  std::string other_rate = good;
  other_rate[rate + 4] = '4';
  refused(other_rate, {"damaged"});
  for (const size_t size : {good.size() - 1, good.size() / 2, size_t{100}, size_t{3}, size_t{0}})
    refused(good.substr(0, size), {});
  refused("Dear diary, today I learned nothing.", {});

  const std::string foreign = training.folder / "foreign.safetensors";
  write_safetensors(foreign, {{"fc.weight", Tensor::zeros(Dtype::f32, {14, 256})}}, {{"network", "zoo"}});
  refused(read_text(foreign), {"not a checkpoint"});
  // A sound checkpoint of something else that calls itself zoo's.
  Checkpoint stranger;
  stranger.state.tensors.emplace("fc.weight", Tensor::zeros(Dtype::f32, {14, 256}));
  stranger.settings["network"] = "zoo";
  write_checkpoint(foreign, stranger);
  refused(read_text(foreign), {"does not fit zoo", "lacks"});

  write_text(training.checkpoint(), good);
  training.works({"--resume"});
}

TEST_CASE("a full disk is said with the file's name, and the last checkpoint stays whole") {
  // A limit on the size of files stands for it: more than telemetry takes, less than a checkpoint.
  const std::string full = "ulimit -f 2000;";
  const Training fresh;
  fresh.fails(1, kShort, {fresh.checkpoint(), "File too large"}, full);
  CHECK(fresh.files().empty());

  const Training training, whole;
  training.works(joined(kShort, {"--stop-after", "2"}));
  const std::string good = read_text(training.checkpoint());
  training.fails(1, {"--resume", "--checkpoint-every", "1"}, {training.checkpoint(), "File too large"}, full);
  CHECK(read_text(training.checkpoint()) == good);
  CHECK(training.files() == Words{"checkpoint.safetensors", "telemetry.jsonl"});
  training.works({"--resume"});
  check_steps(training.lines(), 6);
  whole.works(kShort);
  CHECK(read_text(training.checkpoint()) == read_text(whole.checkpoint()));
}

TEST_CASE("telemetry that finds the disk full says so, and loses only the line that did not fit") {
  const Folder folder;
  const std::string file = folder / "telemetry.jsonl";
  StepReport report;
  {
    Telemetry telemetry(file, 0);
    rlimit old{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
    const rlimit small{1000, old.rlim_max};
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    std::string said;
    try {
      for (; report.step < 1000; ++report.step) telemetry.write(report);
    } catch (const Error& e) {
      said = e.what();
    }
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &old) == 0);
    std::signal(SIGXFSZ, handler);
    CHECK(said == "cannot write '" + file + "': File too large");
  }
  CHECK(read_text(file).back() != '\n');
  const int64_t failed = report.step;
  Telemetry telemetry(file, failed);
  telemetry.write(report);
  std::istringstream text(read_text(file));
  int64_t step = 0;
  for (std::string line; std::getline(text, line);) CHECK(json::parse(line)["step"] == step++);
  CHECK(step == failed + 1);
}

TEST_CASE("training that diverges names the step and keeps a checkpoint from before") {
  Training training;
  training.network = "zoo_fc";
  const Words wild{"--steps", "30",   "--batch", "4", "--optimizer", "sgd",
                   "--rate",  "1000", "--clip",  "0", "--warmup",    "0"};
  training.fails(1, joined(wild, {"--checkpoint-every", "1"}),
                 {"of step ", "last good checkpoint", training.checkpoint(), "--rate"});
  const Checkpoint good = read_checkpoint(training.checkpoint());
  const auto steps = std::ssize(training.lines());
  CHECK(good.state.next_step >= 1);
  CHECK(good.state.next_step == steps - 1);  // the state after the last line led to no finite loss
  for (const auto& [name, tensor] : good.state.tensors) {
    CAPTURE(name);
    CHECK(std::ranges::all_of(tensor.values<float>(), [](float x) { return std::isfinite(x); }));
  }
  // The same happens again from there, and the checkpoint is still kept.
  const std::string before = read_text(training.checkpoint());
  training.fails(1, {"--resume"}, {"of step " + std::to_string(steps), "last good checkpoint"});
  CHECK(read_text(training.checkpoint()) == before);
  // There is one even where none was due before: that of the start.
  Training early;
  early.network = "zoo_fc";
  early.fails(1, wild, {"last good checkpoint", early.checkpoint()});
  CHECK(read_checkpoint(early.checkpoint()).state.next_step == 0);
}

TEST_CASE("settings that make no sense") {
  const Training training;
  for (const char* option : {"--steps", "--batch", "--checkpoint-every", "--stop-after", "--threads"})
    for (const char* value : {"0", "-1", "1.5", "many", ""}) training.fails(2, {option, value}, {option});
  for (const char* option : {"--rate", "--momentum", "--weight-decay", "--clip", "--label-smoothing",
                             "--final-fraction", "--warmup", "--test", "--test-seed", "--seed"})
    for (const char* value : {"-1", "nan", "some"}) training.fails(2, {option, value}, {option});
  training.fails(2, {"--label-smoothing", "1"}, {"--label-smoothing"});
  training.fails(2, {"--optimizer", "adam"}, {"adam", "adamw", "sgd"});
  training.fails(2, {"--device", "gpu"}, {"gpu", "cuda"});
  training.fails(2, {"--stepz", "3"}, {"--stepz", "--steps"});
  Training unknown;
  unknown.network = "zooo";
  unknown.out = training.out;
  unknown.fails(2, {}, {"'zooo'", "'zoo'"});
  unknown.network = "alexnet";
  unknown.fails(2, {}, {"drop"});
  training.fails(1, {"--init", training.folder / "none.safetensors"}, {"none.safetensors"});
  CHECK(!fs::exists(training.out));

  Training elsewhere;
  for (const std::string& out : {std::string("/proc/loupe"), elsewhere.folder / "file"}) {
    write_text(elsewhere.folder / "file", "x");
    elsewhere.out = out;
    elsewhere.fails(1, kShort, {out});
  }
  CHECK(read_text(elsewhere.folder / "file") == "x");
}

}  // namespace loupe::test
