// BinaryOp: what the binary ops have in common. Their *.op.cpp add a name and a row of `loupe ops`.
#pragma once
#include "kernels/elementwise/binary.h"

namespace loupe {

class BinaryOp : public Op {
 public:
  BinaryOp(const OpKind& kind, Binary binary) : kind_(kind), binary_(binary) {}
  const OpKind& kind() const override { return kind_; }
  Binary binary() const { return binary_; }
  Shape shape(Shapes inputs) const override;
  LayoutWish layout(Backend, Shapes inputs) const override;
  bool vjp_is_identity(Shapes inputs) const override {
    return binary_ == Binary::add && inputs[0] == inputs[1];
  }
  /// Of maps of equal sizes, and of numbers that serve whole maps.
  std::optional<OnWindow> on_window(Shapes inputs) const override;
  bool in_place() const override { return true; }
  bool fuses(Backend, Direction, const Epilogue&, Shapes inputs) const override;
  Needs needs(Direction) const override;
  int64_t accumulation_length(Direction, Shapes inputs) const override;

 private:
  const OpKind& kind_;
  Binary binary_;
};

/// The kind of a binary op; all share their kernels.
OpKind binary_kind(std::string_view name, std::string_view summary);

}  // namespace loupe
