// |x|, with derivative 0 at 0, as in PyTorch.
struct abs : FunctionDefaults {
  static constexpr std::string_view summary = "|x|";
  static constexpr Keeps keeps = Keeps::input;

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    return numbers::abs(x);
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X x, const Parameters<X>&) {
    return select(x > X(0), g, select(x < X(0), -g, X(0)));
  }
};
