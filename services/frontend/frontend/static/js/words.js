// The words of the caption, each of which shows its attention over the photo.
import { describeGaze, drawAttention, measureRange } from "./attention.js";

const DOUBTFUL_BELOW = 0.2;
const HINT = `${matchMedia("(hover: none)").matches ? "Tap" : "Point at"} a word to see where the model looked for it.`;
const HINT_ON_DOUBT = `${HINT} Dotted words are guesses.`;
const LAST_WORD_AFTER_MS = 80; // words appear one after the other, for the eye's sake, but nobody has to wait to read them

const listening = new WeakMap(); // words on the page → what ends their listeners when others take their place

export function showWords(slots, result, { animate }) {
  const { words, attention_grid: grid } = result;
  const labels = labelWords(result);
  const buttons = words.map((word, index) => makeButton(word, labels[index], index));
  if (animate) buttons.forEach((button, index) => appear(button, index / buttons.length));
  listening.get(slots.words)?.abort();
  slots.words.replaceChildren(...buttons.flatMap((button) => [button, " "]));
  slots.gaze.hidden = !grid || !slots.photo.isConnected || !words.every((word) => word.attention);
  if (slots.gaze.hidden) return;
  const gaze = new Gaze(slots, words, grid, buttons);
  const controller = new AbortController();
  const listen = (type, act) => slots.words.addEventListener(type, act, { signal: controller.signal });
  listening.set(slots.words, controller);
  listen("keydown", (event) => gaze.move(event));
  listen("pointerleave", () => gaze.rest());
  listen("focusout", (event) => { if (!slots.words.contains(event.relatedTarget)) gaze.rest(); });
  buttons.forEach((button, index) => {
    button.setAttribute("aria-label", `${labels[index]}: the model looked at ${describeGaze(words[index].attention, grid)}`);
    button.addEventListener("pointerenter", () => gaze.show(index));
    button.addEventListener("focus", () => gaze.show(index));
    button.addEventListener("click", () => gaze.pin(index));
  });
}

function percent(weight) {
  const value = weight * 100;
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}

// The words as they stand in the sentence, where the two have the same number.
function labelWords({ words, alt_text: altText }) {
  const written = altText.split(/\s+/).filter(Boolean);
  return written.length === words.length ? written : words.map(({ word }) => word);
}

function makeButton({ probability }, label, index) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "word";
  button.textContent = label;
  button.tabIndex = index === 0 ? 0 : -1;
  button.setAttribute("aria-pressed", "false");
  button.dataset.doubtful = String(probability < DOUBTFUL_BELOW);
  return button;
}

function appear(button, share) {
  button.classList.add("appearing");
  button.style.animationDelay = `${Math.round(share * LAST_WORD_AFTER_MS)}ms`;
}

// The word whose attention is shown: the one under the pointer, else the one pinned by a click, else none.
class Gaze {
  #pinned = null;

  constructor(slots, words, grid, buttons) {
    Object.assign(this, { slots, words, grid, buttons });
    this.rest();
  }

  show(index) {
    if (this.slots.gaze.hidden) return; // the photo went: the browser cannot show it
    const { attention, probability, word } = this.words[index];
    const gaze = describeGaze(attention, this.grid);
    this.slots.frame.dataset.looking = "true";
    drawAttention(this.slots.attention, attention, this.grid);
    const { least, most } = measureRange(attention);
    this.slots.least.textContent = percent(least);
    this.slots.most.textContent = `${percent(most)} of its attention`;
    this.slots.gaze.textContent = `“${word}” (${Math.round(probability * 100)} % likely): looked at ${gaze}.`;
    this.#mark(index);
  }

  pin(index) {
    this.#pinned = this.#pinned === index ? null : index;
    if (this.#pinned === null) this.rest();
    else this.show(index);
  }

  rest() {
    if (this.#pinned !== null) {
      this.show(this.#pinned);
      return;
    }
    delete this.slots.frame.dataset.looking;
    this.slots.gaze.textContent = this.words.some(({ probability }) => probability < DOUBTFUL_BELOW) ? HINT_ON_DOUBT : HINT;
    this.#mark(null);
  }

  move(event) {
    const at = this.buttons.indexOf(document.activeElement);
    const last = this.buttons.length - 1;
    const target = { ArrowRight: Math.min(at + 1, last), ArrowLeft: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (event.key === "Escape") {
      this.#pinned = null;
      this.rest();
    } else if (target !== undefined) {
      event.preventDefault();
      this.buttons[at].tabIndex = -1;
      this.buttons[target].tabIndex = 0;
      this.buttons[target].focus();
    }
  }

  #mark(shown) {
    this.buttons.forEach((button, index) => {
      button.classList.toggle("shown", index === shown);
      button.setAttribute("aria-pressed", String(index === this.#pinned));
    });
  }
}
