#include "engine/methods/token_grid.h"

#include <vector>

#include "engine/run/passes.h"

namespace loupe {

std::optional<TokenGrid> token_grid(const Graph& graph, NodeId layer, const Shape& input) {
  const std::vector<Shape> shapes = graph.shapes(input);
  const Shape& tokens = shapes[static_cast<size_t>(layer)];
  if (tokens.rank() != 3) return std::nullopt;
  std::vector<bool> above(static_cast<size_t>(layer) + 1);  // nodes that the layer is made of
  above.back() = true;
  for (NodeId n = layer; n >= 0; --n) {
    if (!above[static_cast<size_t>(n)] || graph.node(n).is_weight()) continue;
    const Shape& s = shapes[static_cast<size_t>(n)];
    const int64_t first = s.rank() == 4 ? tokens[1] - s[2] * s[3] : -1;
    if (first == 0 || first == 1) return TokenGrid{n, s[2], s[3], first};
    for (const Port& p : graph.node(n).inputs) above[static_cast<size_t>(p.node)] = true;
  }
  return std::nullopt;
}

std::optional<Grid> patch_squares(const Graph& graph, const TokenGrid& tokens) {
  std::optional<Grid> grid = receptive_centres(graph, tokens.patches);
  if (grid) grid->squares = true;
  return grid;
}

}  // namespace loupe
