// TokenGrid: the places of a picture that a layer's tokens stand for.
#pragma once
#include <optional>

#include "engine/graph/graph.h"
#include "engine/image/picture.h"

namespace loupe {

/// A layer (N, first + height·width, D) whose tokens, but for the `first` ones, are the cells of the maps
/// that the node `patches` makes, in row-major order. The first, if there is one, is the class token.
struct TokenGrid {
  NodeId patches = -1;
  int64_t height = 0, width = 0, first = 0;
};

/// Of a layer, for an input of that shape: its maps are the last ones, on the way from the input, that have
/// as many cells as the layer has tokens, or one less. None for layers of another rank, and where there are
/// no such maps.
std::optional<TokenGrid> token_grid(const Graph& graph, NodeId layer, const Shape& input);

/// Where the patches lie on the input, to be drawn as what they are: squares.
std::optional<Grid> patch_squares(const Graph& graph, const TokenGrid& tokens);

}  // namespace loupe
