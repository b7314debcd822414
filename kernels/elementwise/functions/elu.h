// x for x > 0, else α·(exp(x) − 1); at 0 the derivative is α, as in PyTorch (D.-A. Clevert et al. 2016).
struct elu : FunctionDefaults {
  static constexpr std::string_view summary = "x for x > 0, else α·(exp(x) − 1)";
  static constexpr std::array<FunctionParameter, 1> parameters{{{"alpha", 1}}};
  static constexpr Keeps keeps = Keeps::input;
  static double ulps(double) { return 2; }
  static double slope_ulps(double) { return 2; }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>& p) {
    return select(x > X(0), x, p.a * numbers::expm1(select(x > X(0), X(0), x)));
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X x, const Parameters<X>& p) {
    return select(x > X(0), g, g * (p.a * numbers::exp(x)));
  }
};
