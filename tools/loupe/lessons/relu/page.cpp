// relu.html.
#include "tools/loupe/lessons/relu/table.h"

namespace loupe {
namespace {

constexpr const char* kBody = R"(
<section class=controls aria-label="What to study"><p><button id=asGiven>as given</button><button id=swapped>swap x and R</button
><button id=against>turn R’s signs</button></p><p class=small><span id=whose></span> <span id=wrong class=wrong-line role=status></span></p></section>
<section><h2>1. Up: max(x, 0)</h2><p>Sixteen units, each with its number x. What is above 0 goes on, and the unit is on; the rest is off.
Change x:</p><div class=maps><figure><figcaption>x, before the ReLU</figcaption><table class=grid id=x></table></figure
><figure><figcaption>forward: max(x, 0)</figcaption><div id=forward></div></figure
><figure><figcaption>the mask: 1 where x &gt; 0</figcaption><div id=mask></div></figure></div></section>
<section><h2>2. Down: one signal, three rules</h2><p>A signal R comes down to the same units. Change it, and point at a unit:</p>
<div class=maps><figure><figcaption>R, the signal from above</figcaption><table class=grid id=signal></table></figure
><figure><figcaption>gradient: R where x &gt; 0</figcaption><div id=gradient></div></figure
><figure><figcaption>deconvnet: R where R &gt; 0</figcaption><div id=deconvnet></div></figure
><figure><figcaption>guided: R where both are</figcaption><div id=guided_backprop></div></figure></div>
<p id=cell></p><p id=counts></p></section>
<section><h2>3. What that means</h2><ul>
<li>The gradient asks only the way up, and lets signals against pass: it answers what a small change of x would do.
<li>The deconvnet asks only the signal. It is the forward pass’s own ReLU, applied to what comes down, and knows nothing of x: what it knows
of a picture it knows from the switches of the pools.
<li>Guided backpropagation asks both, a product of the two masks. What it passes is never negative, and only where the unit was on. So it is
sharp, and no gradient of anything.
<li>With R without numbers below 0, guided backpropagation is the gradient; with x without, it is the deconvnet. Try it above.
</ul></section>)";

}  // namespace

LessonPage relu_page(const std::string& device, const std::vector<RuleTable>& examples) {
  LessonPage page{
      .name = "relu",
      .title = "One ReLU, on the way up and on three ways down",
      .lead =
          "The gradient, the deconvnet and guided backpropagation differ at the ReLUs alone. Change the "
          "numbers: everything follows.",
      .body = kBody,
      .data = {{"device", device}, {"tolerance", device == "ref" ? 0 : 1e-6}},
      .scripts = {"relu.js", "relu_page.js"}};
  for (const RuleTable& t : examples) page.data["examples"].push_back(as_json(t));
  return page;
}

}  // namespace loupe
