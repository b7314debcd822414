// max(x, 0). At 0 the slope is that of the flat side, as in PyTorch; NaN passes (V. Nair, G. Hinton 2010).
struct relu : FunctionDefaults {
  static constexpr std::string_view summary = "max(x, 0)";
  static constexpr Keeps keeps = Keeps::bit;

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    return select(x <= X(0), X(0), x);
  }
  template <typename X>
  LOUPE_NUMERIC static auto passes(X x, const Parameters<X>&) {
    return !(x <= X(0));
  }
  template <typename X, typename Bit>
  LOUPE_NUMERIC static X vjp(X g, Bit on, const Parameters<X>&) {
    return select(on, g, X(0));
  }
};
