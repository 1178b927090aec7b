// Scales large photos down before they are sent. The model looks at 299 × 299 pixels, so a side of 1,280 loses nothing it could
// see; what the browser can open and the server can't (SVG, ICO) becomes JPEG on the way.

const LONGEST_SIDE = 1280;
const WORTH_IT_BYTES = 400_000;
const QUALITY = 0.92;
const TAKEN_AS_THEY_ARE = new Set(
  ["jpeg", "png", "webp", "heic", "heif", "avif", "gif", "bmp", "tiff"].map((name) => `image/${name}`),
);

// The photo to send: smaller where that helps, otherwise the file as it is.
export async function prepareForSending(file) {
  if (TAKEN_AS_THEY_ARE.has(file.type) && file.size < WORTH_IT_BYTES) return file;
  const bitmap = await open(file);
  if (!bitmap) return file;
  const smaller = await encode(bitmap, LONGEST_SIDE, QUALITY);
  bitmap.close();
  const helps = smaller && (smaller.size < file.size || !TAKEN_AS_THEY_ARE.has(file.type));
  return helps ? smaller : file;
}

// A small copy as a data: URL, to be kept in the tab and put into downloads; null if the browser can't open the photo.
export async function makeThumbnail(file, side = 720) {
  const bitmap = await open(file);
  if (!bitmap) return null;
  const blob = await encode(bitmap, side, 0.8);
  bitmap.close();
  return blob && readAsDataUrl(blob);
}

async function open(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    return null;
  }
}

async function encode(bitmap, longestSide, quality) {
  const scale = Math.min(1, longestSide / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // what transparency lies on, here as on the server
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/jpeg", quality); });
}

function readAsDataUrl(blob) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => resolve(null));
    reader.readAsDataURL(blob);
  });
}
