// The contents of downloads. Pure functions of the photos.
import { chosen, escapeHtml, imgTag, ownText } from "./texts.js";

// With a byte order mark: without it Excel does not read UTF-8.
export function toCsv(photos) {
  const most = Math.max(0, ...photos.map((photo) => others(photo).length));
  const header = ["file", "caption", "alt_text", "confidence", ...Array.from({ length: most }, (_, at) => `alternative_${at + 1}`)];
  const rows = photos.map((photo) => {
    const { caption, confidence } = chosen(photo);
    const texts = others(photo).map((sentence) => sentence.alt_text);
    return [photo.name, caption, ownText(photo), confidence.toFixed(3), ...texts, ...Array(most - texts.length).fill("")];
  });
  return `\uFEFF${[header, ...rows].map((row) => row.map(csvField).join(",")).join("\r\n")}\r\n`;
}

// The words with their probabilities belong to the model's first sentence, and go with it.
export function toJson(photos) {
  const entries = photos.map((photo) => {
    const { words, attention_grid: grid, ...result } = photo.result;
    const first = chosen(photo) === photo.result;
    const { caption, confidence, certainty } = chosen(photo);
    const alternatives = others(photo).map((sentence) => (
      { caption: sentence.caption, alt_text: sentence.alt_text, confidence: sentence.confidence, certainty: sentence.certainty }
    ));
    const looks = first ? { words, attention_grid: grid } : {};
    return { file: photo.name, ...result, caption, confidence, certainty, alternatives, ...looks, alt_text: ownText(photo) };
  });
  return `${JSON.stringify(entries, null, 2)}\n`;
}

export function toHtml(photos) {
  const figures = photos.map((photo) => `  <figure>\n    ${imgTag(photo, photo.thumbnail ?? photo.name)}\n` +
    `    <figcaption>${escapeHtml(ownText(photo))}</figcaption>\n  </figure>`);
  return `<!doctype html>\n<html lang="en">\n<head>\n  <meta charset="utf-8">\n  <title>Photos with alt texts</title>\n` +
    `  <style>body { font-family: system-ui; max-width: 60rem; margin: auto } img { max-width: 100% }</style>\n</head>\n<body>\n` +
    `  <h1>Photos with alt texts</h1>\n${figures.join("\n")}\n</body>\n</html>\n`;
}

// All sentences but the chosen one.
function others(photo) {
  const { result } = photo;
  return [result, ...result.alternatives].filter((sentence) => sentence !== chosen(photo));
}

// Quoted where needed; a leading = + - @ would be a formula in a spreadsheet.
function csvField(value) {
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
