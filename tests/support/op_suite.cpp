#include "tests/support/op_suite.h"

namespace loupe::test {

void infer(const OpPtr& op, const std::vector<Shape>& given, const std::vector<Dtype>& dtypes) {
  std::vector<Type> types;
  for (size_t i = 0; i < given.size(); ++i)
    types.push_back({i < dtypes.size() ? dtypes[i] : Dtype::f32, given[i]});
  for (const ParameterSpec& p : op->parameters(given)) types.push_back({Dtype::f32, p.shape});
  op->infer(types);
}

}  // namespace loupe::test
