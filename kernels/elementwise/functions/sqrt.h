// √x; NaN below 0, derivative ∞ at 0.
struct sqrt : FunctionDefaults {
  static constexpr std::string_view summary = "√x";
  static constexpr Keeps keeps = Keeps::output;
  static double ulps(double) { return 0.5; }
  static double slope_ulps(double) { return 1; }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    return numbers::sqrt(x);
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X y, const Parameters<X>&) {
    return g / (y + y);
  }
};
