// Announces changes of the page to screen readers.
const announcer = document.getElementById("announcer");

export function announce(text) {
  if (!announcer) return;
  announcer.textContent = "";
  setTimeout(() => { announcer.textContent = text; }, 50);
}
