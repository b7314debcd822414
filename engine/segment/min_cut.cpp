#include "engine/segment/min_cut.h"

#include "kernels/common/error.h"

#ifdef LOUPE_HAS_BOOST_GRAPH

#include <algorithm>
#include <boost/graph/boykov_kolmogorov_max_flow.hpp>
#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <boost/version.hpp>

namespace loupe {

namespace {
using Arcs = boost::compressed_sparse_row_graph<boost::directedS, boost::no_property, boost::no_property,
                                                boost::no_property, uint32_t, uint32_t>;

// Every edge as two arcs, in the order of their tails as the graph keeps them, each with its reverse's place.
struct Flow {
  struct Arc {
    uint32_t tail, head;
    int64_t capacity;
    uint32_t pair;  // which two belong together
  };
  std::vector<Arc> arcs = {};
  std::vector<int64_t> capacity = {}, residual = {};
  std::vector<uint32_t> reverse = {};

  void join(int64_t a, int64_t b, int64_t forth, int64_t back) {
    if (forth == 0 && back == 0) return;
    const auto pair = static_cast<uint32_t>(arcs.size() / 2), u = static_cast<uint32_t>(a),
               v = static_cast<uint32_t>(b);
    arcs.push_back({u, v, forth, pair});
    arcs.push_back({v, u, back, pair});
  }
  void order() {
    std::ranges::stable_sort(arcs, {}, &Arc::tail);
    reverse.resize(arcs.size());
    std::vector<uint32_t> first(arcs.size() / 2, UINT32_MAX);
    for (uint32_t i = 0; i < arcs.size(); ++i) {
      capacity.push_back(arcs[i].capacity);
      uint32_t& other = first[arcs[i].pair];
      if (other == UINT32_MAX) {
        other = i;
        continue;
      }
      reverse[i] = other;
      reverse[other] = i;
    }
    residual.resize(arcs.size());
  }
};
}  // namespace

std::vector<uint8_t> min_cut(const CutGraph& graph) {
  const auto nodes = std::ssize(graph.to_source);
  Flow flow;
  for (int64_t n = 0; n < nodes; ++n) {
    flow.join(nodes, n, graph.to_source[static_cast<size_t>(n)], 0);
    flow.join(n, nodes + 1, graph.to_sink[static_cast<size_t>(n)], 0);
  }
  for (const CutGraph::Edge& e : graph.edges) flow.join(e.a, e.b, e.capacity, e.capacity);
  flow.order();
  std::vector<std::pair<uint32_t, uint32_t>> ends;
  for (const Flow::Arc& a : flow.arcs) ends.emplace_back(a.tail, a.head);
  const auto vertices = static_cast<uint32_t>(nodes + 2);
  Arcs arcs(boost::edges_are_sorted, ends.begin(), ends.end(), vertices);

  std::vector<Arcs::edge_descriptor> edges;
  const auto [first, last] = boost::edges(arcs);
  for (auto e = first; e != last; ++e) edges.push_back(*e);
  std::vector<Arcs::edge_descriptor> reverse(edges.size()), predecessor(vertices);
  for (size_t i = 0; i < edges.size(); ++i) reverse[i] = edges[flow.reverse[i]];
  std::vector<boost::default_color_type> colour(vertices);
  std::vector<int64_t> distance(vertices);
  const auto edge_index = boost::get(boost::edge_index, arcs);
  const auto vertex_index = boost::get(boost::vertex_index, arcs);
  boost::boykov_kolmogorov_max_flow(arcs,
                                    boost::make_iterator_property_map(flow.capacity.begin(), edge_index),
                                    boost::make_iterator_property_map(flow.residual.begin(), edge_index),
                                    boost::make_iterator_property_map(reverse.begin(), edge_index),
                                    boost::make_iterator_property_map(predecessor.begin(), vertex_index),
                                    boost::make_iterator_property_map(colour.begin(), vertex_index),
                                    boost::make_iterator_property_map(distance.begin(), vertex_index),
                                    vertex_index, vertices - 2, vertices - 1);
  std::vector<uint8_t> side;
  for (int64_t n = 0; n < nodes; ++n)
    side.push_back(colour[static_cast<size_t>(n)] == boost::color_traits<boost::default_color_type>::black());
  return side;
}

std::string min_cut_library() { return "Boost.Graph " BOOST_LIB_VERSION; }

}  // namespace loupe

#else

namespace loupe {
std::vector<uint8_t> min_cut(const CutGraph&) {
  throw Error("this build cuts no graphs: it was made without Boost.Graph (the package libboost-dev)");
}
std::string min_cut_library() { return "none: no Boost.Graph"; }
}  // namespace loupe

#endif
