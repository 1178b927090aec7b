// The settings: read from the form that also works without scripts, remembered in this browser.

const FIELDS = { beam_width: document.getElementById("beam-width"), alternatives: document.getElementById("alternatives") };
const KEY = "options";

export function readOptions() {
  const { beam_width: beamWidth, alternatives } = FIELDS;
  const options = { alternatives: clamp(alternatives.valueAsNumber, 0, Number(alternatives.max), 3) };
  return beamWidth.value ? { ...options, beam_width: beamWidth.value } : options;
}

// `changed` is called after a person changed a setting; what is out of range is corrected in view.
export function rememberOptions(changed) {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    for (const [name, field] of Object.entries(FIELDS)) if (name in kept) field.value = kept[name];
  } catch { /* then the defaults stand */ }
  document.getElementById("settings").addEventListener("change", () => {
    FIELDS.alternatives.value = readOptions().alternatives;
    const values = Object.fromEntries(Object.entries(FIELDS).map(([name, field]) => [name, field.value]));
    try {
      localStorage.setItem(KEY, JSON.stringify(values));
    } catch { /* then they last for this page */ }
    changed();
  });
}

function clamp(value, least, most, otherwise) {
  return Number.isFinite(value) ? Math.min(most, Math.max(least, Math.round(value))) : otherwise;
}
