// Says to screen readers what sighted people see happen.
const announcer = document.getElementById("announcer");

export function announce(text) {
  if (!announcer) return;
  announcer.textContent = "";
  setTimeout(() => { announcer.textContent = text; }, 50);
}
