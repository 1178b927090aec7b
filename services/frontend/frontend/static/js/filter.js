// Shows only the captions with a word; offered as soon as there are two photos.
import { announce } from "./announcer.js";

const field = document.getElementById("filter-field");
const input = document.getElementById("filter");
const noMatch = document.getElementById("no-match");
const scope = document.getElementById("downloads-scope");

export function listenForFilter(photos) {
  input.addEventListener("input", () => {
    const shown = refreshFilter(photos());
    announce(shown === 1 ? "1 caption shown." : `${shown} captions shown.`);
  });
}

// Applies the filter to all photos; returns how many are shown.
export function refreshFilter(photos) {
  field.hidden = photos.length < 2;
  const wanted = field.hidden ? "" : input.value.trim().toLowerCase();
  const shown = photos.filter((photo) => {
    const matches = !wanted || mentions(photo, wanted);
    photo.card.element.hidden = !matches;
    return matches;
  });
  scope.textContent = describeScope(photos, shown);
  noMatch.hidden = photos.length === 0 || shown.length > 0;
  return shown.length;
}

// The photos of a download.
function describeScope(photos, shown) {
  const captioned = (some) => some.filter((photo) => photo.result).length;
  const [all, some] = [captioned(photos), captioned(shown)];
  return some < all ? `The ${some} of ${all} captions that the word finds` : all === 1 ? "The caption" : `All ${all} captions`;
}

function mentions({ result, text }, wanted) {
  return [result?.caption, result?.alt_text, text].some((words) => words?.toLowerCase().includes(wanted));
}
