// Stores the captions of this tab in the browser (sessionStorage): they survive a reload, but not the tab.

const KEY = "captions";

export function restore() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}

// `photos` from the newest to the oldest; where there is no room for all, the oldest are not kept.
export function keep(photos) {
  const entries = photos.filter((photo) => photo.result).map(pick);
  while (!store(entries) && entries.length > 0) entries.pop();
}

function pick({ name, width, height, thumbnail, result, text, choice, decorative }) {
  return { name, width, height, thumbnail, result, text, choice, decorative };
}

function store(entries) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(entries));
    return true;
  } catch {
    return false;
  }
}
