// The texts that leave the page: captions, alt texts and tags. Pure functions of the photos.

// The sentence that the person chose: the model's first, or one of the alternatives.
export function chosen({ result, choice }) {
  return result.alternatives[choice] ?? result;
}

// What stands in the text field: the person's own words once they edited it, nothing for a photo that only decorates.
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
