// exp(x), its own derivative.
struct exp : FunctionDefaults {
  static constexpr std::string_view summary = "exp(x)";
  static constexpr Keeps keeps = Keeps::output;
  static double ulps(double) { return 1; }
  static double slope_ulps(double) { return 1; }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    return numbers::exp(x);
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X y, const Parameters<X>&) {
    return g * y;
  }
};
