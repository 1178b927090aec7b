// Restores removed photos, for a limited time.
import { announce } from "./announcer.js";

const bar = document.getElementById("undo");
const [text, button] = bar.children;
const OFFERED_FOR_MS = 30_000;
let settle = () => {};
let timer;

// Shows `said`; calls `restore` when the person undoes the removal, or `forget` when the time is over.
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
