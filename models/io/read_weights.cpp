#include "models/io/read_weights.h"

#include <algorithm>
#include <set>

#include "kernels/common/error.h"
#include "models/io/safetensors_header.h"

namespace loupe {
namespace {

class Reader {
 public:
  Reader(const std::string& network, const Graph& graph, const WeightsFile& file, const std::string& path,
         const WeightNames& names)
      : network_(network), graph_(graph), file_(file), path_("'" + path + "'"), names_(names) {
    for (NodeId id : graph.parameters()) wanted_.insert(graph.node(id).name);
  }

  void check(ExtraTensors extra) const {
    check_classes();
    for (NodeId id : graph_.parameters()) check(graph_.node(id));
    if (extra == ExtraTensors::refuse) check_extra();
  }

 private:
  // With another number of classes just the tensors of the head differ, and just in their rows.
  void check_classes() const {
    const int64_t classes = graph_.node(graph_.output()).shape().back();
    int64_t rows = 0;
    std::string example;
    for (NodeId id : graph_.parameters()) {
      const Node& p = graph_.node(id);
      if (!file_.contains(p.name)) return;
      const Shape &found = file_.info(p.name).shape, &needed = p.shape();
      if (found == needed) continue;
      const bool head = needed.rank() > 0 && needed[0] == classes && found.rank() == needed.rank() &&
                        found.with(0, classes) == needed && (rows == 0 || rows == found[0]);
      if (!head) return;
      if (rows == 0) example = "'" + p.name + "' " + found.str();
      rows = found[0];
    }
    if (rows > 0)
      throw Error(path_ + " holds " + example + ", weights for " + std::to_string(rows) + " classes, and " +
                  network_ + " was to have " + std::to_string(classes) + ": --classes " +
                  std::to_string(rows) + " fits it to them");
  }

  void check(const Node& p) const {
    if (!file_.contains(p.name))
      throw Error(path_ + " lacks the tensor '" + p.name + "' " + p.shape().str() + ", which " + network_ +
                  " needs" + like(p));
    const TensorInfo& found = file_.info(p.name);
    if (found.shape != p.shape())
      throw Error(path_ + " holds the tensor '" + p.name + "' with shape " + found.shape.str() + ", but " +
                  network_ + " needs " + p.shape().str());
    if (!found.dtype.starts_with("F") && found.dtype != "BF16")
      throw Error(path_ + " holds the tensor '" + p.name + "' as " + safetensors::in_quotes(found.dtype) +
                  "; weights are F32, F16, BF16 or F64");
  }

  // Where the values of a missing parameter might be: under a name nobody asked for, in its shape.
  std::string like(const Node& p) const {
    const auto last = [](const std::string& name) { return name.substr(name.rfind('.') + 1); };
    const std::string* found = nullptr;
    for (const std::string& name : file_.names()) {
      if (wanted_.contains(name) || file_.info(name).shape != p.shape()) continue;
      if (!found || (last(*found) != last(p.name) && last(name) == last(p.name))) found = &name;
    }
    if (!found) return ": are these the weights of another model?";
    return "; it has '" + *found + "' of that shape: are its tensors called otherwise?";
  }

  bool may_be_there(const std::string& name) const {
    return wanted_.contains(name) || name.ends_with("num_batches_tracked") ||
           std::ranges::any_of(names_.training_only,
                               [&](const std::string& module) { return name.starts_with(module); });
  }

  void check_extra() const {
    const auto extra = [&](const std::string& name) { return !may_be_there(name); };
    const auto first = std::ranges::find_if(file_.names(), extra);
    if (first == file_.names().end()) return;
    const auto more = std::ranges::count_if(file_.names(), extra) - 1;
    throw Error(path_ + " holds the tensor '" + *first + "' " + file_.info(*first).shape.str() +
                (more > 0 ? " and " + std::to_string(more) + " more" : "") + ", which " + network_ +
                " does not have: are these the weights of another model? (--weights.extra ignore leaves " +
                (more > 0 ? "them" : "it") + " out)");
  }

  const std::string& network_;
  const Graph& graph_;
  const WeightsFile& file_;
  const std::string path_;
  const WeightNames& names_;
  std::set<std::string> wanted_;
};

}  // namespace

std::map<std::string, Tensor> read_weights(const std::string& network, const Graph& graph, WeightsFile file,
                                           const std::string& path, const WeightNames& names,
                                           ExtraTensors extra, std::vector<std::string>& notes) {
  std::vector<std::string> wanted;
  for (NodeId id : graph.parameters()) wanted.push_back(graph.node(id).name);
  if (const std::string prefix = file.strip_prefix(wanted); !prefix.empty())
    notes.push_back("'" + path + "': every name starts with '" + prefix + "', which was left off");
  if (names.current) file.rename(names.current);
  Reader(network, graph, file, path, names).check(extra);
  std::map<std::string, Tensor> weights;
  for (const std::string& name : wanted) weights.emplace(name, file.tensor(name));
  return weights;
}

}  // namespace loupe
