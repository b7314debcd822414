// What `loupe lesson receptive-field` finds, and its page.
#pragma once
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/image/image.h"
#include "engine/tensor/tensor.h"
#include "tools/loupe/lessons/page.h"

namespace loupe {

/// A layer with a window, on the way to the one that is studied.
struct FieldLayer {
  std::string name = {}, op = {};
  Window window = {};
  ReceptiveField field = {};
};
std::vector<FieldLayer> layers_up_to(const Graph& graph, NodeId last,
                                     const std::vector<ReceptiveField>& fields);

/// Rows [top, bottom) and columns [left, right).
struct Box {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  friend bool operator==(const Box&, const Box&) = default;
};

struct FieldLesson {
  std::string device = {}, model = {}, layer = {};
  std::vector<FieldLayer> layers = {};  // up to the one that is studied
  Shape input = {}, maps = {};
  int64_t y = 0, x = 0;       // the cell
  Box field = {}, seen = {};  // by the sums; where the gradient of some picture is not 0
  double within_half = 0;  // the share of the squared gradient in the middle square of half the field's side
  Tensor squares = {};     // (height, width): the squared gradient of all pictures and channels
};

/// The layers of the page can be changed. A network whose branches join unlike ones is shown as far as it is a chain.
LessonPage receptive_field_page(const FieldLesson& lesson);

}  // namespace loupe
