// The hyperbolic tangent, by exp(−2|x|) − 1, of which no digits cancel near 0.
struct tanh : FunctionDefaults {
  static constexpr std::string_view summary = "tanh(x)";
  static constexpr Keeps keeps = Keeps::output;
  static double ulps(double) { return 3; }
  static double slope_ulps(double) { return 6; }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    const X t = numbers::expm1(X(-2) * numbers::abs(x));
    return numbers::copy_sign(t / (t + X(2)), x);
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X y, const Parameters<X>&) {
    return g * (X(1) - y * y);
  }
};
