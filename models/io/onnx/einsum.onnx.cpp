// Einsum (numpy's einsum): one operand is transposed and summed, two are a matrix product; constants are summed as the
// equation says, whatever it is.
#include <algorithm>
#include <map>

#include "kernels/matmul/matmul.h"
#include "kernels/reduce/reduce.h"
#include "models/io/onnx/steps.h"

namespace loupe {
namespace {

using namespace onnx;

// The equation as letters: each operand's and the result's. Dimensions of an ellipsis have capital letters of their
// own, A for the last one, which no equation of ours names twice; so an equation with capitals and dots is refused.
struct Equation {
  std::vector<std::string> operands;
  std::string result;
  std::map<char, int64_t> sizes;

  Equation(const NodeImport& n, const std::vector<Shape>& shapes) {
    std::string text = n.s("equation", "");
    std::erase(text, ' ');
    const bool dots = text.find("...") != std::string::npos;
    if (dots && std::ranges::any_of(text, [](char c) { return c >= 'A' && c <= 'Z'; }))
      n.unsupported("with capital letters beside dots");
    const size_t arrow = text.find("->");
    std::string left = text.substr(0, arrow), part;
    for (size_t at = 0; at <= left.size(); ++at) {
      if (at < left.size() && left[at] != ',') {
        part += left[at];
        continue;
      }
      operands.push_back(part);
      part.clear();
    }
    if (operands.size() != shapes.size()) throw Error("its equation is not of as many operands");
    size_t most = 0;
    for (size_t k = 0; k < operands.size(); ++k) most = std::max(most, expand(operands[k], shapes[k].rank()));
    result = arrow == std::string::npos ? implied(dots ? most : 0) : text.substr(arrow + 2);
    if (arrow != std::string::npos) expand(result, static_cast<int>(letters_of(result) + most));
    for (size_t k = 0; k < operands.size(); ++k) take_sizes(operands[k], shapes[k]);
    for (const char c : result)
      if (!sizes.contains(c) || std::ranges::count(result, c) > 1)
        throw Error("its equation's result is wrong");
  }

  int64_t size(char c) const { return sizes.at(c); }
  Shape shape() const {
    Dims dims;
    for (const char c : result) dims.push_back(size(c));
    return shape_of(dims);
  }

 private:
  static size_t letters_of(const std::string& s) {
    return s.find("...") == std::string::npos ? s.size() : s.size() - 3;
  }
  // Dots as as many capitals as `rank` leaves for them; how many.
  static size_t expand(std::string& s, int rank) {
    const size_t at = s.find("..."), letters = letters_of(s);
    if (at == std::string::npos) {
      if (static_cast<int>(letters) != rank)
        throw Error("'" + s + "' is not of " + std::to_string(rank) + " dimensions");
      return 0;
    }
    if (static_cast<int>(letters) > rank)
      throw Error("'" + s + "' is not of " + std::to_string(rank) + " dimensions");
    const size_t count = static_cast<size_t>(rank) - letters;
    std::string capitals;
    for (size_t i = count; i-- > 0;) capitals += static_cast<char>('A' + i);
    s.replace(at, 3, capitals);
    return count;
  }
  // Without an arrow: the dots, and in alphabetical order what stands there once.
  std::string implied(size_t most) const {
    std::string all, once;
    for (const std::string& s : operands) all += s;
    for (size_t i = most; i-- > 0;) once += static_cast<char>('A' + i);
    std::string letters = all;
    std::ranges::sort(letters);
    for (const char c : letters)
      if (std::ranges::count(all, c) == 1 && once.find(c) == std::string::npos) once += c;
    return once;
  }
  void take_sizes(const std::string& s, const Shape& shape) {
    for (size_t i = 0; i < s.size(); ++i) {
      int64_t& size = sizes.emplace(s[i], 1).first->second;
      const int64_t here = shape[static_cast<int>(i)];
      if (size != 1 && here != 1 && size != here)
        throw Error("sizes of '" + std::string(1, s[i]) + "' differ");
      if (here != 1) size = here;
    }
  }
};

std::vector<Shape> shapes_of(Operands operands) {
  std::vector<Shape> all;
  for (size_t k = 0; k < operands.size(); ++k) all.push_back(operand(operands, k).shape);
  return all;
}

// Σ over the letters that the result has not, of products.
Folded fold_einsum(const NodeImport& n, Operands operands) {
  const Equation e(n, shapes_of(operands));
  std::string letters = e.result;
  for (const auto& [c, size] : e.sizes)
    if (letters.find(c) == std::string::npos) letters += c;
  double steps = 1;
  for (const char c : letters) steps *= static_cast<double>(e.size(c));
  if (steps > 1e9) throw Error("it is too large");
  std::vector<double> y(static_cast<size_t>(e.shape().numel()));
  const auto inner = static_cast<int64_t>(steps / std::max<double>(1, static_cast<double>(y.size())));
  std::map<char, int64_t> at;
  for (int64_t i = 0; i < static_cast<int64_t>(steps); ++i) {
    int64_t rest = i;
    for (size_t k = letters.size(); k-- > 0; rest /= e.size(letters[k]))
      at[letters[k]] = rest % e.size(letters[k]);
    double product = 1;
    for (size_t k = 0; k < operands.size(); ++k) {
      int64_t place = 0;
      const Shape& s = operands[k]->shape;
      for (int d = 0; d < s.rank(); ++d)
        place = place * s[d] + (s[d] == 1 ? 0 : at[e.operands[k][static_cast<size_t>(d)]]);
      product *= operands[k]->real(place);
    }
    y[static_cast<size_t>(i / inner)] += product;
  }
  return {make_constant(operands[0]->type, e.shape(), y)};
}

// x, of letters `from`, with its letters in the order of `to`.
Value ordered(NodeImport& n, const std::string& name, const Value& x, const std::string& from,
              const std::string& to) {
  if (from == to) return x;
  std::vector<int> order;
  for (const char c : to) order.push_back(static_cast<int>(from.find(c)));
  return n.transpose(name, x, order);
}
// Letters that nothing else has, summed.
Value summed(NodeImport& n, const std::string& name, const Value& x, std::string& letters,
             const std::string& wanted) {
  Reduce sum{.kind = Reduce::Kind::sum, .axes = {}};
  std::string left;
  for (size_t i = 0; i < letters.size(); ++i) {
    if (std::ranges::count(letters, letters[i]) > 1) n.unsupported("of diagonals that are computed in a run");
    if (wanted.find(letters[i]) == std::string::npos)
      sum.axes.push_back(static_cast<int>(i));
    else
      left += letters[i];
  }
  if (sum.axes.empty()) return x;
  if (left.empty()) n.unsupported("to a single number");
  letters = left;
  return n.add(name, reduce(sum), {x.port});
}

void einsum(NodeImport& n) {
  if (n.inputs() > 2)
    n.unsupported("of " + std::to_string(n.inputs()) + " operands that are computed in a run");
  std::vector<Shape> one, two;
  for (size_t k = 0; k < n.inputs(); ++k) {
    one.push_back(n.shape(k));
    two.push_back(n.value(k).shape2);
  }
  const Equation e(n, one), e2(n, two);
  std::string a = e.operands[0], b = n.inputs() > 1 ? e.operands[1] : "";
  const Value x = summed(n, "a.sum", computed(n, 0), a, e.result + b);
  if (b.empty()) return n.output(ordered(n, "", x, a, e.result));
  const Value y = summed(n, "b.sum", computed(n, 1), b, e.result + a);
  std::string batch, rows, columns, inner;
  for (const char c : a) {
    const bool other = b.find(c) != std::string::npos, kept = e.result.find(c) != std::string::npos;
    (other ? kept ? batch : inner : rows) += c;
  }
  for (const char c : b)
    if (a.find(c) == std::string::npos) columns += c;
  // (batch…, rows, inner) times (batch…, inner, columns), several letters as one dimension.
  const auto matrix = [&](const std::string& name, const Value& v, const std::string& from,
                          const std::string& high, const std::string& low) {
    const Value t = ordered(n, name + ".order", v, from, batch + high + low);
    const auto dims = [&](const Shape& s) {
      Dims all;
      for (size_t i = 0; i < batch.size(); ++i) all.push_back(s[static_cast<int>(i)]);
      int64_t h = 1, l = 1;
      for (size_t i = 0; i < high.size(); ++i) h *= s[static_cast<int>(batch.size() + i)];
      for (size_t i = 0; i < low.size(); ++i) l *= s[static_cast<int>(batch.size() + high.size() + i)];
      all.insert(all.end(), {h, l});
      return all;
    };
    return n.reshape(name, t, dims(t.shape), dims(t.shape2));
  };
  const Value product = n.add("product", matmul(),
                              {matrix("a", x, a, rows, inner).port, matrix("b", y, b, inner, columns).port});
  const std::string made = batch + rows + columns;
  const auto dims = [&](const Equation& of) {
    Dims all;
    for (const char c : made) all.push_back(of.size(c));
    return all;
  };
  n.output(ordered(n, "", n.reshape("letters", product, dims(e), dims(e2)), made, e.result));
}

}  // namespace

extern const OnnxGroup einsum_onnx;
const OnnxGroup einsum_onnx{{
    {"Einsum", einsum, fold_einsum},
}};

}  // namespace loupe
