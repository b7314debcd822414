#include "tools/loupe/inputs.h"

#include <cmath>
#include <filesystem>
#include <set>

#include "engine/tensor/npy.h"
#include "models/io/safetensors.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

std::string extension(const std::string& path) {
  std::string e = fs::path(path).extension().string();
  for (char& c : e)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return e;
}

Tensor read_tensor(const std::string& path, int64_t channels) {
  const Tensor t = extension(path) == ".npy" ? read_npy(path) : SafetensorsFile::open(path).tensor("input");
  const auto fail = [&](const std::string& what) { throw Error("the input in '" + path + "' " + what); };
  const Shape& s = t.shape();
  const bool image = s.rank() == 3 && s[0] == channels,
             batch = s.rank() == 4 && s[0] == 1 && s[1] == channels;
  if (!image && !batch) fail("has shape " + s.str() + ", not (" + std::to_string(channels) + ", H, W)");
  if (s.numel() == 0) fail("is empty: its shape is " + s.str());
  if (t.dtype() != Dtype::f32 && t.dtype() != Dtype::f64)
    fail("holds " + std::string(dtype_name(t.dtype())) + ", not preprocessed floating-point numbers");
  const Tensor x = (image ? t.reshape({1, channels, s[1], s[2]}) : t).to(Dtype::f32);
  for (const float v : x.values<const float>())
    if (!std::isfinite(v)) fail("holds numbers that are not finite");
  return x;
}

// Names of folders next to report.html, each once.
std::string unique_name(const std::string& path, std::set<std::string>& taken) {
  std::string stem = fs::path(path).stem().string();
  if (stem.find_first_not_of('.') == stem.npos) stem = "picture";  // "...jpg" must not lead out of the folder
  std::string name = stem;
  for (int i = 2; !taken.insert(name).second; ++i) name = stem + "-" + std::to_string(i);
  return name;
}

}  // namespace

std::vector<Input> name_inputs(const std::vector<std::string>& paths) {
  std::vector<Input> inputs;
  std::set<std::string> taken{"report.html"};
  for (const std::string& path : paths) inputs.push_back({path, unique_name(path, taken)});
  return inputs;
}

Tensor read_input(const std::string& path, const Preprocessing& how, Orientation orientation) {
  std::error_code error;
  if (!fs::exists(path, error)) throw Error("cannot read '" + path + "': there is no such file");
  const bool holds_tensor = extension(path) == ".npy" || extension(path) == ".safetensors";
  return holds_tensor ? read_tensor(path, how.channels) : preprocess(read_image(path, orientation), how);
}

}  // namespace loupe
