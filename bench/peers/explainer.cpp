// One network of Loupe that explains when it is told to, for programs that time it and another in turns (gradients.py):
//
//   explainer NETWORK     with formula weights and formula input on the cpu device; then a line at a time from stdin:
//   CLASS METHOD FILE option=value…     explains, writes the first map to FILE, f64 row-major, and answers with a line of
//                                       JSON: {"seconds": …, "checks": {…}}, or {"error": "…"}
//
// Time is from the picture's tensor to the map's.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "models/io/formula.h"
#include "models/loupe.h"

namespace {

using namespace loupe;
using Json = nlohmann::json;

Json explain(ImageModel& model, const Tensor& x, const Tensor& logits, const std::string& request) {
  std::istringstream words(request);
  int64_t cls = 0;
  std::string name, file, option;
  words >> cls >> name >> file;
  const Method& method = find_method(name);
  Options options(name, method.options);
  while (words >> option) {
    const size_t equals = option.find('=');
    if (equals == option.npos) throw UsageError("'" + option + "' is no option=value");
    options.set(option.substr(0, equals), option.substr(equals + 1));
  }
  const auto start = std::chrono::steady_clock::now();
  const Explanation found =
      method.run({.model = model, .input = x, .target = cls, .logits = logits}, options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const Tensor map = found.maps.at(0).values.to(Dtype::f64);
  std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(map.raw()), map.bytes());
  Json checks = Json::object();
  for (const Check& c : found.checks) checks[c.name] = c.value;
  return {{"seconds", seconds}, {"checks", checks}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: explainer NETWORK\n";
    return 2;
  }
  try {
    ImageModel model = models::load(argv[1], "formula", Device::cpu());
    const Tensor x = formula_input(model.graph().input_shapes(1).at(0));
    const Tensor logits = model.logits(x);
    for (std::string line; std::getline(std::cin, line);) {
      Json answer;
      try {
        answer = explain(model, x, logits, line);
      } catch (const std::exception& e) {
        answer = {{"error", e.what()}};
      }
      std::cout << answer.dump() << std::endl;
    }
  } catch (const std::exception& e) {
    std::cerr << "explainer: " << e.what() << "\n";
    return 1;
  }
}
