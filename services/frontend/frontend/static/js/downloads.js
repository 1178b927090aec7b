// Saves the captions as a file, made in the browser.
import { toCsv, toHtml, toJson } from "./files.js";

const KINDS = {
  csv: { make: toCsv, type: "text/csv;charset=utf-8", name: "captions.csv" },
  json: { make: toJson, type: "application/json", name: "captions.json" },
  html: { make: toHtml, type: "text/html;charset=utf-8", name: "captions.html" },
};

// `gather` resolves with the photos that have captions, with their thumbnails.
export function listenForDownloads(gather) {
  const menu = document.getElementById("downloads");
  menu.addEventListener("click", async (event) => {
    const kind = KINDS[event.target.closest("[data-download]")?.dataset.download];
    if (!kind) return;
    menu.open = false;
    menu.querySelector("summary").focus();
    save(new Blob([kind.make(await gather())], { type: kind.type }), kind.name);
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
