"use strict";

// The theme: what the system says, or what the reader chooses.
const THEMES = ["system", "light", "dark"];
const themeButton = document.querySelector("[data-theme-button]");
themeButton.addEventListener("click", () => {
  const root = document.documentElement;
  const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % THEMES.length];
  if (next === "system") delete root.dataset.theme;
  else root.dataset.theme = next;
  themeButton.textContent = `Theme: ${next}`;
});

// The embedding map: one circle an item, in the colors of one label.
const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, MARGIN, RADIUS] = [100, 72, 3, 1];
const [NUM_NAMED, MAX_LEGEND] = [6, 60];

class EmbeddingMap {
  constructor(element) {
    this.element = element;
    this.data = JSON.parse(element.querySelector("script").textContent);
    this.svg = element.querySelector("svg");
    this.told = element.querySelector("[data-told]");
    this.player = new Audio();
    this.chosen = -1;
    this.circles = this.data.items.map((_, i) => this.circle(i));
    this.offerProjections();
    this.offerLabels();
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  circle(i) {
    const circle = document.createElementNS(SVG, "circle");
    circle.setAttribute("r", RADIUS);
    circle.addEventListener("pointerenter", () => this.choose(i));
    circle.addEventListener("click", () => { this.choose(i); this.play(); });
    this.svg.append(circle);
    return circle;
  }

  offerProjections() {
    const fieldset = this.element.querySelector("[data-projections]");
    const group = `projection-${Math.random()}`;
    const projections = [["t-SNE", this.data.tsne], ["PCA", this.data.pca]].filter(([, xy]) => xy);
    projections.forEach(([name, xy], number) => {
      const [label, radio] = [document.createElement("label"), document.createElement("input")];
      Object.assign(radio, { type: "radio", name: group, checked: number === 0 });
      radio.addEventListener("change", () => this.place(xy));
      label.append(radio, ` ${name}`);
      fieldset.append(label);
    });
    this.place(projections[0][1]);
  }

  place(xy) {
    const [xs, ys] = [xy.map((p) => p[0]), xy.map((p) => p[1])];
    const scale = (values, size) => {
      const [low, high] = [Math.min(...values), Math.max(...values)];
      return (v) => MARGIN + ((v - low) / (high - low || 1)) * (size - 2 * MARGIN);
    };
    const [x, y] = [scale(xs, WIDTH), scale(ys, HEIGHT)];
    this.at = xy.map((p) => [x(p[0]), HEIGHT - y(p[1])]);
    this.circles.forEach((circle, i) => {
      circle.setAttribute("cx", this.at[i][0]);
      circle.setAttribute("cy", this.at[i][1]);
    });
  }

  offerLabels() {
    const select = this.element.querySelector("[data-label]");
    const names = Object.keys(this.data.labels);
    select.append(...[...names, "nothing"].map((name) => new Option(name)));
    select.addEventListener("change", () => this.color(select.value));
    this.color(select.value);
  }

  color(name) {
    const values = this.data.labels[name] ?? this.data.items.map(() => "");
    const numeric = values.every((v) => v !== "" && !Number.isNaN(Number(v)));
    const different = [...new Set(values)].sort(numeric ? (a, b) => a - b : undefined);
    const few = different.length <= NUM_NAMED;
    const hue = (i) => (few ? `var(--series-${i})`
      : `hsl(${Math.round((i * 360) / different.length)} 60% 55%)`);
    this.circles.forEach((circle, i) => {
      circle.style.fill = hue(different.indexOf(values[i]));
    });
    this.legend(values, different, hue);
  }

  legend(values, different, hue) {
    const legend = this.element.querySelector("[data-legend]");
    const told = different.length > 1 && different.length <= MAX_LEGEND ? different : [];
    const buttons = told.map((value, number) => {
      const [button, dot] = [document.createElement("button"), document.createElement("i")];
      button.type = "button";
      button.setAttribute("aria-pressed", "false");
      dot.style.background = hue(number);
      button.append(dot, value === "" ? "(none)" : value);
      button.addEventListener("click", () => {
        const alone = button.getAttribute("aria-pressed") === "false";
        buttons.forEach((b) => b.setAttribute("aria-pressed", String(alone && b === button)));
        this.circles.forEach((circle, i) =>
          circle.classList.toggle("faded", alone && values[i] !== value));
      });
      return button;
    });
    this.circles.forEach((circle) => circle.classList.remove("faded"));
    legend.replaceChildren(...buttons);
  }

  choose(i) {
    this.circles[this.chosen]?.classList.remove("chosen");
    this.chosen = i;
    this.circles[i].classList.add("chosen");
    const labels = Object.entries(this.data.labels).map(([n, v]) => `${n} ${v[i] || "(none)"}`);
    const listen = this.data.sounds.length ? " Click or press Enter to listen." : "";
    this.told.textContent = `${[this.data.items[i], ...labels].join(", ")}.${listen}`;
    if (this.data.pictures.length) this.told.prepend(this.picture(i));
  }

  picture(i) {
    const src = `data:image/png;base64,${this.data.pictures[i]}`;
    return Object.assign(document.createElement("img"), { src, alt: "" });
  }

  play() {
    if (this.chosen < 0 || !this.data.sounds.length) return;
    this.player.src = `data:audio/mpeg;base64,${this.data.sounds[this.chosen]}`;
    this.player.play().catch((reason) => { this.told.textContent = `It can't be played: ${reason}`; });
  }

  key(event) {
    const direction = {
      ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
    }[event.key];
    if (direction) this.choose(this.next(direction));
    else if (event.key === "Enter" || event.key === " ") this.play();
    else return;
    event.preventDefault();
  }

  // The nearest item in a direction; what lies off to the side counts three times as far.
  next([dx, dy]) {
    if (this.chosen < 0) return 0;
    const [x, y] = this.at[this.chosen];
    let [best, least] = [this.chosen, Infinity];
    this.at.forEach(([px, py], i) => {
      const along = (px - x) * dx + (py - y) * dy;
      const far = along + 3 * Math.abs((px - x) * dy) + 3 * Math.abs((py - y) * dx);
      if (along > 1e-6 && far < least) [best, least] = [i, far];
    });
    return best;
  }
}

// A recording: its pictures and its player share one position.
function connect(clip) {
  const [stack, audio] = [clip.querySelector(".stack"), clip.querySelector("audio")];
  const cursor = clip.querySelector(".cursor");
  const seconds = Number(stack.getAttribute("aria-valuemax"));
  const show = () => {
    cursor.style.left = `${Math.min(100, (100 * audio.currentTime) / seconds)}%`;
    stack.setAttribute("aria-valuenow", audio.currentTime.toFixed(2));
    stack.setAttribute("aria-valuetext", `${audio.currentTime.toFixed(1)} seconds`);
    if (!audio.paused) requestAnimationFrame(show);
  };
  const seek = (time) => { audio.currentTime = Math.min(Math.max(time, 0), seconds); show(); };
  audio.addEventListener("play", show);
  audio.addEventListener("seeked", show);
  stack.addEventListener("click", (event) => {
    const box = stack.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * seconds);
    audio.play();
  });
  stack.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.25, ArrowRight: 0.25 }[event.key];
    if (step) seek(audio.currentTime + step);
    else if (event.key === "Enter" || event.key === " ") audio.paused ? audio.play() : audio.pause();
    else return;
    event.preventDefault();
  });
}

document.querySelectorAll("[data-map]").forEach((element) => new EmbeddingMap(element));
document.querySelectorAll("[data-clip]").forEach(connect);
