/** A thread of the kernel. It sleeps between runs, and reads what it was told before each. */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { KernelFunctions } from './calls.js';
import { type Message, PROGRAM, type Program, RUN, type ThreadData, work } from './work.js';

const { control, module, port } = workerData as ThreadData;
const functions = new Map<number, KernelFunctions>();
const programs = new Map<number, Program>();

function take(message: Message): void {
  if ('memory' in message) {
    const { id, memory } = message.memory;
    const instance = new WebAssembly.Instance(module, { env: { memory } });
    functions.set(id, instance.exports as unknown as KernelFunctions);
  } else if ('program' in message) programs.set(message.program.id, message.program);
  else {
    functions.delete(message.forget.memory);
    for (const id of message.forget.programs) programs.delete(id);
  }
}

for (let seen = 0; ; ) {
  Atomics.wait(control, RUN, seen);
  seen = Atomics.load(control, RUN);
  if (seen < 0) break;
  for (let m = receiveMessageOnPort(port); m; m = receiveMessageOnPort(port)) take(m.message as Message);
  const program = programs.get(Atomics.load(control, PROGRAM));
  const kernel = program && functions.get(program.memory);
  if (program && kernel) work(control, seen, program.tasks, kernel);
}
