// The tools beside the captions, loaded with the first photo to keep the page light.
export { listenForDownloads } from "./downloads.js";
export { listenForFilter, refreshFilter } from "./filter.js";
export { showOverall } from "./overall.js";
export { offerUndo, withdrawOffer } from "./undo.js";
