"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const grid = document.getElementById("grid"), layer = document.getElementById("layer"),
      filter = document.getElementById("filter"), order = document.getElementById("order"),
      large = document.getElementById("large"), count = document.getElementById("count");
let sprites = [];  // of the layer that is shown

const sprite = channel => "data:image/jpeg;base64," + sprites[channel];
const number = channel => String(channel).padStart(4, "0");
const score = hits => hits.length ? hits[0][1] : 0;

// A card has its picture only while it is near the window.
const watch = new IntersectionObserver(entries => {
  for (const {target, isIntersecting} of entries) {
    const frame = target.querySelector("i");
    if (!isIntersecting) frame.replaceChildren();
    else if (!frame.firstChild && sprites[target.dataset.channel]) {
      const image = new Image();
      image.src = sprite(target.dataset.channel);
      image.alt = "Patches and reconstructions of filter " + target.dataset.channel;
      frame.append(image);
    }
  }
}, {rootMargin: "600px"});

function card(channel, hits) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "card";
  button.dataset.channel = channel;
  const name = document.createElement("b"), value = document.createElement("span"), frame = document.createElement("i");
  name.textContent = "#" + channel;
  value.textContent = score(hits) > 0 ? score(hits).toPrecision(4) : "silent";
  const step = data.tile + data.gap, columns = Math.max(hits.length, 1);
  frame.style.aspectRatio = (columns * step - data.gap) + " / " + (data.rows.length * step - data.gap);
  button.append(name, value, frame);
  button.onclick = () => enlarge(channel);
  return button;
}

function show() {
  const chosen = data.layers[layer.value];
  watch.disconnect();
  sprites = document.getElementById("sprites" + layer.value).textContent.split("\n");
  const channels = [...chosen.filters.keys()];
  if (order.value === "score") channels.sort((a, b) => score(chosen.filters[b]) - score(chosen.filters[a]));
  grid.replaceChildren(...channels.map(c => card(c, chosen.filters[c])));
  for (const one of grid.children) watch.observe(one);
  const silent = chosen.filters.filter(hits => score(hits) <= 0).length;
  count.textContent = channels.length.toLocaleString("en") + " filters" + (silent ? ", " + silent.toLocaleString("en") + " silent" : "");
  filter.max = channels.length - 1;
}

function enlarge(channel) {
  const chosen = data.layers[layer.value], image = large.querySelector("img"), list = large.querySelector("ol");
  large.querySelector("h2").textContent = chosen.name + ", filter " + channel;
  image.onerror = () => { image.onerror = null; image.src = sprite(channel); };  // the page came without its strips
  image.src = chosen.strips + "/" + number(channel) + ".png";
  image.alt = "Patches and reconstructions of filter " + channel;
  list.replaceChildren(...chosen.filters[channel].map(([picture, value, y, x]) => {
    const item = document.createElement("li");
    item.textContent = data.images[picture] + ": " + value.toPrecision(4) + " at (" + y + ", " + x + ")";
    return item;
  }));
  large.showModal();
}

layer.onchange = () => { location.hash = layer.value; show(); };
order.onchange = show;
filter.onchange = () => {
  for (const one of grid.querySelectorAll(".found")) one.classList.remove("found");
  const found = grid.querySelector("[data-channel='" + Number(filter.value) + "']");
  if (!found || filter.value === "") return;
  found.classList.add("found");
  found.scrollIntoView({block: "center"});
};
large.onclick = event => { if (event.target === large) large.close(); };
document.querySelector(".controls").onsubmit = event => { event.preventDefault(); filter.onchange(); };
if (data.layers[location.hash.slice(1)]) layer.value = location.hash.slice(1);
show();
