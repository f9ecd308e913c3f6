/** h5wasm as all rooms use it: errors are thrown, none is printed. */

let loading: Promise<typeof import('h5wasm/node')> | undefined;

export function loadHdf5(): Promise<typeof import('h5wasm/node')> {
  loading ??= load();
  return loading;
}

async function load(): Promise<typeof import('h5wasm/node')> {
  // It keeps the console's function of this moment, and would print with it whatever it then throws.
  const { error } = console;
  let loaded = false;
  console.error = (...words: unknown[]) => {
    if (!loaded) error.apply(console, words);
  };
  try {
    const h5wasm = await import('h5wasm/node');
    (await h5wasm.ready).activate_throwing_error_handler();
    return h5wasm;
  } finally {
    loaded = true;
    console.error = error;
  }
}
