// min(max(x + 3, 0), 6) / 6. At ±3 the slope is that of the flat sides, as in PyTorch; NaN passes, but no
// signal does there. Between them it is a sixth rounded to float32, in double too: so PyTorch has it, and
// gradients of whole networks agree.
struct hard_sigmoid : FunctionDefaults {
  static constexpr std::string_view summary = "min(max(x + 3, 0), 6) / 6";
  static constexpr Keeps keeps = Keeps::bit;
  static double ulps(double) { return 1; }
  static double slope_ulps(double) { return 0.5; }
  static constexpr double slope_error = 0x1p-25;

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    const X up = x + X(3);
    return select(up < X(0), X(0), select(up > X(6), X(6), up)) / X(6);
  }
  template <typename X>
  LOUPE_NUMERIC static auto passes(X x, const Parameters<X>&) {
    return x > X(-3) && x < X(3);
  }
  template <typename X, typename Bit>
  LOUPE_NUMERIC static X vjp(X g, Bit on, const Parameters<X>&) {
    return select(on, g * X(1.0f / 6.0f), X(0));
  }
};
