// The ways a photo comes in: chosen, taken, dropped anywhere, pasted, or one of the examples.

const input = document.getElementById("photo-input");
const cameraInput = document.getElementById("camera-input");
const veil = document.getElementById("drop-veil");

export function onPhotos(take) {
  for (const field of [input, cameraInput]) {
    field.addEventListener("change", () => takeChosen(field, take));
    if (field.files.length > 0) takeChosen(field, take); // chosen while this script was still loading
  }
  document.addEventListener("paste", (event) => takeFiles(event.clipboardData?.files, take, event));
  listenForDrops(take);
  listenForExamples(take);
}

function takeChosen(field, take) {
  take([...field.files]);
  field.value = "";
}

function takeFiles(files, take, event) {
  if (!files?.length) return;
  event.preventDefault();
  take([...files]);
}

function listenForDrops(take) {
  let depth = 0; // dragenter and dragleave come for every element below the pointer
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const cover = (by) => { depth = Math.max(0, depth + by); veil.hidden = depth === 0; };
  addEventListener("dragenter", (event) => { if (carriesFiles(event)) cover(1); });
  addEventListener("dragleave", (event) => { if (carriesFiles(event)) cover(-1); });
  addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    depth = 0;
    cover(0);
    takeFiles(event.dataTransfer?.files, take, event);
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
