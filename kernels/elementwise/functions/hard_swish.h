// x·hard_sigmoid(x) (A. Howard et al. 2019). At ±3 the slope is that of the outer sides, 0 and 1; NaN at −∞,
// as in PyTorch.
struct hard_swish : FunctionDefaults {
  static constexpr std::string_view summary = "x·min(max(x + 3, 0), 6)/6";
  static constexpr Keeps keeps = Keeps::input;
  static double ulps(double) { return 1.5; }
  static double slope_ulps(double) { return 1; }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    const X up = x + X(3);
    return x * (select(up < X(0), X(0), select(up > X(6), X(6), up)) / X(6));
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X x, const Parameters<X>&) {
    return select(x <= X(-3), X(0), select(x < X(3), g * (x / X(3) + X(0.5)), g));
  }
};
