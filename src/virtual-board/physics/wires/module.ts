/** The compiled arithmetic of `assembly/`. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

let compiled: WebAssembly.Module | undefined;

/** An instance with a memory of its own. */
export function wiresInstance<Functions>(): Functions {
  compiled ??= new WebAssembly.Module(
    readFileSync(createRequire(import.meta.url).resolve('#assets/wires.wasm')),
  );
  return new WebAssembly.Instance(compiled).exports as unknown as Functions;
}
