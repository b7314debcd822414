// log(1 + exp(x)), which from 20 on is x, as in PyTorch.
struct softplus : FunctionDefaults {
  static constexpr std::string_view summary = "log(1 + exp(x)); x above 20";
  static constexpr Keeps keeps = Keeps::input;
  static double ulps(double) { return 3; }
  static double slope_ulps(double) { return 3; }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    const X soft = select(x > X(0), x, X(0)) + numbers::log1p(numbers::exp(-numbers::abs(x)));
    return select(x > X(20), x, soft);
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X x, const Parameters<X>&) {
    return select(x > X(20), g, g * numbers::logistic(x));
  }
};
