// One photo on the page: clones the card that the server would have filled, and fills the same slots.
import { announce } from "./announcer.js";
import { copyText } from "./clipboard.js";
import { imgTag, ownText, toSentence } from "./texts.js";
import { showWords } from "./words.js";

const template = document.getElementById("card-template");

export class Card {
  #photo;

  // `handlers`: what to do on retry, remove, cancel and edit of this photo.
  constructor(photo, handlers) {
    this.#photo = photo;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.slots = Object.fromEntries([...this.element.querySelectorAll("[data-slot]")].map((slot) => [slot.dataset.slot, slot]));
    this.#label();
    this.#showPhoto();
    this.#connect(handlers);
  }

  // What happens on the way to the caption: see `captionPhoto`.
  showProgress({ state, status, progress, hurry, first }) {
    this.#setState("working");
    this.slots.gaze.hidden = true;
    this.slots.status.textContent = status;
    if (progress === undefined) this.slots.progress.removeAttribute("value");
    else this.slots.progress.value = progress;
    this.slots.progress.hidden = state === "pausing";
    const hurryButton = this.#button("hurry");
    hurryButton.hidden = !hurry;
    hurryButton.onclick = hurry ?? null;
    if (first) announce(status);
  }

  showFailure({ title, detail }) {
    this.#setState("failed");
    this.slots.headline.textContent = title;
    this.slots.advice.textContent = detail;
    announce(`${this.#photo.name}: ${title} ${detail}`);
  }

  showResult(result, { animate }) {
    const { slots } = this;
    this.#setState("done");
    slots.caption.textContent = result.alt_text;
    if (slots.photo.isConnected) slots.photo.alt = result.alt_text;
    showWords(slots, result, { animate });
    slots.certainty.dataset.level = result.certainty.level;
    slots.meter.value = result.confidence;
    slots["certainty-label"].textContent = `${result.certainty.label} (${result.certainty.percent} %)`;
    slots.warning.textContent = result.certainty.warning;
    slots.warning.hidden = !result.certainty.warning;
    slots.text.value = this.#photo.text ?? result.alt_text;
    this.#showAlternatives(result.alternatives);
    if (animate) announce(`${this.#photo.name}: ${result.alt_text} ${result.certainty.label}. ${result.certainty.warning}`);
  }

  #label() {
    const id = `photo-${this.#photo.id}`;
    this.slots.name.textContent = this.#photo.name;
    this.slots.name.id = `${id}-name`;
    this.element.setAttribute("aria-labelledby", this.slots.name.id);
    this.slots.text.id = `${id}-text`;
    this.slots["text-label"].htmlFor = this.slots.text.id;
    this.#button("remove").setAttribute("aria-label", `Remove ${this.#photo.name}`);
  }

  #showPhoto() {
    const { photo, frame } = this.slots;
    photo.addEventListener("error", () => this.#replacePhoto("This browser can't show this kind of photo."));
    if (this.#photo.width) frame.style.aspectRatio = `${this.#photo.width} / ${this.#photo.height}`;
    photo.alt = this.#photo.name;
    if (this.#photo.url) photo.src = this.#photo.url;
    else this.#replacePhoto("The photo itself was not kept.");
  }

  #replacePhoto(reason) {
    const note = document.createElement("p");
    note.className = "no-preview";
    note.textContent = reason;
    this.slots.photo.replaceWith(note);
  }

  #connect({ retry, remove, edit }) {
    const { slots } = this;
    const result = () => this.#photo.result;
    const actions = {
      retry, remove,
      cancel: () => this.#photo.cancel?.(),
      "copy-alt": (button) => copyText(ownText(this.#photo), button),
      "copy-caption": (button) => copyText(this.#photo.text ?? result().caption, button),
      "copy-img": (button) => copyText(imgTag(this.#photo), button),
    };
    this.element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-action]");
      actions[button?.dataset.action]?.(button);
    });
    slots.text.addEventListener("input", () => edit(slots.text.value));
  }

  #showAlternatives(alternatives) {
    this.slots.alternatives.hidden = alternatives.length === 0;
    this.slots["alternative-list"].replaceChildren(...alternatives.map((alternative) => this.#makeAlternative(alternative)));
  }

  #makeAlternative({ caption, percent: rating }) {
    const item = document.createElement("li");
    const use = document.createElement("button");
    use.type = "button";
    use.className = "alternative-text";
    use.textContent = caption;
    use.title = "Use this one";
    use.addEventListener("click", () => {
      this.slots.text.value = toSentence(caption, this.#photo.result.alt_text);
      this.slots.text.dispatchEvent(new Event("input"));
      announce("Taken as the alt text.");
    });
    const percent = document.createElement("span");
    percent.className = "percent";
    percent.textContent = `${rating} %`;
    item.append(use, " ", percent);
    return item;
  }

  #setState(state) {
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(state === "working"));
  }

  #button(action) {
    return this.element.querySelector(`[data-action="${action}"]`);
  }
}
