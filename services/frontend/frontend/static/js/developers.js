// The API page: copies the examples, and sends one for real.
import { copyText } from "./clipboard.js";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => copyText(document.getElementById(button.dataset.copy).textContent, button));
}

const tryButton = document.getElementById("try");
const answer = document.getElementById("answer");

tryButton.addEventListener("click", async () => {
  tryButton.disabled = true;
  try {
    const response = await fetch(tryButton.dataset.endpoint, { method: "POST" });
    answer.textContent = JSON.stringify(await response.json(), null, 2);
  } catch {
    answer.textContent = "The connection was lost. Try again.";
  }
  answer.hidden = false;
  tryButton.disabled = false;
});
