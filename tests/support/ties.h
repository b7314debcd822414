// Ties: accounts for every bit in which the masks and switches of a float32 run differ from those of `ref` in
// double.
//
// A ReLU within rounding of zero (or another function within rounding of where its slope jumps), or two
// cells of a pooling window within rounding of each other, may fall either way in two correct programs. To
// show that nothing else happened, the network of a device that computes in float32 (cpu, cuda, sim) is
// followed node by node:
//
//   1. Each value v that the device computed is compared with the node's exact result for the inputs *that it
//      had there*, in double. It may differ by the rounding of that one node, for which there is a bound
//      (rounding.h). Where a batch norm is folded into a convolution, the bound passes through the batch norm;
//      nothing is assumed of its inside.
//   2. Masks and switches follow from the device's own values, without exception.
//   3. So a value's distance from ref's is at most that bound plus the exact image of the distance of its
//      inputs: reach = bound + |exact result for the device's inputs − ref's|. Where a bit differs, ref's value
//      lies within its reach of the kink; where a switch differs, ref's two candidates lie within their reaches
//      of each other.
//
// Bounding step 3 by worst cases through the whole network instead would allow nearly everything after some
// ten layers: each layer would multiply the bound by its Σ|w|. This way the only allowance is one node's own
// rounding.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/run/passes.h"

namespace loupe::test {

struct TieReport {
  int64_t compared = 0, differing = 0;  // bits of masks, and switches
  double rounding = 0;                  // the largest |device − exact|, in units of its bound
  double distance = 0;  // of all that differ, the largest distance of ref's value from the tie, relative to
                        // the node's largest value
  int64_t failed = 0;
  std::string first_failure;

  void add(const TieReport& other);
  std::string str() const;
};

/// What a pass on ref has to keep so that one can account for its ties.
Probe tie_probe(const Graph& graph);
/// Runs the batch that `of_ref` computed for `ref` on `fast`, as a method does (fused) and once more with
/// every value kept. Exact results are made with the parameters of `ref`.
TieReport account_for_ties(const Network& ref, const Execution& of_ref, Network& fast);

/// A run on ref whose masks and switches another device is to use, row by row, and whose ties are accounted
/// for.
class Tapes {
 public:
  Tapes(const Network& ref, Network& fast) : ref_(ref), fast_(fast) {}
  Probe record_and_account();  // for the run on ref
  Probe inject() const;        // for the run on another device, of the same rows
  const TieReport& report() const { return report_; }

 private:
  const Network& ref_;
  Network& fast_;
  std::vector<std::map<NodeId, Tensor>> rows_;
  TieReport report_;
};

/// Nodes whose records decide something: masks, switches, and numbers of which a function has several pieces.
std::vector<NodeId> recorders(const Graph& graph);

}  // namespace loupe::test
