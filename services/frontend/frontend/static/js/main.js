// Puts the page's parts together. Without any of this the form still works; see the templates.
import { announce } from "./announcer.js";
import { captionPhoto } from "./captioning.js";
import { Card } from "./card.js";
import { listenForFilter, refreshFilter } from "./filter.js";
import { listenForDownloads } from "./downloads.js";
import { onPhotos } from "./intake.js";
import { readOptions, rememberOptions } from "./options.js";
import { keep, restore } from "./session.js";
import { watchService } from "./service-note.js";
import { makeThumbnail } from "./shrink.js";

const form = document.getElementById("intake");
const gallery = document.getElementById("gallery");
const results = document.getElementById("results");
const photos = []; // newest first, as on the page
const THUMBNAIL_AFTER_MS = 300;
let lastId = 0;

onPhotos((files) => {
  const added = files.toReversed().map((file) => add({ name: file.name || "pasted photo", file, url: URL.createObjectURL(file) }));
  added.reverse();
  added.forEach(start);
  announce(added.length === 1 ? `${added[0].name} is on its way.` : `${added.length} photos are on their way.`);
  added[0]?.card.element.scrollIntoView({ block: "nearest", behavior: prefersStillness() ? "auto" : "smooth" });
});
listenForDownloads(async () => {
  const captioned = photos.filter((photo) => photo.result);
  await Promise.all(captioned.map(keepThumbnail));
  return captioned;
});
listenForFilter(() => photos);
rememberOptions();
document.getElementById("clear").addEventListener("click", clear);
restorePhotos();
watchService();

// What is known of a photo: name, file (none after a reload), url to show it, thumbnail, width and height, result once it is
// there, text once the person changed it, card, and cancel while it is on its way.
function add(photo, { atEnd = false } = {}) {
  photo.id = lastId += 1;
  photo.card = new Card(photo, {
    retry: () => start(photo),
    remove: () => remove(photo),
    edit: (text) => { photo.text = text; keep(photos); },
  });
  if (atEnd) {
    photos.push(photo);
    gallery.append(photo.card.element);
  } else {
    photos.unshift(photo);
    gallery.prepend(photo.card.element);
  }
  refresh();
  return photo;
}

async function start(photo) {
  const controller = new AbortController();
  photo.cancel = () => controller.abort();
  try {
    photo.result = await captionPhoto(photo.file, {
      endpoint: form.dataset.endpoint,
      maxBytes: Number(form.dataset.maxBytes),
      options: readOptions(),
      signal: controller.signal,
      report: (progress) => photo.card.showProgress(progress),
    });
    ({ width: photo.width, height: photo.height } = photo.result.image);
    photo.card.showResult(photo.result, { animate: !prefersStillness() });
    refresh();
    keep(photos);
  } catch (error) {
    if (photos.includes(photo)) photo.card.showFailure(explain(error));
    return;
  }
  // Drawing a thumbnail is the most work of all, and comes after the caption is on the screen and kept.
  setTimeout(() => keepThumbnail(photo), THUMBNAIL_AFTER_MS);
}

function keepThumbnail(photo) {
  photo.drawing ??= photo.file && makeThumbnail(photo.file).then((thumbnail) => {
    photo.thumbnail = thumbnail;
    keep(photos);
  });
  return photo.drawing;
}

function explain(error) {
  if (error.name === "AbortError") return { title: "Cancelled.", detail: "The photo is still here if you change your mind." };
  return error.title ? error : { title: "Something went wrong here.", detail: "It is our mistake. Please try again." };
}

function remove(photo) {
  const place = photos.indexOf(photo);
  photos.splice(place, 1);
  photo.cancel?.();
  forget(photo);
  keep(photos);
  refresh();
  announce(`${photo.name} removed.`);
  const neighbour = photos[Math.min(place, photos.length - 1)];
  (neighbour?.card.element.querySelector("[data-action=remove]") ?? document.getElementById("photo-input")).focus();
}

function clear() {
  photos.splice(0).forEach((photo) => { photo.cancel?.(); forget(photo); });
  keep(photos);
  refresh();
  announce("All captions cleared.");
  document.getElementById("photo-input").focus();
}

function forget(photo) {
  photo.card.element.remove();
  if (photo.file) URL.revokeObjectURL(photo.url);
}

function restorePhotos() {
  for (const kept of restore()) {
    const photo = add({ ...kept, url: kept.thumbnail }, { atEnd: true });
    photo.card.showResult(photo.result, { animate: false });
  }
  refresh();
}

function refresh() {
  results.hidden = gallery.children.length === 0;
  gallery.dataset.count = photos.length > 1 ? "many" : "one";
  document.documentElement.toggleAttribute("data-has-results", !results.hidden);
  document.getElementById("downloads").hidden = !photos.some((photo) => photo.result);
  refreshFilter(photos);
}

function prefersStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
