// Text models from files, against what transformers computes of them in double (tests/oracle/make_text_models.py).
#include "models/text/text_model.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "engine/training/initial_weights.h"
#include "models/text/text_file.h"
#include "tests/support/command.h"
#include "tests/support/text_models.h"

namespace loupe::test {
namespace {

namespace fs = std::filesystem;

const std::vector<std::pair<std::string, std::string>> kModels{{"llama", "llama"},
                                                               {"llama.gguf", "llama"},
                                                               {"llama_sharded", "llama_sharded"},
                                                               {"gpt2", "gpt2"},
                                                               {"bert", "bert"}};

// What loading says of a copy of the folder with one file changed.
std::string error_of(const Folder& folder, const std::string& name, const std::string& file,
                     const std::string& from, const std::string& to) {
  const std::string copy = folder / ("copy of " + name);
  fs::remove_all(copy);
  fs::copy(kTextFixtures + name, copy);
  std::string text = read_text(copy + "/" + file);
  const size_t at = text.find(from);
  REQUIRE(at != text.npos);
  write_text(copy + "/" + file, text.replace(at, from.size(), to));
  try {
    load_text(copy, Device::cpu());
    return "(no error)";
  } catch (const Error& e) {
    CHECK(std::string(e.what()).find('\n') == std::string::npos);
    return e.what();
  }
}

}  // namespace

TEST_CASE("scores, patterns and gradients of the rows of tokens") {
  for (const auto& [file, golden] : kModels) {
    const TextErrors ref = text_errors(file, golden, Device::ref()),
                     cpu = text_errors(file, golden, Device::cpu());
    CAPTURE(file);
    // GGUF stores the norms' eps as f32, 2.5e-13 from that of config.json; float32 weights are exact in double.
    const double bound = file == "llama.gguf" ? 1e-11 : 1e-12;
    CHECK(ref.scores < bound);
    CHECK(ref.patterns < bound);
    CHECK(ref.gradient < 10 * bound);
    CHECK(cpu.scores < 2e-6);
    CHECK(cpu.patterns < 2e-6);
    CHECK(cpu.gradient < 2e-5);
  }
}

TEST_CASE("a model of Loupe's own comes back from its file, to the bit, and in f16 as far as that goes") {
  const Folder folder;
  const TextConfig config = attention_only(2, 40, 16, 32, 4);
  const auto weights = initial_weights(text_graph(config), 3);
  const std::vector<Ids> ids{{1, 2, 3, 39, 0}};
  const auto logits = [&](TextModel model) {
    const auto inputs = model.inputs(ids);
    Execution& run = model.network.execution(shapes_of(inputs), {.values = {model.node("logits")}});
    run.forward(inputs);
    return run.value(model.node("logits"));
  };
  const Tensor made = logits(text_model("made", config, weights, Device::cpu()));
  write_text_model(folder / "whole.safetensors", config, weights);
  write_text_model(folder / "half.safetensors", config, weights, true, {{"who", "a test"}});
  CHECK(largest_difference(logits(load_text(folder / "whole.safetensors", Device::cpu())), made) == 0);
  const TextModel half = load_text(folder / "half.safetensors", Device::cpu());
  CHECK(half.config == config);
  CHECK(fs::file_size(folder / "half.safetensors") <
        0.6 * static_cast<double>(fs::file_size(folder / "whole.safetensors")));
}

TEST_CASE("what does not fit is one line that says what") {
  const Folder folder;
  const auto says = [&](const std::string& name, const std::string& from, const std::string& to,
                        const std::string& part) {
    const std::string error = error_of(folder, name, "config.json", from, to);
    CHECK_MESSAGE(error.find(part) != error.npos, error);
  };
  says("llama", "\"llama\"", "\"mamba\"", "mamba");
  says("llama", "\"hidden_size\": 24", "\"hidden_size\": 25", "25");
  says("llama", "\"hidden_size\": 24", "\"hidden_size\": \"wide\"", "hidden_size");
  says("llama", "\"num_attention_heads\": 6", "\"num_attention_heads\": 0", "num_attention_heads");
  says("llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "model.layers.2");
  says("llama", "{", "[", "config.json");
  const std::string shard = error_of(folder, "llama_sharded", "model.safetensors.index.json",
                                     "model-00002-of-00004.safetensors", "model-00009-of-00004.safetensors");
  CHECK_MESSAGE(shard.find("00009") != shard.npos, shard);
  CHECK_THROWS_WITH_AS(load_text(folder / "none", Device::cpu()), doctest::Contains("none"), Error);

  const TextModel model = load_text(kTextFixtures + "gpt2", Device::cpu());
  CHECK_THROWS_WITH_AS(model.inputs(std::vector<Ids>{}), doctest::Contains("no sequence"), UsageError);
  CHECK_THROWS_WITH_AS(model.inputs({{}}), doctest::Contains("no token"), UsageError);
  CHECK_THROWS_WITH_AS(model.inputs({Ids(10, 1)}), doctest::Contains("at most 9 tokens"), UsageError);
  CHECK_THROWS_WITH_AS(model.inputs({{29}}), doctest::Contains("token 29 (number 0) is not one of the 29"),
                       UsageError);
  CHECK_THROWS_WITH_AS(model.inputs({{-1}}), doctest::Contains("token -1"), UsageError);
  CHECK_THROWS_WITH_AS(model.expect_head(0, 3), doctest::Contains("there is no head L0H3"), UsageError);
}

}  // namespace loupe::test
