// Pictures of units and all that goes with them, made and written into a folder.
#pragma once
#include <filesystem>

#include "tools/loupe/output_folder.h"
#include "tools/loupe/visualize/job.h"

namespace loupe {

/// Makes the pictures, with a run's state in out/visualize.state so that one that was stopped or killed goes on, and
/// writes what is done as it comes. `all` has everything but the units. Notes Ctrl-C: throws Interrupted.
void visualize(Visualization& all, ImageModel& network, const std::vector<Wanted>& wanted,
               const Recipe& recipe, OutputFolder& out, ProgressBar& progress);
/// Writes the record, the page, each unit's picture and those of all.
void publish(const Visualization& all, OutputFolder& out);
/// The record in a folder, where it and its pictures are of the same network, settings and units, else null.
nlohmann::ordered_json visualized_before(const Visualization& all, const std::vector<Wanted>& wanted,
                                         const std::filesystem::path& folder);

}  // namespace loupe
