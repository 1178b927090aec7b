// The card of a photo: clones the template that the server also uses, and fills the same slots.
import { announce } from "./announcer.js";
import { copyText } from "./clipboard.js";
import { chosen, imgTag, ownText } from "./texts.js";

const LONG = 125; // characters of an alt text, as guidelines have it
const template = document.getElementById("card-template");

export class Card {
  #photo;
  #save;

  // `handlers`: what to do on retry, remove and cancel of this photo, and to save what the person made of it.
  constructor(photo, handlers) {
    this.#photo = photo;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.slots = Object.fromEntries([...this.element.querySelectorAll("[data-slot]")].map((slot) => [slot.dataset.slot, slot]));
    this.#label();
    this.#showPhoto();
    this.#connect(handlers);
  }

  // The steps before the caption: see `captionPhoto`.
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

  showFailure({ title, detail, retriable = true }) {
    this.#setState("failed");
    this.slots.headline.textContent = title;
    this.slots.advice.textContent = detail;
    this.#button("retry").hidden = !retriable;
    announce(`${this.#photo.name}: ${title} ${detail}`);
  }

  // `words`: the module that shows where the model looked for each; the sentence can be read without it.
  showResult(result, { animate, words }) {
    this.#setState("done");
    words?.showWords(this.slots, result, { animate });
    this.#showChoice();
    const { alt_text: text, certainty } = chosen(this.#photo);
    if (animate) announce(`${this.#photo.name}: ${text} ${certainty.label}. ${certainty.warning}`);
  }

  // Everything that follows the chosen sentence: headline, confidence, text, and the list of the others.
  #showChoice() {
    const { slots } = this;
    const sentence = chosen(this.#photo);
    slots.caption.textContent = sentence.alt_text;
    this.element.toggleAttribute("data-chosen", sentence !== this.#photo.result);
    slots.certainty.dataset.level = sentence.certainty.level;
    slots.meter.value = sentence.confidence;
    slots["certainty-label"].textContent = `${sentence.certainty.label} (${sentence.certainty.percent} %)`;
    slots.warning.textContent = sentence.certainty.warning;
    slots.warning.hidden = !sentence.certainty.warning;
    slots.text.value = this.#photo.text ?? sentence.alt_text;
    slots.decorative.checked = Boolean(this.#photo.decorative);
    this.#showText();
    this.#showAlternatives();
  }

  #showText() {
    const { slots } = this;
    const text = ownText(this.#photo);
    slots.text.disabled = slots.decorative.checked;
    this.#button("copy-alt").disabled = slots.decorative.checked;
    if (slots.photo.isConnected) slots.photo.alt = text;
    slots.length.hidden = text.length <= LONG;
    slots.length.textContent = `${text.length} characters. Beyond ${LONG} it is tiring to listen to; what matters most comes first.`;
  }

  #label() {
    const id = `photo-${this.#photo.id}`;
    this.slots.name.textContent = this.#photo.name;
    this.slots.name.id = `${id}-name`;
    this.element.setAttribute("aria-labelledby", this.slots.name.id);
    this.slots.text.id = `${id}-text`;
    this.slots["text-label"].htmlFor = this.slots.text.id;
    this.slots.opener.setAttribute("aria-label", `Show all of ${this.#photo.name}`);
    this.slots.length.id = `${id}-length`;
    this.slots.text.setAttribute("aria-describedby", this.slots.length.id);
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
    this.slots.gaze.hidden = true; // there is nothing to point at
  }

  #connect({ retry, remove, save }) {
    this.#save = save;
    const { slots } = this;
    const actions = {
      retry, remove,
      open: () => this.#toggle(),
      cancel: () => this.#photo.cancel?.(),
      "copy-alt": (button) => copyText(ownText(this.#photo), button),
      "copy-caption": (button) => copyText(chosen(this.#photo).caption, button),
      "copy-img": (button) => copyText(imgTag(this.#photo), button),
    };
    this.element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-action]");
      actions[button?.dataset.action]?.(button);
    });
    slots.text.addEventListener("input", () => { this.#photo.text = slots.text.value; this.#showText(); save(); });
    slots.decorative.addEventListener("change", () => { this.#photo.decorative = slots.decorative.checked; this.#showText(); save(); });
  }

  // Once another sentence is chosen, the model's first leads the list: one click goes back.
  #showAlternatives() {
    const { result, choice } = this.#photo;
    const indices = result.alternatives.map((_, index) => index);
    this.slots.alternatives.hidden = indices.length === 0;
    const items = [...(choice === undefined ? [] : [undefined]), ...indices].map((index) => this.#makeAlternative(index));
    this.slots["alternative-list"].replaceChildren(...items);
  }

  #makeAlternative(index) {
    const { result, choice } = this.#photo;
    const { alt_text: text, certainty } = result.alternatives[index] ?? result;
    const item = document.createElement("li");
    const use = document.createElement("button");
    use.type = "button";
    use.className = index === undefined ? "alternative-text back" : "alternative-text";
    use.textContent = text;
    use.title = index === undefined ? "Back to the model's first sentence" : "Use this one";
    use.dataset.index = String(index);
    if (index !== undefined) use.setAttribute("aria-pressed", String(index === choice));
    use.addEventListener("click", () => this.#choose(index === choice ? undefined : index));
    const percent = document.createElement("span");
    percent.className = "percent";
    percent.textContent = `${certainty.percent} %`;
    item.append(use, " ", percent);
    return item;
  }

  // An edited text is kept for its sentence, and shown again when that is chosen.
  #choose(index) {
    const photo = this.#photo;
    photo.drafts ??= new Map();
    photo.drafts.set(photo.choice, photo.text);
    photo.choice = index;
    photo.text = photo.drafts.get(index);
    this.#showChoice();
    this.#save();
    const list = this.slots["alternative-list"];
    (list.querySelector(`[data-index="${index}"]`) ?? list.querySelector("button"))?.focus();
    announce(`${index === undefined ? "Back to the first sentence" : "Chosen"}: ${chosen(photo).alt_text}`);
  }

  #toggle() {
    const open = this.element.toggleAttribute("data-open");
    this.slots.opener.setAttribute("aria-expanded", String(open));
    if (open) this.element.scrollIntoView({ block: "nearest" });
  }

  #setState(state) {
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(state === "working"));
  }

  #button(action) {
    return this.element.querySelector(`[data-action="${action}"]`);
  }
}
