// Draws where the model looked: one weight a cell of a grid that covers the whole photo, whatever its shape, because the
// model sees every photo squashed to a square. Between the middles of the cells the drawing is interpolated; thin lines show
// the cells themselves. Colours run from the least to the most weight of this word; the legend names both.

const SHADE = 0.56; // how dark a cell with no weight becomes
const GLOW = [255, 170, 40];
const GLOW_STRENGTH = 0.34;

export function drawAttention(canvas, weights, grid) {
  const { width, height } = canvas.getBoundingClientRect();
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(paintCells(weights, grid), 0, 0, canvas.width, canvas.height);
  drawGrid(context, grid);
}

function paintCells(weights, { rows, columns }) {
  const cells = new OffscreenCanvas(columns, rows);
  const context = cells.getContext("2d");
  const image = context.createImageData(columns, rows);
  const { least, most } = measureRange(weights);
  weights.forEach((weight, index) => {
    const share = most > least ? (weight - least) / (most - least) : 1;
    image.data.set(blend(share), index * 4);
  });
  context.putImageData(image, 0, 0);
  return cells;
}

export function measureRange(weights) {
  return { least: Math.min(...weights), most: Math.max(...weights) };
}

// From a dark veil (looked least) to a light amber one (looked most).
function blend(share) {
  const shade = SHADE * (1 - share);
  const glow = GLOW_STRENGTH * share;
  const alpha = shade + glow;
  const part = alpha > 0 ? glow / alpha : 0;
  return [...GLOW.map((channel) => Math.round(channel * part)), Math.round(alpha * 255)];
}

function drawGrid(context, { rows, columns }) {
  const { width, height } = context.canvas;
  context.strokeStyle = "rgb(255 255 255 / 16%)";
  context.lineWidth = 1;
  context.beginPath();
  for (let column = 1; column < columns; column += 1) {
    const x = Math.round((column * width) / columns) + 0.5;
    context.moveTo(x, 0);
    context.lineTo(x, height);
  }
  for (let row = 1; row < rows; row += 1) {
    const y = Math.round((row * height) / rows) + 0.5;
    context.moveTo(0, y);
    context.lineTo(width, y);
  }
  context.stroke();
}

const MOSTLY = 1.3; // a ninth of the photo counts when its cells weigh this much more than the average cell
const NAMES = [
  ["the upper left", "the top", "the upper right"],
  ["the left", "the middle", "the right"],
  ["the lower left", "the bottom", "the lower right"],
];

// The ninth of the photo that was looked at most, in words; "all of the photo" when none stands out.
export function describeGaze(weights, { rows, columns }) {
  const ninths = NAMES.flat().map((name) => ({ name, sum: 0, cells: 0 }));
  weights.forEach((weight, index) => {
    const row = Math.floor((3 * Math.floor(index / columns)) / rows);
    const column = Math.floor((3 * (index % columns)) / columns);
    const ninth = ninths[3 * row + column];
    ninth.sum += weight;
    ninth.cells += 1;
  });
  const mean = ({ sum, cells }) => (cells ? sum / cells : 0);
  const average = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  const [first] = ninths.sort((a, b) => mean(b) - mean(a));
  return mean(first) >= MOSTLY * average && average > 0 ? first.name : "all of the photo";
}
