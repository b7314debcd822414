// 1 / (1 + exp(−x)).
struct sigmoid : FunctionDefaults {
  static constexpr std::string_view summary = "1 / (1 + exp(−x))";
  static constexpr Keeps keeps = Keeps::output;
  static double ulps(double) { return 2; }
  static double slope_ulps(double) { return 3; }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    return numbers::logistic(x);
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X y, const Parameters<X>&) {
    return g * (y * (X(1) - y));
  }
};
