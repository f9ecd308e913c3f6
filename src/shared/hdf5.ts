/** h5wasm as all rooms use it: errors are thrown, none is printed. */

let loading: Promise<typeof import('h5wasm/node')> | undefined;

export function loadHdf5(): Promise<typeof import('h5wasm/node')> {
  loading ??= load();
  return loading;
}

async function load(): Promise<typeof import('h5wasm/node')> {
  // It keeps the console's function of this moment, and would print with it that it aborts before it throws just that.
  const { error } = console;
  console.error = (...words: unknown[]) => {
    if (!String(words[0]).startsWith('Aborted(')) error.apply(console, words);
  };
  try {
    const h5wasm = await import('h5wasm/node');
    (await h5wasm.ready).activate_throwing_error_handler();
    return h5wasm;
  } finally {
    console.error = error;
  }
}
