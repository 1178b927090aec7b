// Captions a photo: shrinks and sends it, and sends it again after the time that a busy or starting server names.
import { Problem, sendPhoto } from "./transport.js";

const MAX_TRIES = 12;
const AT_ONCE = 2;
const waiting = [];
let running = 0;

// Calls `report({ state, ... })` for each step; resolves with the server's answer, rejects with a Problem or an AbortError.
export async function captionPhoto(file, { endpoint, options, maxBytes, signal, report }) {
  report({ state: "waiting", status: "Waiting for its turn" });
  await takeTurn(signal);
  try {
    report({ state: "preparing", status: "Getting the photo ready" });
    const blob = await prepare(file);
    signal.throwIfAborted();
    if (blob.size > maxBytes) throw new Problem(tooLarge(maxBytes));
    return await sendUntilAnswered(endpoint, blob, options, signal, report);
  } finally {
    endTurn();
  }
}

// Loaded with the first photo; should that fail, the photo goes as it is.
async function prepare(file) {
  try {
    const { prepareForSending } = await import("./shrink.js");
    return await prepareForSending(file);
  } catch {
    return file;
  }
}

async function sendUntilAnswered(endpoint, blob, options, signal, report) {
  for (let attempt = 1; ; attempt += 1) {
    report({ state: "sending", status: "Sending", progress: 0 });
    const onProgress = (share) => report(share < 1
      ? { state: "sending", status: `Sending, ${Math.round(share * 100)} %`, progress: share }
      : { state: "thinking", status: "Looking at it" });
    try {
      return await sendPhoto(endpoint, blob, options, { onProgress, signal });
    } catch (error) {
      if (!(error instanceof Problem) || error.retryAfter === null || attempt >= MAX_TRIES) throw error;
      await countDown(error, signal, report);
    }
  }
}

// Waits the seconds that the problem names, second by second on the page; `hurry` ends the wait.
async function countDown(problem, signal, report) {
  let hurried = false;
  let wake = () => {};
  const hurry = () => { hurried = true; wake(); };
  for (let left = problem.retryAfter; left > 0 && !hurried; left -= 1) {
    report({ state: "pausing", status: `${problem.title} Trying again in ${left} s.`, hurry, first: left === problem.retryAfter });
    await new Promise((resolve) => { wake = resolve; setTimeout(resolve, 1000); signal.addEventListener("abort", resolve, { once: true }); });
    signal.throwIfAborted();
  }
}

export function tooLarge(maxBytes) {
  const limit = Math.round(maxBytes / 2 ** 20);
  return { title: "This photo is too large.", detail: `It may have up to ${limit} MB. Save a smaller copy and try that one.`, status: 413, retriable: false };
}

async function takeTurn(signal) {
  signal.throwIfAborted();
  if (running < AT_ONCE) {
    running += 1;
    return;
  }
  await new Promise((resolve, reject) => {
    waiting.push(resolve);
    signal.addEventListener("abort", () => {
      const place = waiting.indexOf(resolve);
      if (place >= 0) {
        waiting.splice(place, 1);
        reject(signal.reason);
      }
    });
  });
}

function endTurn() {
  const next = waiting.shift();
  if (next) next();
  else running -= 1;
}
