#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { MemloopError } from '../shared/errors.js';
import type { GlobalOptions } from './command.js';
import { seconds } from './numbers.js';

// Ink and chalk look at FORCE_COLOR only when they are first imported.
if (process.env.NO_COLOR || !process.stdout.isTTY) process.env.FORCE_COLOR = '0';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of the pipe has gone (`memloop … | head`): there is nobody left to tell.
  if (error.code === 'EPIPE') process.exit(0);
  // A closed terminal also sends SIGHUP, which ends the command.
  if (error.code !== 'EIO') throw error;
});

/** A command file registers itself on the program. */
type CommandFile = { register(program: Command): void };

/** Each is loaded when it is run or asked for help; a file imports the rooms that it needs inside its action. */
const COMMANDS: Readonly<Record<string, () => Promise<CommandFile>>> = {
  bench: () => import('./commands/bench.js'),
  benches: () => import('./commands/benches.js'),
  calibrate: () => import('./commands/calibrate.js'),
  data: () => import('./commands/data.js'),
  dashboard: () => import('./commands/dashboard.js'),
  demo: () => import('./commands/demo.js'),
  eval: () => import('./commands/eval.js'),
  export: () => import('./commands/export.js'),
  finetune: () => import('./commands/finetune.js'),
  fit: () => import('./commands/fit.js'),
  hub: () => import('./commands/hub.js'),
  import: () => import('./commands/import.js'),
  info: () => import('./commands/info.js'),
  jobs: () => import('./commands/jobs.js'),
  ledger: () => import('./commands/ledger.js'),
  maintain: () => import('./commands/maintain.js'),
  mock: () => import('./commands/mock.js'),
  passport: () => import('./commands/passport.js'),
  ports: () => import('./commands/ports.js'),
  program: () => import('./commands/program.js'),
  pulse: () => import('./commands/pulse.js'),
  read: () => import('./commands/read.js'),
  replay: () => import('./commands/replay.js'),
  simulate: () => import('./commands/simulate.js'),
  sweep: () => import('./commands/sweep.js'),
  train: () => import('./commands/train.js'),
  twin: () => import('./commands/twin.js'),
};

/** The package's own file lies above `dist/src/cli/`. */
const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('memloop')
  .description('Program memristor crossbars, train on their device equations, fine-tune on the array.')
  .version(version)
  .option('--json', 'one JSON object per line; the last has "type":"result"')
  .option('--debug', 'add the stack and the last frames of the link to an error')
  .option('--port <url>', 'board: /dev/ttyACM0, serial:…?baud=, tcp://host:port, virtual:PROFILE?seed=7')
  .option('--run <dir>', 'keep journal, weights and plots in this folder')
  .option(
    '--reconnect <s>',
    'how long to try a lost port again (default: 1.5 for long jobs, else 0)',
    seconds,
  )
  .option('--read-only', 'no pulse can be applied, whatever the command')
  .option('--record <file>', "record the link's bytes for `memloop replay`")
  .showHelpAfterError(false)
  .exitOverride()
  .configureOutput({ writeErr: () => {} });

/** The command that the arguments name, if there is one. */
function commandName(): string | undefined {
  const [name] = program.parseOptions(process.argv.slice(2)).operands;
  return name !== undefined && Object.hasOwn(COMMANDS, name) ? name : undefined;
}

/** The command that the arguments name; else all commands, which help and messages list. */
async function register(): Promise<void> {
  const name = commandName();
  for (const load of name === undefined ? Object.values(COMMANDS) : [COMMANDS[name]])
    (await load()).register(program);
  // Subcommands are registered before parsing, so they must inherit how errors leave.
  for (const command of program.commands) command.copyInheritedSettings(program);
}

async function fail(error: unknown): Promise<number> {
  const { reportFailure } = await import('./command.js');
  return reportFailure(error, program.opts<GlobalOptions>());
}

try {
  await register();
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) process.exitCode = await fail(error);
  else if (error.exitCode === 0) process.exitCode = 0;
  else {
    const what =
      error.code === 'commander.help' ? 'no command given' : error.message.replace(/^error: |\.$/g, '');
    const help = ['memloop', commandName(), '--help'].filter(Boolean).join(' ');
    process.exitCode = await fail(new MemloopError('usage', `${what}; see \`${help}\``));
  }
}
