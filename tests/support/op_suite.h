// The case table of an op: one OpSuite in tests/kernels/<op>/<op>.cases.cpp drives every check of that op on every
// backend it has (tests/support/op_checks.cpp): agreement with `ref` in double, finite differences, adjoints on
// integers, sentinels around every buffer, repeatability over runs, threads and batches, and the rejections.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "kernels/common/op.h"

namespace loupe::test {

struct Operands;  // tests/support/op_call.h

/// How an input's values are drawn.
enum class Draw {
  uniform,   // [-1, 1)
  positive,  // [0.1, 1.1): for ops with a kink at zero or a logarithm
  distinct,  // a shuffled grid, all different and well apart from each other and from 0 and 6: no ties, no
             // kinks
  switches,  // u8, valid positions inside a pooling window (drawn in [0, OpCase::switch_cells))
};

struct OpCase {
  std::string name;  // what is special: "5×5, stride 2, groups 2, odd map"
  OpPtr op;
  std::vector<Shape> inputs;
  std::vector<Draw> draws = {};  // one an input; uniform where missing
  int64_t switch_cells = 0;
};

/// A configuration that infer() (or the op's factory) must refuse with a UsageError whose text contains
/// `message`.
struct Rejection {
  std::string name;
  std::function<void()> attempt;
  std::string message;
};

struct OpSuite {
  std::vector<OpCase> cases;
  std::vector<Rejection> rejections;
  /// forward is linear in its inputs together (parameters' biases taken as zero): the adjoint identity ⟨Ax,
  /// y⟩ = ⟨x, Aᵀy⟩ is checked exactly on small integers. `adjoint_scale` multiplies x and y so that divisions
  /// are exact (average pools).
  bool linear = false;
  std::function<int64_t(const OpCase&)> adjoint_scale = nullptr;
  /// forward must equal ref bit for bit on every backend (ops that only move or compare: pools by maximum,
  /// concat …).
  bool exact = false;
  /// Relative error bound of the elementwise functions inside (exp, pow, division), in units of float32's
  /// epsilon, on top of the accumulation bound. Say where it comes from.
  double function_ulps = 0;
  /// For the rare op whose terms neither |y| nor the op of absolute values bounds (a difference inside): M of
  /// op_checks.h, one an element of the direction's result. An empty answer means the usual M.
  std::function<std::vector<double>(const OpCase&, Direction, const Operands&)> magnitude = nullptr;
  /// For a tape's record that holds numbers (statistics, say): M of its elements. Bits and switches are
  /// exact.
  std::function<std::vector<double>(const Operands&)> record_magnitude = nullptr;
  /// An image's result depends on the other images of its batch (statistics of the batch): repeatability is
  /// then checked over runs and threads, for one batch.
  bool mixes_images = false;
};

/// For rejections: what infer() says to these shapes.
inline void infer(const OpPtr& op, const std::vector<Shape>& inputs) { op->infer(inputs); }

}  // namespace loupe::test
