// `loupe circuits heads | composition | tokens`: tables of what a model's weights say.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "engine/lenses/circuits.h"
#include "models/text/repeats.h"

namespace loupe {

struct CircuitTable {
  std::string text;
  nlohmann::ordered_json json;
};

/// "query", "key" or "value". Throws UsageError for another name.
Composition parse_composition(const std::string& name);

/// Of the heads that copy most from token to token, the first `count`. Each throws UsageError, one line, for what is not
/// there.
CircuitTable heads_table(const TextModel& model, int64_t count);
/// Of all pairs of heads in different layers, or of those into one, the `count` strongest.
CircuitTable composition_table(const TextModel& model, Composition by, const std::optional<Head>& into,
                               int64_t count);
/// The strongest pairs of tokens that head's OV circuit makes, of these sources (all where empty).
CircuitTable tokens_table(const TextModel& model, const Head& head, const std::vector<int32_t>& from,
                          int64_t count);

}  // namespace loupe
