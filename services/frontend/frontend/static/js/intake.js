// Takes photos: chosen, taken by the camera, dropped, pasted, or an example.

const input = document.getElementById("photo-input");
const cameraInput = document.getElementById("camera-input");
const veil = document.getElementById("drop-veil");
const note = document.getElementById("intake-note");
const PHOTO_NAME = /\.(jpe?g|png|webp|gif|bmp|tiff?|hei[cf]|avif)$/i;
const ADDRESS = /^https?:\/\/\S+$/;
const ON_ADDRESS = "That is the address of a photo, and this page fetches nothing from elsewhere. Copy the photo itself (right-click, " +
  "Copy image) and paste it, or save it and choose the file.";

export function onPhotos(take) {
  for (const field of [input, cameraInput]) {
    field.addEventListener("change", () => takeChosen(field, take));
    if (field.files.length > 0) takeChosen(field, take); // chosen while this script was still loading
  }
  document.addEventListener("paste", (event) => {
    takeFiles(event.clipboardData?.files, take, event);
    if (!event.target.closest?.("input, textarea")) explainAddress(event.clipboardData);
  });
  listenForDrops(take);
  listenForExamples(take);
}

// Says `text` above the results, until the next photos come.
function say(text) {
  note.textContent = text;
  note.hidden = !text;
}

function explainAddress(data) {
  if (data && data.files.length === 0 && ADDRESS.test(data.getData("text/plain").trim())) say(ON_ADDRESS);
}

function takeChosen(field, take) {
  say("");
  take([...field.files]);
  field.value = "";
}

function takeFiles(files, take, event) {
  if (!files?.length) return;
  event.preventDefault();
  say("");
  take([...files]);
}

async function takeEntries(entries, take) {
  const files = (await Promise.all(entries.map(walk))).flat().filter((file) => file.type.startsWith("image/") || PHOTO_NAME.test(file.name));
  say(files.length === 0 ? "There is no photo in that folder." : "");
  if (files.length > 0) take(files);
}

// The files of a folder and of the folders in it.
async function walk(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => { entry.file(resolve, reject); })];
  const reader = entry.createReader();
  const files = [];
  for (;;) {
    const inner = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (inner.length === 0) return files; // they come in portions
    for (const each of inner) files.push(...await walk(each));
  }
}

function listenForDrops(take) {
  let depth = 0; // dragenter and dragleave come for every element below the pointer
  const carriesFiles = (event) => ["Files", "text/uri-list"].some((type) => event.dataTransfer?.types.includes(type));
  const cover = (by) => { depth = Math.max(0, depth + by); veil.hidden = depth === 0; };
  addEventListener("dragenter", (event) => { if (carriesFiles(event)) cover(1); });
  addEventListener("dragleave", (event) => { if (carriesFiles(event)) cover(-1); });
  addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    depth = 0;
    cover(0);
    const entries = [...event.dataTransfer?.items ?? []].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (entries.some((entry) => entry.isDirectory)) {
      event.preventDefault();
      takeEntries(entries, take);
      return;
    }
    takeFiles(event.dataTransfer?.files, take, event);
    if (event.dataTransfer?.types.includes("text/uri-list") && event.dataTransfer.files.length === 0) {
      event.preventDefault();
      explainAddress(event.dataTransfer);
    }
  });
}

function listenForExamples(take) {
  document.getElementById("examples").addEventListener("click", async (event) => {
    const button = event.target.closest("[data-photo]");
    if (!button) return;
    event.preventDefault();
    try {
      const photo = await (await fetch(button.dataset.photo)).blob();
      take([new File([photo], `${button.value}.jpg`, { type: photo.type })]);
    } catch {
      button.form.requestSubmit(button);
    }
  });
}
