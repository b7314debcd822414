// min(max(x, 0), 6). At the kinks the slope is that of the flat sides, as in PyTorch; NaN passes.
struct relu6 : FunctionDefaults {
  static constexpr std::string_view summary = "min(max(x, 0), 6)";
  static constexpr Keeps keeps = Keeps::bit;

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    return select(x <= X(0), X(0), select(x >= X(6), X(6), x));
  }
  template <typename X>
  LOUPE_NUMERIC static auto passes(X x, const Parameters<X>&) {
    return !(x <= X(0)) && !(x >= X(6));
  }
  template <typename X, typename Bit>
  LOUPE_NUMERIC static X vjp(X g, Bit on, const Parameters<X>&) {
    return select(on, g, X(0));
  }
};
