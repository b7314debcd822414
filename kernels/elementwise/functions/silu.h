// x·sigmoid(x), also called swish (S. Elfwing et al. 2018). NaN at −∞, as in PyTorch. The rounding of 1 − s
// costs the slope up to 17/2 ulps before it is 0.
struct silu : FunctionDefaults {
  static constexpr std::string_view summary = "x / (1 + exp(−x))";
  static constexpr Keeps keeps = Keeps::input;
  static double ulps(double) { return 2.5; }
  static double slope_ulps(double) { return 11; }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    return x * numbers::logistic(x);
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X x, const Parameters<X>&) {
    const X s = numbers::logistic(x);
    return g * (s * (X(1) + x * (X(1) - s)));
  }
};
