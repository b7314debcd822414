// Holds methods against the maps of golden/methods/ in the shared folder: some fifty methods on three photographs,
// SqueezeNet 1.1 with its ImageNet weights, computed in double by oracle/make_method_golden.py, which defines each.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/run/method.h"

namespace loupe::test {

/// The jaguar; all three where the environment's LOUPE_PHOTOS is `all`, as in the slow ctest <name>.all_photos that each
/// program that asks has beside it.
std::vector<std::string> photos();
bool all_photos();

/// SqueezeNet 1.1 on a device, loaded once for all tests of a program; and a photograph's input (1, 3, 224, 224).
ImageModel& shared_squeezenet(Device device);
Tensor shared_input(const std::string& photo);
/// A tensor of the photograph's file, and whether there is one; and its class.
Tensor shared_tensor(const std::string& photo, const std::string& name);
bool has_shared_tensor(const std::string& photo, const std::string& name);
int64_t shared_class(const std::string& photo);

/// What the method finds of the photograph's class with these options, as `loupe explain` calls it.
Explanation explain_shared(const std::string& photo, Device device, const std::string& method,
                           const std::map<std::string, std::string>& options = {});
/// The map, or the numbers, of that name. Throws Error if there are none.
const Tensor& map_of(const Explanation& found, const std::string& name);

/// The relative L2 distance of a map from the golden of that name, the largest of what is stored of it: a small
/// map itself; of a larger one its sums (over channels and blocks of 2×2), its sample, and its L2 norm.
double shared_distance(const std::string& photo, const std::string& name, const Tensor& map);

}  // namespace loupe::test
