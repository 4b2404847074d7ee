// The case browser: contours and soft maps over the image of a kept case.
(() => {
  const place = document.getElementById("browser"), stored = document.getElementById("cases");
  if (!place || !stored) return;
  const { cases, classes, metric, better, baseline, groups } = JSON.parse(stored.textContent);
  const said = document.getElementById("said");
  const DASHES = { Raters: [6, 4], References: [], Candidates: [] };
  const CLASS_COLOURS = ["#F5B800", "#3FB8FF", "#FF6B9D", "#4FE0A8", "#C9A0FF", "#FF8A3D"];
  const IGNORE = 255;

  const element = (tag, properties = {}, ...children) => {
    const { attributes = {}, ...own } = properties;
    const made = Object.assign(document.createElement(tag), own);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const labelled = (words, control) => element("label", {}, `${words} `, control);
  const choice = (entries, change) => {
    const made = element("select", {}, ...entries.map(([value, words]) => element("option", { value }, words)));
    made.addEventListener("change", change);
    return made;
  };

  // What is chosen; layers by their group and name, which other cases have, too.
  const keyOf = layer => `${layer.group}/${layer.name}`;
  const first = cases[0].layers;
  const others = first.filter(layer => layer.group === "Candidates");
  const start = [first.find(layer => layer.group === "References"), others.find(layer => layer.name === baseline) ?? others[0],
    others.find(layer => layer.name !== baseline)].filter(Boolean);
  const state = { order: cases.map((_, place) => place), at: 0, slice: 0, contours: new Set(start.map(keyOf)), map: "", level: "", class: "" };

  const canvas = element("canvas", { attributes: { role: "img" } });
  const about = element("p", { className: "why" }), drawn = element("p", { className: "why drawn" });
  const legend = element("div", { className: "layers" });
  const key = element("p", { className: "why" }, "In maps: ", ...classes.flatMap((name, k) => {
    const swatch = element("span", { className: "filled" });
    swatch.style.background = CLASS_COLOURS[k % 6];
    return [swatch, `${name} `];
  }));
  const caseChoice = choice([], () => show(state.order.indexOf(Number(caseChoice.value))));
  const step = (words, by) => {
    const button = element("button", { type: "button" }, words);
    button.addEventListener("click", () => show((state.at + by + cases.length) % cases.length));
    return button;
  };
  const scored = [...new Set(cases.flatMap(c => c.layers).filter(l => l.group === "Candidates" && l.value !== null).map(l => l.name))];
  const orderChoice = choice([["", "agreement of the raters, lowest first"], ...scored.map(name => [name, `${name}, worst first`])], () => {
    const worth = place => cases[place].layers.find(l => l.group === "Candidates" && l.name === orderChoice.value)?.value ?? null;
    const sign = better === "lower" ? -1 : 1, cost = v => better === "zero" ? -Math.abs(v) : sign * v;
    state.order = cases.map((_, n) => n);
    if (orderChoice.value)
      state.order.sort((a, b) => worth(a) === null || worth(b) === null ? (worth(a) === null) - (worth(b) === null) : cost(worth(a)) - cost(worth(b)));
    list();
    show(0);
  });
  const levelChoice = choice([["", "as measured"], ...[0.1, 0.25, 0.5, 0.75, 0.9].map(p => [p, `at probability ${p}`])], () => {
    state.level = levelChoice.value;
    draw();
  });
  const classChoice = choice([["", "all classes"], ...classes.map((name, k) => [k, name])], () => {
    state.class = classChoice.value;
    draw();
  });
  const slider = element("input", { type: "range", min: 0, step: 1 });
  const sliceWords = element("output");
  const sliceLabel = element("label", {}, "Slice ", slider, " ", sliceWords);
  slider.addEventListener("input", () => { state.slice = Number(slider.value); load(); });

  const list = () => caseChoice.replaceChildren(...state.order.map((n, rank) =>
    element("option", { value: n }, `${rank + 1}. ${cases[n].name}`)));
  const current = () => cases[state.order[state.at]];

  const show = at => {
    state.at = at;
    const shown = current();
    caseChoice.value = state.order[at];
    state.slice = shown.start;
    Object.assign(slider, { max: shown.slices.length - 1, value: state.slice });
    sliceLabel.hidden = shown.slices.length < 2;
    about.textContent = shown.why ? `${shown.name}: ${shown.why}.` : shown.name;
    rows(shown);
    load();
  };

  const swatchOf = layer => {
    const swatch = element("span", { className: "swatch" });
    swatch.style.borderTop = `3px ${DASHES[layer.group]?.length ? "dashed" : "solid"} ${layer.colour}`;
    return swatch;
  };

  // A row for each layer: a box for its contour, a button for its map, and its value.
  const rows = shown => {
    const noMap = element("input", { type: "radio", name: "map", checked: !shown.layers.some(l => keyOf(l) === state.map) });
    noMap.addEventListener("change", () => { state.map = ""; draw(); });
    const parts = groups.map(group => [group, shown.layers.filter(layer => layer.group === group)]).filter(([, layers]) => layers.length);
    legend.replaceChildren(element("label", { className: "none" }, noMap, " no map"), ...parts.map(([group, layers]) => {
      const body = layers.map(layer => {
        const key = keyOf(layer), believed = group.startsWith("How");
        const box = element("input", { type: "checkbox", checked: state.contours.has(key), attributes: { "aria-label": `Contour of ${layer.name}` } });
        const map = element("input", { type: "radio", name: "map", checked: state.map === key, attributes: { "aria-label": `Map of ${layer.name}` } });
        box.addEventListener("change", () => { state.contours[box.checked ? "add" : "delete"](key); draw(); });
        map.addEventListener("change", () => { state.map = key; draw(); });
        return element("tr", {},
          element("th", { scope: "row" }, ...(believed ? [] : [swatchOf(layer)]), layer.name),
          element("td", {}, ...(believed ? [] : [box])), element("td", {}, map), element("td", {}, layer.shown));
      });
      const heads = [group, group.startsWith("How") ? "" : "Contour", "Map", layers.some(layer => layer.shown) ? "Value" : ""];
      const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads.map(words =>
        words ? element("th", { scope: "col" }, words) : element("td")))), element("tbody", {}, ...body));
      return group.startsWith("How") ? element("details", { open: state.map.startsWith(group) }, element("summary", {}, group), table) : table;
    }));
  };

  // The planes of a slice, decoded once.
  const decoded = new Map();
  const planesOf = async (shown, slice) => {
    const text = shown.pictures[slice];
    if (!decoded.has(text)) {
      const picture = new Image();
      picture.src = text;
      await picture.decode();
      const board = element("canvas", { width: picture.width, height: picture.height });
      const context = board.getContext("2d", { willReadFrequently: true });
      context.drawImage(picture, 0, 0);
      decoded.set(text, { pixels: context.getImageData(0, 0, picture.width, picture.height).data, width: picture.width });
    }
    return decoded.get(text);
  };
  let planes = null;
  const load = async () => {
    const shown = current(), slice = state.slice;
    sliceWords.textContent = `${shown.slices[slice]} (${slice + 1} of ${shown.slices.length})`;
    const found = await planesOf(shown, slice);
    if (shown === current() && slice === state.slice) {
      planes = found;
      draw();
    }
  };
  const valueAt = (shown, plane, x, y) => {
    const left = (plane % shown.across) * shown.width, top = Math.floor(plane / shown.across) * shown.height;
    return planes.pixels[4 * ((top + y) * planes.width + left + x)];
  };

  // Whether a layer calls a pixel class k (from 1): its label, or what its probabilities mean.
  const isClass = (shown, layer, k, x, y) => {
    if (!layer.soft) return valueAt(shown, layer.plane, x, y) === k;
    const p = n => (valueAt(shown, layer.plane + n - 1, x, y) + 2) / 255;
    if (state.level) return p(k) >= Number(state.level);
    if (classes.length === 1) return p(1) >= layer.level;
    const all = classes.map((_, n) => p(n + 1)), most = Math.max(...all);
    return all[k - 1] === most && most > 1 - all.reduce((sum, v) => sum + v, 0);
  };
  const chosenClasses = () => classes.map((_, n) => n + 1).filter(k => state.class === "" || k === Number(state.class) + 1);

  const rgb = colour => [1, 3, 5].map(n => parseInt(colour.slice(n, n + 2), 16));
  const mapColour = (shown, layer, x, y) => {
    if (layer.group.startsWith("How")) return [[255, 60, 60], 0.75 * (1 - (valueAt(shown, layer.plane, x, y) + 2) / 255)];
    if (!layer.soft) {
      const label = valueAt(shown, layer.plane, x, y);
      if (label === IGNORE) return [[128, 128, 128], 0.8];
      return chosenClasses().includes(label) ? [rgb(CLASS_COLOURS[(label - 1) % 6]), 0.5] : [[0, 0, 0], 0];
    }
    let colour = [0, 0, 0], total = 0;
    for (const k of chosenClasses()) {
      const p = valueAt(shown, layer.plane + k - 1, x, y) / 252, own = rgb(CLASS_COLOURS[(k - 1) % 6]);
      colour = colour.map((v, n) => v + p * own[n]);
      total += p;
    }
    return total ? [colour.map(v => v / total), 0.6 * Math.min(1, total)] : [colour, 0];
  };

  const draw = () => {
    if (!planes) return;
    const shown = current(), { width, height } = shown;
    const scale = Math.max(2, Math.min(24, Math.floor(1120 / Math.max(width, height))));
    Object.assign(canvas, { width: width * scale, height: height * scale });
    const context = canvas.getContext("2d"), small = element("canvas", { width, height }), board = small.getContext("2d");
    const pixels = board.createImageData(width, height), map = shown.layers.find(layer => keyOf(layer) === state.map);
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const grey = valueAt(shown, 0, x, y), [colour, share] = map ? mapColour(shown, map, x, y) : [[0, 0, 0], 0];
      const at = 4 * (y * width + x);
      for (let n = 0; n < 3; n++) pixels.data[at + n] = (1 - share) * grey + share * colour[n];
      pixels.data[at + 3] = 255;
    }
    board.putImageData(pixels, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    const outlined = shown.layers.filter(layer => state.contours.has(keyOf(layer)));
    outlined.forEach(layer => chosenClasses().forEach(k => outline(context, shown, layer, k, scale)));
    drawn.replaceChildren("Contours: ", ...outlined.flatMap(layer => [swatchOf(layer), layer.name]), outlined.length ? "" : "none",
      `. Map: ${map ? map.name : "none"}.`);
    const names = layers => layers.map(layer => layer.name).join(", ") || "none";
    const slice = shown.slices.length > 1 ? `, slice ${shown.slices[state.slice]}` : "";
    const words = `Case ${shown.name}${slice}. Contours: ${names(outlined)}. Map: ${map ? map.name : "none"}.`;
    canvas.setAttribute("aria-label", words);
    if (canvas.dataset.words && canvas.dataset.words !== words) said.textContent = words;
    canvas.dataset.words = words;
  };
  // The edges between pixels of the class and others.
  const outline = (context, shown, layer, k, scale) => {
    const { width, height } = shown, inside = [];
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) inside.push(isClass(shown, layer, k, x, y));
    const at = (x, y) => x >= 0 && y >= 0 && x < width && y < height && inside[y * width + x];
    const path = new Path2D();
    for (let y = 0; y <= height; y++) for (let x = 0; x <= width; x++) {
      if (x < width && at(x, y) !== at(x, y - 1)) { path.moveTo(x * scale, y * scale); path.lineTo((x + 1) * scale, y * scale); }
      if (y < height && at(x, y) !== at(x - 1, y)) { path.moveTo(x * scale, y * scale); path.lineTo(x * scale, (y + 1) * scale); }
    }
    context.lineCap = "round";
    for (const [colour, line] of [["#000000A0", 7], [layer.colour, 4]]) {
      context.setLineDash(line === 4 ? DASHES[layer.group] ?? [] : []);
      Object.assign(context, { strokeStyle: colour, lineWidth: line });
      context.stroke(path);
    }
  };

  place.append(
    element("div", { className: "tools" }, labelled("Case", caseChoice), element("span", {}, step("Previous", -1), step("Next", 1)),
      labelled("Order", orderChoice), labelled("Contours", levelChoice), ...(classes.length > 1 ? [labelled("Of", classChoice)] : []), sliceLabel),
    element("div", { className: "beside" }, element("div", {}, canvas, about, drawn, key, element("p", { className: "why" }, `Values: ${metric}.`)), legend));
  place.hidden = false;
  list();
  show(0);
})();
