// FunctionOp: the op of an elementwise function, and its row of `loupe ops`. All of them share their kernels.
#pragma once
#include <string>

#include "kernels/elementwise/elementwise.h"

namespace loupe {

class FunctionOp : public Op {
 public:
  explicit FunctionOp(const Function& f) : function_(f) {}
  const OpKind& kind() const override;
  std::string describe() const override { return loupe::describe(function_, false); }
  Shape shape(Shapes inputs) const override;
  LayoutWish layout(Backend, Shapes) const override { return LayoutWish::any; }
  std::optional<OnWindow> on_window(Shapes) const override { return OnWindow{}; }
  bool in_place() const override { return true; }
  Function function() const override { return function_; }
  std::optional<Record> record(Shapes inputs) const override { return function_record(function_, inputs[0]); }
  Needs needs(Direction) const override { return {.record = true}; }

 private:
  Function function_;
};

/// The kind of function `id`; kFunctionKinds has them all by id (generated).
OpKind function_kind(int16_t id);
extern const OpKind* const kFunctionKinds[];

}  // namespace loupe
