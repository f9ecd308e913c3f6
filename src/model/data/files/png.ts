/** A folder with one folder of PNG images for each class; colours become grey. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unpackedLimit } from '../gzip.js';
import { badFile, classesOf, MAX_INPUTS, type Samples } from './samples.js';

/** Error: `bad-file`. */
export async function readPngFolder(path: string): Promise<Samples> {
  const files = readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) =>
      readdirSync(join(path, name))
        .filter((file) => /\.png$/i.test(file))
        .sort()
        .map((file) => ({ label: name, file: join(path, name, file) })),
    );
  if (files.length < 2)
    throw badFile(
      path,
      `it holds ${files.length} PNG images in folders; make a folder of images for each class`,
    );
  const { labels, classes } = classesOf(
    path,
    files.map(({ label }) => label),
  );
  const { decode } = await import('fast-png');
  let shape = '';
  let values = new Uint8Array(0);
  let size = 0;
  files.forEach(({ file }, i) => {
    const image = grey(file, decode);
    const found = `${image.width} × ${image.height}`;
    if (i === 0) {
      shape = found;
      size = image.pixels.length;
      values = new Uint8Array(files.length * size);
    }
    if (found !== shape)
      throw badFile(file, `it is ${found} pixels, ${files[0].file} ${shape}; make all images the same size`);
    values.set(image.pixels, i * size);
  });
  const columns = Array.from({ length: size }, (_, i) => ({ name: `pixel ${i + 1}` }));
  return { count: files.length, columns, values, labels, classes, image: { full: 255 }, label: 'folder' };
}

function grey(file: string, decode: typeof import('fast-png').decode) {
  const bytes = readFileSync(file);
  const damaged = (why: string) => badFile(file, `it is not a sound PNG image (${why}); save it anew`);
  if (bytes.length < 33 || bytes.readUInt32BE(0) !== 0x89504e47) throw damaged('no PNG header');
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  // One bit a pixel is the least that a PNG stores.
  if (
    (width * height) / 8 > unpackedLimit(bytes.length) ||
    width * height > MAX_INPUTS ||
    width * height === 0
  )
    throw damaged(`${width} × ${height} pixels in ${bytes.length} bytes`);
  let image: ReturnType<typeof decode>;
  try {
    image = decode(bytes);
  } catch (error) {
    throw damaged((error as Error).message);
  }
  const { data, depth, channels, palette } = image;
  const most = 2 ** depth - 1;
  if (depth < 8 && channels === 1) throw damaged(`${depth} bits a pixel; save it with 8`);
  const pixels = new Uint8Array(width * height);
  for (let p = 0; p < pixels.length; p++) {
    const colour = palette ? palette[data[p]] : undefined;
    const of = (c: number): number => (colour ? colour[c] : data[p * channels + c]);
    const value = palette || channels >= 3 ? 0.299 * of(0) + 0.587 * of(1) + 0.114 * of(2) : of(0);
    pixels[p] = Math.round((palette ? 1 : 255 / most) * value);
  }
  return { width, height, pixels };
}
