// ½x·(1 + tanh u) = x / (1 + exp(−2u)), u = √(2/π)·(x + 0.044715 x³): the approximation of gelu (Hendrycks,
// Gimpel 2016). The rounding of 2u costs the lower tail |2u| ulps, and 1 − s the slope up to 5·2u′/2 of them
// before it is 0.
struct gelu_tanh : FunctionDefaults {
  static constexpr std::string_view summary = "½x·(1 + tanh(√(2/π)·(x + 0.044715 x³)))";
  static constexpr Keeps keeps = Keeps::input;
  static constexpr double kLinear = 1.5957691216057308, kCubic = 0.071354816272600249;  // of 2u
  static double ulps(double x) { return 3 + (x < 0 ? -2 * x * (kLinear + kCubic * x * x) : 0); }
  static double slope_ulps(double x) {  // x² then overflows, and 0·∞ is NaN
    return x * x < 1e36 ? 20 : std::numeric_limits<double>::infinity();
  }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    return x * numbers::logistic(x * (X(kLinear) + X(kCubic) * x * x));
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X x, const Parameters<X>&) {
    const X square = X(kCubic) * x * x, s = numbers::logistic(x * (X(kLinear) + square));
    return g * (s + x * (s * (X(1) - s)) * (X(kLinear) + X(3) * square));
  }
};
