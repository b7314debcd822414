#include <nlohmann/json.hpp>

#include "tools/loupe/lessons/deconv/lesson_text.h"

namespace loupe {
namespace {

constexpr const char* kBody = R"(
<section class=controls aria-label="What to study"><p>
<label>n <input id=n type=number min=1 max=32></label><label>f <input id=f type=number min=1 max=16></label
><label>s <input id=s type=number min=1 max=16></label><label>p <input id=p type=number min=0 max=8></label
><label>filter w <input id=w class=list></label><label>x <input id=x class=list></label></p>
<p class=small><span id=whose></span> <span id=wrong class=wrong-line role=status></span></p></section>
<section><h2>1. A convolution is a matrix</h2><p id=sizes></p><div id=W></div></section>
<section><h2>2. Its transpose is the transposed convolution</h2><p>Each y<sub>i</sub> paints the filter, y<sub>i</sub> times,
at its place; what overlaps adds up. <span id=cropped></span></p><div id=back></div></section>
<section><h2>3. The same as a convolution of sub-pixels</h2><p id=spreadText></p><div id=spread></div><div id=shorts></div></section>
<section><h2>4. When does Wᵀ undo W?</h2><p id=orthogonal></p><p>W Wᵀ = I asks two things of the filter: Σ w<sub>i</sub>² = 1, and
Σ w<sub>i</sub> w<sub>i+ks</sub> = 0 for k = 1, 2, …</p><div id=gram></div><p>Choose one of these to study it:</p>
<div class=scroll><table class=facts id=filters></table></div><p class="small soft">overlap: the largest product of two rows of W. P² off
P: the largest element of the difference. W Wᵀ y off y: ‖W Wᵀ y − y‖ / ‖y‖. Lost of x<sub>p</sub>: ‖x<sub>p</sub> − Wᵀ y‖ / ‖x<sub>p</sub>‖.</p></section>
<section><h2>5. Where the usual account is loose</h2><ul>
<li>“W is orthogonal” is for square matrices. For a wide W it can mean W Wᵀ = I, no more, and few filters have it: length 1 is a choice of
scale, but a filter longer than its stride must also be at right angles to itself, moved.
<li id=edge>An edge filter is the usual example. With three taps, (1, 0, −1), it fails at stride 2: moved by 2, its ends meet, −1/2 at length
1. With the four taps of this W, (1, 0, 0, −1)/√2, it holds: moved by 2, 1 and −1 meet zeros.
<li>“Deconvolution” is not the inverse of convolution, not even then: x = Wᵀ y gives P x<sub>p</sub>, not x<sub>p</sub>.
<li id=cut>y = W x<sub>p</sub> is of the padded x. Wᵀ y writes into the padding too, which is then cut off: the map from x itself is W without
its outer columns, whose first and last rows have lost taps, so that even where W Wᵀ = I, the same of the cut W need not hold.
<li>A trained network’s filters have nothing of the kind. A deconvnet uses Wᵀ all the same, because it is the gradient’s step through the
layer (conv2d’s vjp and conv_transpose2d are one kernel), not because it inverts the layer.</ul></section>
<section><h2>6. Pictures</h2><p id=pictureText></p><div class=maps id=picture></div><div class=scroll><canvas id=big role=img
aria-label="The matrix of the picture's convolution"></canvas></div></section>
<section><h2>7. Unpooling</h2><p>Max pooling has no matrix of its own: which number it takes depends on x. Its switches say where each maximum
was, and with the switches held fixed it is a matrix of zeros and ones, whose transpose is unpooling. Change x:</p>
<div class=maps><figure><figcaption>x</figcaption><table class=grid id=u></table></figure></div><div class=maps id=unpooled></div></section>)";

}  // namespace

LessonPage deconv_page(const DeconvLesson& l, const std::vector<DeconvStudy>& examples) {
  const bool exact = l.device == "ref";
  nlohmann::ordered_json data{{"device", l.device},
                              {"tolerance", exact ? 1e-12 : 1e-5},
                              {"rounding", exact ? 1e-12 : 1e-5},
                              {"examples", nlohmann::ordered_json::array()},
                              {"picture", as_json(l.picture)},
                              {"unpooling", as_json(l.unpooling)}};
  for (const DeconvStudy& e : examples) data["examples"].push_back(as_json(e));
  for (const FilterCheck& c : l.filters) data["filters"].push_back(as_json(c));
  return {
      .name = "deconv",
      .title = "The deconvolution, studied",
      .lead =
          "A convolution of a row of numbers, its matrix, and what the transpose undoes. Change the numbers: "
          "everything follows.",
      .body = kBody,
      .data = std::move(data),
      .scripts = {"deconv.js", "deconv_page.js"}};
}

}  // namespace loupe
