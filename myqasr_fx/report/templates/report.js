"use strict";
(() => {
  const layers = JSON.parse(document.getElementById("data").textContent);
  const find = (id) => document.getElementById(id);
  const root = document.documentElement;

  find("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  if (!layers.length) return;

  const number = (value) => Number(value).toLocaleString("en");
  const short = (value) => String(Number(Number(value).toPrecision(3)));
  const bars = [...find("bars").children];
  const readout = find("readout");

  function describe(index) {
    const layer = layers[index];
    const width = layer.bits === null ? "product of activations" : layer.widths;
    readout.textContent = `${layer.name}: ${width}, ${number(layer.bytes)} bytes, sensitivity ${short(layer.sensitivity)} (rank ${layer.rank})`;
  }

  function histogram(place, counts, ends, marked) {
    place.replaceChildren();
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const top = Math.max(...counts, 1);
    svg.setAttribute("viewBox", `0 0 ${counts.length} 100`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${counts.length} bins, ${number(counts.reduce((a, b) => a + b, 0))} values from ${ends[0]} to ${ends[1]}`);
    counts.forEach((count, index) => {
      const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const height = count ? Math.max(100 * count / top, 1) : 0;
      for (const [name, value] of Object.entries({x: index + 0.06, y: 100 - height, width: 0.88, height})) rect.setAttribute(name, value);
      if (marked && (index === 0 || index === counts.length - 1)) rect.classList.add("end");
      const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = number(count);
      rect.append(title);
      svg.append(rect);
    });
    const labels = document.createElement("div");
    labels.className = "ends";
    for (const end of ends) labels.append(Object.assign(document.createElement("span"), {textContent: end}));
    place.append(svg, labels);
  }

  function empty(place) {
    place.replaceChildren(Object.assign(document.createElement("p"), {className: "empty", textContent: "Nothing was rounded here."}));
  }

  function show(index) {
    const layer = layers[index];
    const detail = layer.detail;
    bars.forEach((bar) => {
      const chosen = Number(bar.dataset.layer) === index;
      if (chosen) follow(bar);
      bar.setAttribute("aria-pressed", String(chosen));
    });
    find("layer").value = String(index);
    const facts = [
      ["Operator", layer.op], ["Shape", layer.shape], ["Width", layer.widths], ["Bytes", number(layer.bytes)],
      ["Sensitivity", `${short(layer.sensitivity)}, rank ${layer.rank} of ${layers.length}`],
      ...(layer.damage === null ? [] : [["Expected damage", `${short(layer.damage)} nats a position`]]),
      ["Rounding", layer.rounding || "–"],
      ["Weight SQNR", detail && detail.sqnr_db !== null ? `${detail.sqnr_db} dB` : "–"],
      ["Runs as", layer.executes],
    ];
    find("facts").replaceChildren(...facts.flatMap(([name, value]) => [
      Object.assign(document.createElement("dt"), {textContent: name}),
      Object.assign(document.createElement("dd"), {textContent: value}),
    ]));
    find("clipped").textContent = detail ? `(${short(100 * detail.clipped)} % clipped)` : "";
    if (!detail) { empty(find("scales")); empty(find("codes")); return; }
    const scale = (power) => short(10 ** power);
    histogram(find("scales"), detail.scales.counts, [scale(detail.scales.low), scale(detail.scales.high)], false);
    histogram(find("codes"), detail.codes.counts, ["lowest", "highest"], detail.clipped > 0);
  }

  function follow(chosen) {
    bars.forEach((bar) => { bar.tabIndex = bar === chosen ? 0 : -1; });
  }

  bars.forEach((bar, place) => {
    const index = Number(bar.dataset.layer);
    bar.addEventListener("pointerenter", () => describe(index));
    bar.addEventListener("focus", () => describe(index));
    bar.addEventListener("click", () => { describe(index); show(index); });
    bar.addEventListener("keydown", (event) => {
      const step = {ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: bars.length - 1}[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const next = bars[Math.min(Math.max(step, 0), bars.length - 1)];
      follow(next);
      next.focus();
    });
  });
  find("layer").addEventListener("change", (event) => show(Number(event.target.value)));
  find("rank").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    show(Number(button.dataset.layer));
    find("layer").scrollIntoView({block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth"});
  });
  const all = find("all");
  if (all) all.addEventListener("click", () => {
    document.querySelectorAll(".rank .more").forEach((item) => { item.hidden = false; });
    all.setAttribute("aria-expanded", "true");
    all.hidden = true;
  });
  const differing = find("differing");
  if (differing) differing.addEventListener("change", () => {
    let shown = 0;
    document.querySelectorAll("#clips article").forEach((clip) => {
      clip.hidden = differing.checked && clip.dataset.changes === "0";
      shown += clip.hidden ? 0 : 1;
    });
    find("none").hidden = shown > 0;
  });
  find("copy").addEventListener("click", () => {
    const range = document.createRange();
    range.selectNodeContents(find("command"));
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    find("copy").textContent = document.execCommand("copy") ? "Copied" : "Selected";
  });
  show(Math.max(layers.findIndex((layer) => layer.detail), 0));
})();
