// Node's fetch, which is that of browsers.
import { readFile } from 'node:fs/promises';

const [address, path] = process.argv.slice(2);
const photo = await readFile(path);
const form = new FormData();
form.append('image', new Blob([photo], { type: 'image/jpeg' }), 'photo.jpg');

for (const [body, headers] of [[form, {}], [photo, { 'Content-Type': 'image/jpeg' }]]) {
  const answer = await fetch(address, { method: 'POST', body, headers });
  console.log(await answer.text());
}
