// Draws where the model looked: one weight a cell of a grid that covers the whole photo, whatever its shape, because the
// model sees every photo squashed to a square. Between the middles of the cells the drawing is interpolated; thin lines show
// the cells themselves.

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
  const most = Math.max(...weights);
  weights.forEach((weight, index) => {
    const share = most > 0 ? weight / most : 0;
    image.data.set(blend(share), index * 4);
  });
  context.putImageData(image, 0, 0);
  return cells;
}

// From a dark veil (looked away) to a light amber one (looked most).
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

// "the upper left", by the third of the photo around the weights' centre of mass; "all over the photo" when they are spread.
export function describeGaze(weights, { rows, columns }) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0) || isSpread(weights, total)) return "all over the photo";
  let x = 0;
  let y = 0;
  weights.forEach((weight, index) => {
    x += (weight / total) * ((index % columns) + 0.5) / columns;
    y += (weight / total) * (Math.floor(index / columns) + 0.5) / rows;
  });
  const across = ["left", "", "right"][third(x)];
  const down = ["upper", "", "lower"][third(y)];
  if (!across && !down) return "the middle";
  if (!down) return `the ${across}`;
  if (!across) return down === "upper" ? "the top" : "the bottom";
  return `the ${down} ${across}`;
}

function third(position) {
  if (position < 0.4) return 0;
  return position > 0.6 ? 2 : 1;
}

// Spread: the heaviest tenth of the cells holds less than a quarter of the weight.
function isSpread(weights, total) {
  const heaviest = [...weights].sort((a, b) => b - a).slice(0, Math.ceil(weights.length / 10));
  return heaviest.reduce((sum, weight) => sum + weight, 0) < total / 4;
}
