#include "tools/loupe/text_model_choice.h"

#include <algorithm>
#include <cstdio>

#include "kernels/common/parallel.h"
#include "tools/loupe/text.h"

namespace loupe {

void TextModelChoice::add_to(CLI::App& app, const std::string& group) {
  value_option(app, "--model", model, "NAME", "One that the program carries: " + join(built_in_texts()),
               group);
  value_option(app, "--weights", weights, "FILE|DIR",
               "The model: a .gguf file, a Hugging Face folder with config.json, or a .safetensors file that "
               "Loupe wrote",
               group);
  device.add_to(app, group);
  value_option(app, "--threads", threads, "N", "Threads; results do not depend on it (all cores)", group);
}

TextModel TextModelChoice::load() const {
  if (model.empty() == weights.empty())
    throw UsageError(
        "--weights names the model, a .gguf file or a folder, or --model one that the program carries: give "
        "one of them");
  const std::vector<std::string> known = built_in_texts();
  if (!model.empty() && !std::ranges::count(known, model))
    throw UsageError("there is no model '" + one_line(model) + "' in the program; it carries " + join(known));
  if (!threads.empty()) set_threads(static_cast<int>(parse_whole("--threads", threads, 1, 1024)));
  TextModel read = model.empty() ? load_text(weights, device.open(), device.kernels())
                                 : load_text_named(model, device.open(), device.kernels());
  for (const std::string& note : read.notes) std::fprintf(stderr, "loupe: %s\n", one_line(note).c_str());
  return read;
}

}  // namespace loupe
