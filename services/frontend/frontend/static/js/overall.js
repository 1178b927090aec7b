// How far all the photos are that were given together: "23 of 60".
import { announce } from "./announcer.js";

const line = document.getElementById("overall");
const [text, bar] = line.children;
let batch = new Set();

// To be called whenever a photo begins or ends: `pending` tells which.
export function showOverall(photos) {
  for (const photo of photos) if (photo.pending) batch.add(photo);
  batch = new Set([...batch].filter((photo) => photos.includes(photo)));
  const left = [...batch].filter((photo) => photo.pending).length;
  const done = batch.size - left;
  line.hidden = left === 0 || batch.size < 2;
  text.textContent = `${done} of ${batch.size}`;
  bar.value = batch.size ? done / batch.size : 0;
  if (left > 0) return;
  const failed = [...batch].filter((photo) => photo.failed).length;
  if (batch.size > 1) announce(failed ? `${done - failed} of ${done} photos have their captions.` : `All ${done} photos have their captions.`);
  batch.clear();
}
