#include "tests/support/onnx_nodes.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "engine/run/network.h"
#include "kernels/common/error.h"
#include "models/io/onnx/import.h"

namespace loupe {

namespace {

using namespace onnx;

struct Case {
  ModelProto model;
  std::vector<std::pair<std::string, Constant>> inputs = {};
  std::vector<Constant> outputs = {};
  double rtol = 0, atol = 0;
};

Case read_case(const std::filesystem::path& folder) {
  Case c{.model = read_model(folder / "model.onnx")};
  const ModelProto data = read_model(folder / "data.onnx");
  if (const std::string& other = data.metadata.at("other"); !other.empty()) throw Error(other);
  c.rtol = std::stod(data.metadata.at("rtol"));
  c.atol = std::stod(data.metadata.at("atol"));
  for (const TensorProto& t : data.graph.initializers) {
    if (t.name.starts_with("output "))
      c.outputs.push_back(decode(t, "data"));
    else
      c.inputs.emplace_back(t.name, decode(t, "data"));
  }
  return c;
}

// Loupe runs in float32 alone, and knows no empty arrays.
bool is_run_time(const Constant& c) { return c.type == ElementType::f32 && c.numel() > 0; }

enum class Bound : uint8_t { none, all_but_first, all };

Imported import_case(const Case& c, Bound bound) {
  ImportOptions options{.pictures = false};
  bool first = true;
  for (const auto& [name, value] : c.inputs) {
    const bool runs = is_run_time(value) && bound != Bound::all && (first || bound == Bound::none);
    if (is_run_time(value)) first = false;
    if (runs)
      options.shapes[name] = value.shape;
    else
      options.known[name] = value;
  }
  Imported imported = import(c.model, options);
  // A note says where it computes something else: a network without the rounding of its quantisation.
  if (!imported.notes.empty()) throw Error("not exactly: " + imported.notes[0]);
  const bool known = std::ranges::all_of(imported.outputs, &Value::known);
  if (!known && imported.graph.inputs().empty())
    throw Error("a run without an input: " + c.model.graph.nodes.at(0).op_type + " is not folded");
  return imported;
}

// The kind of trouble of a message: without the file's, the node's and the tensor's name.
std::string kind_of(std::string what) {
  if (const size_t list = what.find("needs: "); list != std::string::npos) {
    what = what.substr(list + 7);
    return what.substr(0, what.find(" ("));
  }
  if (const size_t op = what.find("): ");
      what.find("': node ") != std::string::npos && op != std::string::npos) {
    const size_t begin = what.find(" (") + 2;
    return what.substr(begin, op - begin) + ": " + what.substr(op + 3);
  }
  if (const size_t type = what.find(" is of "); type != std::string::npos)
    return "a tensor" + what.substr(type);
  const size_t file = what.find("': ");
  return file == std::string::npos ? what : what.substr(file + 3);
}

// "" where they agree.
std::string difference(const Constant& want, const Shape& shape, const Case& c, const auto& at) {
  if (shape != want.shape) return "shape " + shape.str() + " instead of " + want.shape.str();
  // As the package has it: two steps of a bfloat16.
  const double rtol = want.type == ElementType::bf16 ? std::max(c.rtol, 0x1p-6) : c.rtol;
  for (int64_t i = 0; i < want.numel(); ++i) {
    const double a = at(i), b = want.real(i);
    if (std::isnan(a) && std::isnan(b)) continue;
    if (a == b || std::abs(a - b) <= c.atol + rtol * std::abs(b)) continue;
    return "element " + std::to_string(i) + " is " + std::to_string(a) + " instead of " + std::to_string(b);
  }
  return "";
}

std::string difference_of_known(const Case& c, const Constant& want, const Constant& got) {
  if (got.type != want.type) return "type " + type_name(got.type) + " instead of " + type_name(want.type);
  const bool whole = !want.is_real();
  if (whole && got.shape == want.shape && got.integers == want.integers) return "";
  return difference(want, got.shape, c, [&](int64_t i) { return got.real(i); });
}

std::string run_on(const Case& c, const Imported& imported, Device device) {
  Network net("node", imported.graph, imported.parameters, device);
  std::vector<Tensor> inputs;
  std::vector<Shape> shapes;
  for (const NodeId id : net.graph().inputs())
    for (const auto& [name, value] : c.inputs)
      if (name == net.graph().node(id).name) {
        const Shape shape =
            value.shape.rank() ? value.shape : Shape{1};  // a single number is a vector of one
        inputs.push_back(value.tensor().reshape(shape));
        shapes.push_back(shape);
      }
  Purpose purpose;
  for (const Value& v : imported.outputs)
    if (!v.known()) purpose.values.push_back(v.port);
  Execution& e = net.execution(shapes, purpose);
  e.forward(inputs);
  for (size_t k = 0; k < imported.outputs.size(); ++k) {
    const Value& v = imported.outputs[k];
    if (v.known()) continue;
    const Tensor got = e.value(v.port);
    const std::string wrong = difference(c.outputs.at(k), v.shape, c, [&](int64_t i) { return got.item(i); });
    if (!wrong.empty()) return "output " + std::to_string(k) + " on " + device.str() + ": " + wrong;
  }
  return "";
}

std::string check(const Case& c, const Imported& imported) {
  for (size_t k = 0; k < imported.outputs.size(); ++k) {
    const Value& v = imported.outputs[k];
    if (!v.known()) continue;
    const std::string wrong = difference_of_known(c, c.outputs.at(k), *v.constant);
    if (!wrong.empty()) return "output " + std::to_string(k) + ", folded: " + wrong;
  }
  if (std::ranges::all_of(imported.outputs, &Value::known)) return "";
  for (const char* device : {"ref", "cpu"}) {
    const std::string wrong = run_on(c, imported, Device::parse(device));
    if (!wrong.empty()) return wrong;
  }
  return "";
}

void run_case(const std::filesystem::path& folder, const std::string& name, OnnxNodeReport& report) {
  ++report.total;
  Case c;
  std::optional<Imported> imported;
  std::string why;
  try {
    c = read_case(folder);
    for (const Bound bound : {Bound::none, Bound::all_but_first, Bound::all}) {
      try {
        imported = import_case(c, bound);
        break;
      } catch (const Error& e) {
        if (bound == Bound::all) throw;
      }
    }
  } catch (const Error& e) {
    ++report.reasons[report.by_name[name] = kind_of(e.what())];
    return;
  }
  ++report.supported;
  try {
    why = check(c, *imported);
  } catch (const std::exception& e) {
    why = e.what();
  }
  const bool folded = std::ranges::all_of(imported->outputs, &Value::known);
  report.by_name[name] = folded ? "folded" : "run";
  if (!why.empty()) return report.failures.push_back(name + ": " + why);
  ++report.passed;
  report.folded += folded;
}

}  // namespace

std::string OnnxNodeReport::str() const {
  std::vector<std::pair<int, std::string>> rows;
  for (const auto& [reason, count] : reasons) rows.emplace_back(-count, reason);
  std::ranges::sort(rows);
  std::string text;
  for (const auto& [count, reason] : rows) {
    char line[16];
    std::snprintf(line, sizeof line, "%6d  ", -count);
    text += line + reason + "\n";
  }
  for (const std::string& failure : failures) text += "FAILED " + failure + "\n";
  return text + "passed " + std::to_string(passed) + ", supported " + std::to_string(supported) + ", total " +
         std::to_string(total) + "; " + std::to_string(passed - folded) + " ran on ref and cpu, " +
         std::to_string(folded) + " were computed whole by the importer\n";
}

OnnxNodeReport run_onnx_nodes(const std::filesystem::path& folder, const std::string& part) {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().filename().string().find(part) != std::string::npos) folders.push_back(entry.path());
  std::ranges::sort(folders);
  OnnxNodeReport report;
  for (const auto& path : folders) run_case(path, path.filename().string(), report);
  return report;
}

}  // namespace loupe
