// The natural logarithm; −∞ at 0, NaN below.
struct log : FunctionDefaults {
  static constexpr std::string_view summary = "log(x)";
  static constexpr Keeps keeps = Keeps::input;
  static double ulps(double) { return 1; }
  static double slope_ulps(double) { return 0.5; }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    return numbers::log(x);
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X x, const Parameters<X>&) {
    return g / x;
  }
};
