// The error function, 2/√π times the integral of exp(−t²) from 0 to x; its slope is 2/√π·exp(−x²).
struct erf : FunctionDefaults {
  static constexpr std::string_view summary = "erf(x)";
  static constexpr Keeps keeps = Keeps::input;
  static double ulps(double) { return 4; }
  static double slope_ulps(double) { return 6; }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    return numbers::erf(x);
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X x, const Parameters<X>&) {
    return g * (numbers::normal_density(x * X(1.41421356237309504880)) * X(2.82842712474619009760));
  }
};
