#include "tools/loupe/inputs.h"

#include <cmath>
#include <filesystem>
#include <set>

#include "models/io/npy.h"
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

Tensor read_tensor(const std::string& path) {
  const Tensor t = extension(path) == ".npy" ? read_npy(path) : SafetensorsFile::open(path).tensor("input");
  const auto fail = [&](const std::string& what) { throw Error("the input in '" + path + "' " + what); };
  const Shape& s = t.shape();
  const bool image = s.rank() == 3 && s[0] == 3, batch = s.rank() == 4 && s[0] == 1 && s[1] == 3;
  if (!image && !batch) fail("has shape " + s.str() + ", not (3, H, W)");
  if (s.numel() == 0) fail("is empty: its shape is " + s.str());
  if (t.dtype() != Dtype::f32 && t.dtype() != Dtype::f64)
    fail("holds " + std::string(dtype_name(t.dtype())) + ", not preprocessed floating-point numbers");
  const Tensor x = (image ? t.reshape({1, 3, s[1], s[2]}) : t).to(Dtype::f32);
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

bool holds_tensor(const std::string& path) {
  return extension(path) == ".npy" || extension(path) == ".safetensors";
}

std::vector<Input> open_inputs(const std::vector<std::string>& paths) {
  std::vector<Input> inputs;
  std::set<std::string> taken{"report.html"};
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::exists(path, error)) throw Error("cannot read '" + path + "': there is no such file");
    inputs.push_back({path, unique_name(path, taken), holds_tensor(path) ? read_tensor(path) : Tensor()});
  }
  return inputs;
}

void read_photographs(std::span<Input> inputs, const Preprocessing& how) {
  for (Input& i : inputs)
    if (!i.tensor.defined()) i.tensor = preprocess(read_image(i.path), how);
}

}  // namespace loupe
