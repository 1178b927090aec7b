// Shows from the start that captions have to wait, while the inference service is not ready.
import { announce } from "./announcer.js";

const note = document.getElementById("service-note");
const ASK_AGAIN_MS = 2000;

export async function watchService() {
  for (;;) {
    const state = await askState();
    tell(state);
    if (state.ready) return;
    await new Promise((resolve) => { setTimeout(resolve, ASK_AGAIN_MS); });
  }
}

// Without an answer no note is shown: sending a photo will show the error.
async function askState() {
  try {
    return await (await fetch(note.dataset.endpoint)).json();
  } catch {
    return { ready: false, note: "" };
  }
}

function tell({ ready, note: text }) {
  const waited = !note.hidden;
  if (!ready && text && note.textContent !== text) announce(text);
  if (ready && waited) announce("The captioner is ready.");
  note.textContent = text;
  note.hidden = ready || !text;
}
