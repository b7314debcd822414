// How well a network names the zoo's pictures: for `loupe zoo test`, and for the record of a training.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/run/network.h"

namespace loupe {

/// Names pictures 0 … count − 1 of the set `seed`, once as they are and once with the background swapped for
/// one of another kind: {"count", "seed", "accuracy", "swapped_accuracy", "same_answer", "standard_error",
/// "classes": {name: {"accuracy", "swapped_accuracy", "taken_for": {name: count}}}}.
nlohmann::ordered_json zoo_test(Network& network, uint64_t seed, int64_t count);
/// The same for people.
std::string zoo_test_text(const nlohmann::ordered_json& test);

}  // namespace loupe
