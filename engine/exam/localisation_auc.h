// Localisation AUC: does the map rank the object's pixels above the others?
#pragma once
#include <optional>

#include "engine/exam/scene.h"
#include "engine/image/plane.h"

namespace loupe {

/// The area under the ROC curve of the map's values as a classifier of the object's pixels: the probability
/// that a pixel of the object is more relevant than one beside it, equal ones counted half. Nullopt where
/// the object is nowhere or everywhere. Fawcett 2006, "An introduction to ROC analysis", algorithm 2; so
/// does Quantus 0.6.
std::optional<double> localisation_auc(const Plane& map, const Region& object);

}  // namespace loupe
