// Sends one photo to the page's own server. XMLHttpRequest, because fetch does not report the progress of an upload.

// Why there is no caption: `title` and `detail` as the server puts them, `retryAfter` in seconds where another try makes sense;
// `retriable` is false where none does.
export class Problem extends Error {
  constructor({ title, detail, status = 0, retryAfter = null, retriable = true }) {
    super(title);
    this.title = title;
    this.detail = detail;
    this.status = status;
    this.retryAfter = retryAfter;
    this.retriable = retriable;
  }
}

export const CONNECTION_LOST = {
  title: "The connection was lost.",
  detail: "Your photo is still here. Check your connection, then try again.",
};
const UNREADABLE = {
  title: "The answer made no sense.",
  detail: "Your photo is still here. Try again.",
};
const TIMEOUT_MS = 90_000;

export function sendPhoto(endpoint, blob, options, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${endpoint}?${new URLSearchParams(options)}`);
    request.setRequestHeader("Content-Type", blob.type || "application/octet-stream");
    request.timeout = TIMEOUT_MS;
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded / (event.total || 1)));
    request.upload.addEventListener("load", () => onProgress(1));
    request.addEventListener("load", () => settle(request, resolve, reject));
    request.addEventListener("error", () => reject(new Problem(CONNECTION_LOST)));
    request.addEventListener("timeout", () => reject(new Problem(CONNECTION_LOST)));
    request.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    request.send(blob);
  });
}

function settle(request, resolve, reject) {
  const answer = parse(request.responseText);
  if (request.status === 200 && answer?.caption !== undefined) resolve(answer);
  else if (answer?.title) reject(new Problem({ ...answer, retryAfter: answer.retry_after ?? null }));
  else reject(new Problem({ ...UNREADABLE, status: request.status }));
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
