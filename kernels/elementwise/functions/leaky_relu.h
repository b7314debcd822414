// x for x > 0, else slope·x; at 0 the derivative is the slope, as in PyTorch (A. Maas et al. 2013).
struct leaky_relu : FunctionDefaults {
  static constexpr std::string_view summary = "x for x > 0, else slope·x";
  static constexpr std::array<FunctionParameter, 1> parameters{{{"slope", 0.01f}}};
  static constexpr Keeps keeps = Keeps::bit;
  static double ulps(double) { return 0.5; }
  static double slope_ulps(double) { return 0.5; }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>& p) {
    return select(x > X(0), x, x * p.a);
  }
  template <typename X>
  LOUPE_NUMERIC static auto passes(X x, const Parameters<X>&) {
    return x > X(0);
  }
  template <typename X, typename Bit>
  LOUPE_NUMERIC static X vjp(X g, Bit on, const Parameters<X>& p) {
    return select(on, g, g * p.a);
  }
};
