// The texts for copying and downloads: captions, alt texts and tags. Pure functions of the photos.

// The sentence that the person chose: the model's first, or one of the alternatives.
export function chosen({ result, choice }) {
  return result.alternatives[choice] ?? result;
}

// The content of the text field: the edited text, if there is one; empty for a decorative photo.
export function ownText(photo) {
  return photo.decorative ? "" : photo.text ?? chosen(photo).alt_text;
}

export function imgTag(photo, source = photo.name) {
  return `<img src="${escapeHtml(source)}" alt="${escapeHtml(ownText(photo))}">`;
}

export function escapeHtml(text) {
  const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return String(text).replace(/[&<>"']/g, (letter) => names[letter]);
}
