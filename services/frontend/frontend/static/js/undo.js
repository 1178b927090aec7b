// Gives back what was removed, as long as the offer stands.
import { announce } from "./announcer.js";

const bar = document.getElementById("undo");
const [text, button] = bar.children;
const OFFERED_FOR_MS = 30_000;
let settle = () => {};
let timer;

// Says `said`, and calls `restore` if the person wants it back, or `forget` once they can no longer.
export function offerUndo(said, restore, forget) {
  withdrawOffer();
  settle = forget;
  text.textContent = said;
  bar.hidden = false;
  announce(said);
  button.onclick = () => { close(); restore(); };
  timer = setTimeout(withdrawOffer, OFFERED_FOR_MS);
}

export function withdrawOffer() {
  const forget = settle;
  close();
  forget();
}

function close() {
  clearTimeout(timer);
  settle = () => {};
  bar.hidden = true;
}
