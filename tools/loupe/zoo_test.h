// How well a network names the zoo's pictures: for `loupe zoo test`, and for the record of a training.
#pragma once
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/run/image_model.h"

namespace CLI {
class App;
}

namespace loupe {

/// Names pictures 0 … count − 1 of the set `seed`, once as they are and once with the background swapped for
/// one of another kind: {"count", "seed", "accuracy", "swapped_accuracy", "same_answer", "standard_error",
/// "classes": {name: {"accuracy", "swapped_accuracy", "taken_for": {name: count}}}}.
nlohmann::ordered_json zoo_test(ImageModel& network, uint64_t seed, int64_t count);
/// The same for people.
std::string zoo_test_text(const nlohmann::ordered_json& test);

/// Adds `test` to the command `loupe zoo`, and returns what is to run once the options are parsed.
std::function<void()> set_up_zoo_test(CLI::App& zoo);

}  // namespace loupe
