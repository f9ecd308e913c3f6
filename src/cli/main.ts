#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { MemloopError } from '../shared/errors.js';
import { type GlobalOptions, reportFailure } from './command.js';
import { seconds } from './numbers.js';

// Ink and chalk look at FORCE_COLOR only when they are first imported.
if (process.env.NO_COLOR || !process.stdout.isTTY) process.env.FORCE_COLOR = '0';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of the pipe has gone (`memloop … | head`): there is nobody left to tell.
  if (error.code === 'EPIPE') process.exit(0);
  // A closed terminal also sends SIGHUP, which ends the command.
  if (error.code !== 'EIO') throw error;
});

/** A command file registers itself on the program; heavy rooms are imported inside its action. */
type CommandFile = { register(program: Command): void };

const commands: (() => Promise<CommandFile>)[] = [
  () => import('./commands/calibrate.js'),
  () => import('./commands/data.js'),
  () => import('./commands/dashboard.js'),
  () => import('./commands/demo.js'),
  () => import('./commands/eval.js'),
  () => import('./commands/export.js'),
  () => import('./commands/finetune.js'),
  () => import('./commands/fit.js'),
  () => import('./commands/info.js'),
  () => import('./commands/ledger.js'),
  () => import('./commands/maintain.js'),
  () => import('./commands/mock.js'),
  () => import('./commands/passport.js'),
  () => import('./commands/ports.js'),
  () => import('./commands/program.js'),
  () => import('./commands/pulse.js'),
  () => import('./commands/read.js'),
  () => import('./commands/replay.js'),
  () => import('./commands/simulate.js'),
  () => import('./commands/sweep.js'),
  () => import('./commands/train.js'),
];

const { version } = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve('memloop/package.json'), 'utf8'),
) as { version: string };

const program = new Command('memloop')
  .description('Program memristor crossbars, train on their device equations, fine-tune on the array.')
  .version(version)
  .option('--json', 'one JSON object a line; the last has "type":"result"')
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

/** Subcommands are registered before parsing, so they must inherit how errors leave. */
for (const load of commands) (await load()).register(program);
for (const command of program.commands) command.copyInheritedSettings(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) process.exitCode = 0;
    else {
      const usage = new MemloopError(
        'usage',
        error.code === 'commander.help'
          ? 'no command given; see `memloop --help`'
          : `${error.message.replace(/^error: |\.$/g, '')}; see \`memloop --help\``,
      );
      process.exitCode = reportFailure(usage, program.opts<GlobalOptions>());
    }
  } else process.exitCode = reportFailure(error, program.opts<GlobalOptions>());
}
