// Copies text, and confirms it on the button.
import { announce } from "./announcer.js";

const SAID_FOR_MS = 1600;
const restoring = new WeakMap(); // button → how to give it its own label back

export async function copyText(text, button) {
  const copied = await write(text);
  announce(copied ? "Copied to the clipboard." : "Copying is not allowed here. Select the text and press Control C.");
  sayOn(button, copied ? "Copied" : "Press Ctrl+C");
}

function sayOn(button, said) {
  const shown = restoring.get(button);
  clearTimeout(shown?.timer);
  const label = shown?.label ?? [...button.childNodes];
  button.style.minWidth = `${button.offsetWidth}px`;
  button.replaceChildren(said);
  const timer = setTimeout(() => { button.replaceChildren(...label); restoring.delete(button); }, SAID_FOR_MS);
  restoring.set(button, { label, timer });
}

async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return writeByCommand(text);
  }
}

// Pages on plain HTTP have no clipboard interface.
function writeByCommand(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  return copied;
}
