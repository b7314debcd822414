// x·Φ(x) with the normal distribution's Φ (D. Hendrycks, K. Gimpel 2016). NaN at −∞, as in PyTorch.
struct gelu : FunctionDefaults {
  static constexpr std::string_view summary = "x·Φ(x)";
  static constexpr Keeps keeps = Keeps::input;
  static double ulps(double) { return 5; }
  static double slope_ulps(double) { return 4; }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    return x * numbers::normal_cdf(x);
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X x, const Parameters<X>&) {
    return g * (numbers::normal_cdf(x) + x * numbers::normal_density(x));
  }
};
