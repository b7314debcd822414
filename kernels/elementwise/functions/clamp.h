// min(max(x, low), high). At the limits themselves the derivative is 1, as in PyTorch; NaN passes, but no
// signal does there.
struct clamp : FunctionDefaults {
  static constexpr std::string_view summary = "min(max(x, low), high)";
  static constexpr std::array<FunctionParameter, 2> parameters{
      {{"low", -std::numeric_limits<float>::infinity()}, {"high", std::numeric_limits<float>::infinity()}}};
  static constexpr Keeps keeps = Keeps::bit;

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>& p) {
    const X raised = select(x < p.a, p.a, x);
    return select(raised > p.b, p.b, raised);
  }
  template <typename X>
  LOUPE_NUMERIC static auto passes(X x, const Parameters<X>& p) {
    return x >= p.a && x <= p.b;
  }
  template <typename X, typename Bit>
  LOUPE_NUMERIC static X vjp(X g, Bit on, const Parameters<X>&) {
    return select(on, g, X(0));
  }
};
