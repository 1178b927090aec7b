// What is offered beside the captions: loaded with the first photo, so that the page itself opens lighter.
export { listenForDownloads } from "./downloads.js";
export { listenForFilter, refreshFilter } from "./filter.js";
export { showOverall } from "./overall.js";
export { offerUndo, withdrawOffer } from "./undo.js";
