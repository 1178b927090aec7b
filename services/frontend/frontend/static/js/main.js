// Connects the modules of the page. Without scripts the form works, too: see the templates.
import { announce } from "./announcer.js";
import { captionPhoto } from "./captioning.js";
import { Card } from "./card.js";
import { onPhotos } from "./intake.js";
import { readOptions, rememberOptions } from "./options.js";
import { keep, restore } from "./session.js";
import { watchService } from "./service-note.js";

const form = document.getElementById("intake");
const gallery = document.getElementById("gallery");
const results = document.getElementById("results");
const photos = []; // newest first, as on the page
const THUMBNAIL_AFTER_MS = 300;
const MAX_IN_FULL = 6; // photos; more are a thumbnail and a line each, and two are on a phone
const narrow = matchMedia("(max-width: 40rem)");
const again = document.getElementById("again");
let lastId = 0;
let tools; // the module, once it is there
let loading;

onPhotos((files) => {
  tools?.withdrawOffer();
  const added = files.toReversed().map((file) => add({ name: file.name || "pasted photo", file, url: URL.createObjectURL(file) }));
  added.reverse();
  added.forEach(start);
  announce(added.length === 1 ? `${added[0].name} is on its way.` : `${added.length} photos are on their way.`);
  // On a phone the results are below the fold: the results take the screen, with the answer in view.
  const target = narrow.matches ? results : added[0]?.card.element;
  target?.scrollIntoView({ block: narrow.matches ? "start" : "nearest", behavior: prefersStillness() ? "auto" : "smooth" });
});
rememberOptions(() => { again.hidden = !photos.some(canRepeat); });
again.firstElementChild.addEventListener("click", repeat);
narrow.addEventListener("change", refresh);
document.getElementById("clear").addEventListener("click", clear);
restorePhotos();
watchService();

// Loaded while the first photo is captioned; if that fails, captions are plain sentences.
function loadWords() {
  return import("./words.js").catch(() => undefined);
}

function loadTools() {
  loading ??= import("./tools.js").then((module) => {
    tools = module;
    tools.listenForDownloads(gatherShown);
    tools.listenForFilter(() => photos);
    refresh();
  }, () => {}); // captions come without them
}

async function gatherShown() {
  const shown = photos.filter((photo) => photo.result && !photo.card.element.hidden);
  await Promise.all(shown.map(keepThumbnail));
  return shown;
}

// The fields of a photo: name, file (none after a reload), url to show it, thumbnail, width and height, result once it is
// there, text once the person changed it, choice of an alternative, decorative where it needs no text, card, and on its way pending, counted and cancel.
function add(photo, { atEnd = false } = {}) {
  photo.id = lastId += 1;
  photo.card = new Card(photo, {
    retry: () => start(photo),
    remove: () => remove(photo),
    save: () => keep(photos),
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
  mark(photo, { pending: true, counted: true, failed: false });
  const words = loadWords();
  try {
    photo.result = await captionPhoto(photo.file, {
      endpoint: form.dataset.endpoint,
      maxBytes: Number(form.dataset.maxBytes),
      options: readOptions(),
      signal: controller.signal,
      report: (progress) => photo.card.showProgress(progress),
    });
    delete photo.choice;
    delete photo.drafts;
    ({ width: photo.width, height: photo.height } = photo.result.image);
    photo.card.showResult(photo.result, { animate: !prefersStillness(), words: await words });
    mark(photo, { pending: false });
    refresh();
    keep(photos);
  } catch (error) {
    mark(photo, { pending: false, failed: true });
    if (photos.includes(photo)) photo.card.showFailure(explain(error));
    return;
  }
  // Drawing a thumbnail takes longest, so it follows after the caption is shown and stored.
  setTimeout(() => keepThumbnail(photo), THUMBNAIL_AFTER_MS);
}

function mark(photo, state) {
  Object.assign(photo, state);
  tools?.showOverall(photos);
}

function canRepeat(photo) {
  return Boolean(photo.file && photo.result && !photo.pending);
}

function repeat() {
  again.hidden = true;
  photos.filter(canRepeat).forEach(start);
}

function keepThumbnail(photo) {
  photo.drawing ??= photo.file && draw(photo).catch(() => {}); // a caption is worth keeping without its thumbnail
  return photo.drawing;
}

async function draw(photo) {
  const { makeThumbnail } = await import("./shrink.js");
  photo.thumbnail = await makeThumbnail(photo.file);
  keep(photos);
}

function explain(error) {
  if (error.name === "AbortError") return { title: "Cancelled.", detail: "The photo is still here if you change your mind." };
  return error.title ? error : { title: "Something went wrong here.", detail: "It is our mistake. Please try again." };
}

function remove(photo) {
  const place = photos.indexOf(photo);
  takeAway([photo], `${photo.name} removed.`);
  const neighbour = photos[Math.min(place, photos.length - 1)];
  (neighbour?.card.element.querySelector("[data-action=remove]") ?? document.getElementById("photo-input")).focus();
}

function clear() {
  takeAway([...photos], "All captions cleared.");
  document.getElementById("photo-input").focus();
}

function takeAway(gone, said) {
  const before = [...photos];
  for (const photo of gone) {
    photos.splice(photos.indexOf(photo), 1);
    photo.cancel?.();
    photo.card.element.remove();
  }
  settle();
  tools?.offerUndo(said, () => giveBack(gone, before), () => gone.forEach((photo) => { if (photo.file) URL.revokeObjectURL(photo.url); }));
}

// In their order, after newer ones; those that were not captioned yet are sent again.
function giveBack(gone, before) {
  const since = photos.filter((photo) => !before.includes(photo));
  photos.splice(0, photos.length, ...since, ...before.filter((photo) => gone.includes(photo) || photos.includes(photo)));
  gallery.replaceChildren(...photos.map((photo) => photo.card.element));
  settle();
  gone.filter((photo) => !photo.result).forEach(start);
  announce("Back again.");
  gone[0].card.element.querySelector("[data-action=remove]").focus();
}

function settle() {
  keep(photos);
  refresh();
}

async function restorePhotos() {
  const restored = restore().map((kept) => add({ ...kept, url: kept.thumbnail }, { atEnd: true }));
  const show = (words) => restored.forEach(({ card, result }) => card.showResult(result, { animate: false, words }));
  show();
  refresh();
  if (restored.length > 0) show(await loadWords());
}

function refresh() {
  results.hidden = gallery.children.length === 0;
  gallery.dataset.count = photos.length > 1 ? "many" : "one";
  gallery.toggleAttribute("data-compact", photos.length > (narrow.matches ? 1 : MAX_IN_FULL));
  document.documentElement.toggleAttribute("data-has-results", !results.hidden);
  if (photos.length > 0) loadTools();
  document.getElementById("downloads").hidden = !tools || !photos.some((photo) => photo.result);
  tools?.refreshFilter(photos);
  tools?.showOverall(photos);
}

function prefersStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
