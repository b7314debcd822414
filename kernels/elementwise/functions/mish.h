// x·tanh(log(1 + exp(x))) (D. Misra 2019). With n = e·(e + 2), e = exp(x), the tanh is n / (n + 2), and 1
// from x = 20 on. NaN at −∞, as in PyTorch.
struct mish : FunctionDefaults {
  static constexpr std::string_view summary = "x·tanh(log(1 + exp(x)))";
  static constexpr Keeps keeps = Keeps::input;
  static double ulps(double) { return 4; }
  static double slope_ulps(double) { return 6; }

  template <typename X>
  LOUPE_NUMERIC static X value(X x, const Parameters<X>&) {
    const X e = numbers::exp(select(x > X(20), X(20), x)), n = e * (e + X(2));
    return x * (n / (n + X(2)));
  }
  template <typename X>
  LOUPE_NUMERIC static X vjp(X g, X x, const Parameters<X>&) {
    const X e = numbers::exp(select(x > X(20), X(20), x)), n = e * (e + X(2)), m = n + X(2);
    const X rise = X(4) * (n + X(1)) / (m * m);  // 1 − tanh²
    return g * (n / m + x * numbers::logistic(x) * rise);
  }
};
