// The progress of all photos that were added together: "23 of 60".
import { announce } from "./announcer.js";

const line = document.getElementById("overall");
const [text, bar] = line.children;

// To be called whenever a photo begins or ends: `pending` tells which, and `counted` that it belongs to those under way.
export function showOverall(photos) {
  const batch = photos.filter((photo) => photo.counted);
  const done = batch.filter((photo) => !photo.pending).length;
  line.hidden = done === batch.length || batch.length < 2;
  text.textContent = `${done} of ${batch.length}`;
  bar.value = batch.length ? done / batch.length : 0;
  if (done < batch.length) return;
  const captioned = batch.filter((photo) => !photo.failed).length;
  if (done > 1) announce(captioned < done ? `${captioned} of ${done} photos have their captions.` : `All ${done} photos have their captions.`);
  for (const photo of batch) photo.counted = false;
}
