// The texts that leave the page: alt texts, tags and downloads. Pure functions of the photos.

// What stands in the text field: the person's own words once they edited it.
export function ownText(photo) {
  return photo.text ?? photo.result.alt_text;
}

// A caption as a sentence: a capital, a full stop, and names as `model` spells them, which is a sentence about the same photo.
export function toSentence(caption, model) {
  const names = new Map(model.split(/\s+/).slice(1).map((word) => word.replace(/[^\p{L}]/gu, "")).map((word) => [word.toLowerCase(), word]));
  const words = caption.split(" ").map((word) => names.get(word) ?? word).join(" ");
  return `${words[0].toUpperCase()}${words.slice(1)}.`;
}

export function imgTag(photo, source = photo.name) {
  return `<img src="${escapeHtml(source)}" alt="${escapeHtml(ownText(photo))}">`;
}

export function toCsv(photos) {
  const rows = photos.map((photo) => [photo.name, photo.result.caption, ownText(photo), photo.result.confidence.toFixed(3)]);
  return [["file", "caption", "alt_text", "confidence"], ...rows].map((row) => row.map(csvField).join(",")).join("\r\n") + "\r\n";
}

export function toJson(photos) {
  const entries = photos.map((photo) => ({ file: photo.name, ...photo.result, alt_text: ownText(photo) }));
  return `${JSON.stringify(entries, null, 2)}\n`;
}

export function toHtml(photos) {
  const figures = photos.map((photo) => `  <figure>\n    ${imgTag(photo, photo.thumbnail ?? photo.name)}\n` +
    `    <figcaption>${escapeHtml(ownText(photo))}</figcaption>\n  </figure>`);
  return `<!doctype html>\n<html lang="en">\n<head>\n  <meta charset="utf-8">\n  <title>Photos with alt texts</title>\n` +
    `  <style>body { font-family: system-ui; max-width: 60rem; margin: auto } img { max-width: 100% }</style>\n</head>\n<body>\n` +
    `  <h1>Photos with alt texts</h1>\n${figures.join("\n")}\n</body>\n</html>\n`;
}

export function escapeHtml(text) {
  const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return String(text).replace(/[&<>"']/g, (letter) => names[letter]);
}

// Quoted where needed; a leading = + - @ would make a spreadsheet run it as a formula.
function csvField(value) {
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
