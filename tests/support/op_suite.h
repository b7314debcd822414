// The case table of an op: one OpSuite in tests/kernels/<op>/<op>.cases.cpp drives every check of that op on
// every backend it has (tests/support/op_checks.h): agreement with `ref` in double, finite differences,
// adjoints on integers, sentinels around every buffer, repeatability over runs, threads and batches, layouts,
// epilogues, and the rejections.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/common/op.h"

namespace loupe::test {

struct Operands;  // tests/support/op_call.h

/// How an operand's values are drawn, and with that its type: floats but for the last two.
enum class Draw {
  uniform,   // [-1, 1)
  positive,  // [0.1, 1.1): for ops with a kink at zero or a logarithm
  distinct,  // a shuffled grid, all different, well apart from each other, from 0 and from 6: no ties, no kinks
  apart,     // multiples of 1/16 in [-8, 8]: never near a number of a distinct operand
  switches,  // u8 in [0, OpCase::limit): positions inside a pooling window; with a limit of 2 a mask
  indices,   // i32 in [0, OpCase::limit): rows of a table
};

struct OpCase {
  std::string name;  // what is special: "5×5, stride 2, groups 2, odd map"
  OpPtr op;
  std::vector<Shape> inputs;  // the given operands; the op's parameters follow by themselves
  /// One an operand; uniform where missing (but a parameter with Role::norm_variance is positive).
  std::vector<Draw> draws = {};
  int64_t limit = 0;  // of switches and indices
  /// Bit i: operand i has no batch, it is the same for every image (a bias, a mask of attention).
  /// Repeatability keeps it while it varies the others' dimension 0. Bit 0 says that the case knows no images
  /// at all (it transposes dimension 0, or sums over it): then over runs and threads, for one batch.
  uint32_t unbatched = 0;
  /// How many of `inputs` are given where it lists parameters too, in the place of the op's own.
  std::optional<size_t> given = {};
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
  /// forward is linear in its given operands together (parameters' biases taken as zero): the adjoint
  /// identity ⟨Ax, y⟩ = ⟨x, Aᵀy⟩ is checked exactly on small integers. `adjoint_scale` multiplies x and y so
  /// that divisions are exact (average pools).
  bool linear = false;
  std::function<int64_t(const OpCase&)> adjoint_scale = nullptr;
  /// The same where it is linear in each of its given operands alone (a matrix product).
  bool multilinear = false;
  /// forward must equal ref bit for bit on every backend (ops that only move or compare: pools by maximum,
  /// concat …).
  bool exact = false;
  /// Relative error bound of the elementwise functions inside (exp, pow, division), in units of float32's
  /// epsilon, on top of the accumulation bound. Say where it comes from.
  double function_ulps = 0;
  /// Relative, of vjps in double: where a constant of theirs is rounded to float32, as another program has
  /// it.
  double derivative_error = 0;
  /// For the op whose terms neither |y| nor the op of absolute values bounds (a difference inside): M of
  /// op_checks.h, one an element of the direction's result (of forward with several outputs: of all of them,
  /// one after the other). An empty answer means the usual M. A vjp that reads values, and is not linear,
  /// must have one.
  std::function<std::vector<double>(const OpCase&, Direction, const Operands&)> magnitude = nullptr;
  /// For a tape's record that holds numbers which the backends compute (statistics, say): M of its elements.
  /// Bits, switches and copies are exact.
  std::function<std::vector<double>(const Operands&)> record_magnitude = nullptr;
  /// Nothing is passed back: the op tells of values, and no signal goes through it.
  bool forward_only = false;
  /// An image's result depends on the other images of its batch (statistics of the batch): repeatability is
  /// then checked over runs and threads, for one batch.
  bool mixes_images = false;
  KernelOptions options = {};  // of every call
};

/// For rejections: what infer() says to given operands of these shapes, all floats but where `dtypes` says
/// otherwise, with the op's parameters after them.
void infer(const OpPtr& op, const std::vector<Shape>& given, const std::vector<Dtype>& dtypes = {});

}  // namespace loupe::test
