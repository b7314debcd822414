#include "tools/loupe/attend/ids_file.h"

#include <nlohmann/json.hpp>

#include "engine/file/file.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

using nlohmann::json;

Ids sequence_of(const json& list, const std::string& path) {
  Ids ids;
  for (const json& id : list) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX)
      throw Error("'" + path + "' holds " + one_line(id.dump()).substr(0, 40) +
                  " where the number of a token belongs");
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

}  // namespace

std::vector<Ids> read_ids(const std::string& path) {
  std::vector<uint8_t> bytes;
  try {
    bytes = read_file(path);
  } catch (const Error& e) {
    throw Error("cannot read '" + path + "': " + e.what());
  }
  const json all = json::parse(bytes.begin(), bytes.end(), nullptr, false);
  if (all.is_discarded() || !all.is_array() || all.empty())
    throw Error("'" + path + "' is no JSON list of sequences of tokens, such as [[504, 3575], [282]]");
  if (!all[0].is_array()) return {sequence_of(all, path)};
  std::vector<Ids> sequences;
  for (const json& list : all) {
    if (!list.is_array() || list.empty())
      throw Error("'" + path + "' holds " + one_line(list.dump()).substr(0, 40) +
                  " where a list of tokens belongs");
    sequences.push_back(sequence_of(list, path));
  }
  return sequences;
}

Ids parse_ids(const std::string& option, const std::string& text) {
  Ids ids;
  for (const std::string& id : split_commas(text))
    ids.push_back(static_cast<int32_t>(parse_whole(option, id, 0, INT32_MAX)));
  return ids;
}

}  // namespace loupe
