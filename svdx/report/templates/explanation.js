"use strict";
// A bin is salient up to the step of its level; if the slider goes over areas, from it on. Bins are ordered by frame, then
// by band from the lowest.
const data = JSON.parse(document.getElementById("data").textContent);
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const shades = bytes(data.shades), levels = bytes(data.levels), colours = bytes(data.colours);
const byId = (id) => document.getElementById(id);
const slider = byId("threshold"), canvas = byId("picture"), position = byId("position");
const isKept = (bin, step) => (data.grows ? levels[bin] <= step : levels[bin] >= step) !== data.complement;
const text = (step) => `${data.steps[step]}${data.unit}`;

// One player plays at a time; the play-head follows the one that played last.
const players = [...document.querySelectorAll("audio")];
let player = players[0], chosen = data.start, drawing = 0, shown = 0; // shown: second of the play-head
// The sounds of the opening position are only in the players.
data.sounds.push({ step: data.start, kept: byId("kept").src, removed: byId("removed").src });

// The share of kept bins, rounded as in svdx/report/facts.py: a half goes up.
function area(step) {
  let count = 0;
  for (let bin = 0; bin < levels.length; bin++) count += isKept(bin, step);
  return (Math.floor((1000 * count) / levels.length + 0.5) / 10).toFixed(1) + " %";
}

// A column of the canvas is the mean of its frames: kept bins in colour, the others in grey.
function draw(step) {
  const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
  for (let column = 0; column < canvas.width; column++) {
    const first = Math.floor((column * data.frames) / canvas.width);
    const end = Math.max(first + 1, Math.floor(((column + 1) * data.frames) / canvas.width));
    for (let band = 0; band < data.bands; band++) {
      const mean = [0, 0, 0];
      for (let frame = first; frame < end; frame++) {
        const bin = frame * data.bands + band, shade = shades[bin], kept = isKept(bin, step);
        for (let part = 0; part < 3; part++) {
          mean[part] += (kept ? colours[3 * shade + part] : 80 + 0.4 * shade) / (end - first);
        }
      }
      image.data.set([...mean, 255], 4 * ((data.bands - 1 - band) * canvas.width + column));
    }
  }
  context.putImageData(image, 0, 0);
}

// The outline of the true voice in the visible part of the picture, in columns of a few pixels. If a column is several
// frames wide, a band is voice if more than half of its bins and of its neighbours' are, which avoids specks.
const COLUMN = 4;
const voice = data.voice && bytes(data.voice);
const isVoice = (bin) => (voice[bin >> 3] >> (7 - (bin & 7))) & 1;

function outline() {
  const scroll = byId("scroll"), framesIn = (pixels) => (pixels * data.frames) / scroll.scrollWidth;
  const stride = Math.max(1, Math.round(framesIn(COLUMN)));
  const first = Math.floor(framesIn(scroll.scrollLeft) / stride) * stride;
  const last = Math.min(data.frames, framesIn(scroll.scrollLeft + scroll.clientWidth) + stride);
  const columns = [];
  for (let start = first; start < last; start += stride) columns.push(voiceIn(start, Math.min(start + stride, data.frames)));
  const none = columns[0].map(() => false), lines = [];
  const run = (length, isBorder, line) => {
    for (let end = 0, start; end < length; end++) {
      if (!isBorder(end)) continue;
      for (start = end; end < length && isBorder(end); end++);
      lines.push(line(start, end));
    }
  };
  const place = (column) => Math.min(first + column * stride, data.frames);
  for (let column = 0; column <= columns.length; column++) {
    const left = columns[column - 1] ?? none, right = columns[column] ?? none;
    run(data.bands, (row) => left[row] !== right[row], (start, end) => `M${place(column)} ${start}V${end}`);
  }
  for (let row = 0; row <= data.bands; row++) {
    const isBorder = (column) => Boolean(columns[column][row - 1]) !== Boolean(columns[column][row]);
    run(columns.length, isBorder, (start, end) => `M${place(start)} ${row}H${place(end)}`);
  }
  for (const path of byId("voice").children) path.setAttribute("d", lines.join(""));
}

// Whether each band, from the top, is voice in a column of frames.
function voiceIn(start, end) {
  const beside = end - start > 1 ? 1 : 0;
  return Array.from({ length: data.bands }, (_, row) => {
    const low = Math.max(0, data.bands - 1 - row - beside), high = Math.min(data.bands - 1, data.bands - 1 - row + beside);
    let count = 0;
    for (let frame = start; frame < end; frame++) {
      for (let band = low; band <= high; band++) count += isVoice(frame * data.bands + band);
    }
    return 2 * count > (end - start) * (high - low + 1);
  });
}

const nearest = (steps, step) => steps.reduce((best, other) =>
  Math.abs(data.steps[other] - data.steps[step]) < Math.abs(data.steps[best] - data.steps[step]) ? other : best);

function move() {
  const step = Number(slider.value), share = area(step);
  byId("threshold-value").textContent = text(step);
  byId("area").textContent = share;
  slider.setAttribute("aria-valuetext", `${text(step)}, area kept: ${share}`);
  draw(step);
  const near = nearest(data.curve.map((each) => each.step), step), row = data.curve.find((each) => each.step === near);
  for (const each of document.querySelectorAll("#curve [data-step]")) {
    each.setAttribute("aria-current", Number(each.dataset.step) === near);
  }
  const sound = row.as_sound ? `; as sound: ${row.as_sound.text}` : "";
  byId("status").textContent = `At ${row.position} the label is ${row.label.text}${sound}.`;
  choose(nearest(data.sounds.map((sound) => sound.step), step));
}

function choose(step) {
  byId("sound-note").textContent = `Kept and removed: at ${data.place.replace("{}", text(step))}.`;
  if (step === chosen) return;
  chosen = step;
  const sound = data.sounds.find((each) => each.step === step);
  for (const name of ["kept", "removed"]) {
    const audio = byId(name), { currentTime, paused } = audio;
    audio.src = sound[name];
    audio.currentTime = currentTime;
    if (!paused) play(audio);
  }
}

function play(audio) {
  audio.play().catch(() => {}); // interrupted by the next sound
}

// Starting or seeking a player scrolls the play-head into view. During playback the view follows a head that leaves it,
// unless the user has scrolled away.
function showHead(brought) {
  const seconds = Math.min(player.currentTime, data.seconds), scroll = byId("scroll");
  for (const head of document.querySelectorAll(".head")) {
    head.hidden = false;
    head.style.left = `${(100 * seconds) / data.seconds}%`;
  }
  const place = (time) => (scroll.scrollWidth * time) / data.seconds - scroll.scrollLeft;
  const isInView = (time) => place(time) >= 0 && place(time) <= scroll.clientWidth;
  if (!isInView(seconds) && (brought || isInView(shown))) scroll.scrollLeft += place(seconds) - scroll.clientWidth / 8;
  shown = seconds;
  position.setAttribute("aria-valuenow", seconds.toFixed(2));
  position.setAttribute("aria-valuetext", `${seconds.toFixed(2)} s`);
  cancelAnimationFrame(drawing);
  if (!player.paused) drawing = requestAnimationFrame(() => showHead(false));
}

for (const each of players) {
  each.addEventListener("play", () => {
    player = each;
    for (const other of players) if (other !== each) other.pause();
    showHead(true);
  });
  each.addEventListener("seeking", () => {
    if (each === document.activeElement) player = each; // the slider makes the others seek, too
    showHead(each === player);
  });
}

for (const each of document.querySelectorAll("[data-stage]")) {
  each.addEventListener("click", (event) => {
    const box = each.getBoundingClientRect();
    player.currentTime = (data.seconds * (event.clientX - box.left)) / box.width;
    play(player);
  });
}

position.addEventListener("keydown", (event) => {
  const stride = data.seconds / 40;
  const moves = { ArrowRight: stride, ArrowLeft: -stride, Home: -Infinity, End: Infinity };
  if (event.key in moves) {
    player.currentTime = Math.min(Math.max(player.currentTime + moves[event.key], 0), data.seconds);
  } else if (event.key === "Enter" || event.key === " ") {
    if (player.paused) play(player); else player.pause();
  } else return;
  event.preventDefault();
});

for (const button of document.querySelectorAll("#curve button")) {
  button.addEventListener("click", () => {
    slider.value = button.closest("tr").dataset.step;
    move();
  });
}
slider.addEventListener("input", move);

// Only the page of a whole track has a zoom. It keeps the centre of the view.
byId("zoom")?.addEventListener("input", (event) => {
  const scroll = byId("scroll"), middle = (scroll.scrollLeft + scroll.clientWidth / 2) / scroll.scrollWidth;
  byId("zoom-value").textContent = event.target.value;
  scroll.classList.toggle("zoomed", event.target.value >= 4);
  scroll.firstElementChild.style.width = `${100 * event.target.value}%`;
  scroll.scrollLeft = middle * scroll.scrollWidth - scroll.clientWidth / 2;
  if (voice) outline();
});

if (voice) {
  byId("scroll").addEventListener("scroll", outline);
  addEventListener("resize", outline);
  byId("outlined").addEventListener("change", (event) => { byId("voice").style.display = event.target.checked ? "" : "none"; });
  outline();
}
move();
