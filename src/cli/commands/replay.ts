import type { Command } from 'commander';
import { action } from '../command.js';

export function register(program: Command): void {
  program
    .command('replay')
    .description('list and check a recorded link session; `--port replay:FILE` runs a command on it')
    .argument('<file>', 'made with --record')
    .option('--brief', 'only the summary')
    .action(
      action(async (session, file: string, { brief }: { brief?: boolean }) => {
        const { describeFrame, exchangesOf, readRecording } = await import('../../driver/index.js');
        const { header, frames, events, damaged } = readRecording(file);
        if (!brief) {
          const lines = [
            ...frames.map(({ time, to, frame }) => ({
              time,
              text: `${to === 'board' ? '→' : '←'} ${describeFrame(frame)}`,
            })),
            ...events.map(({ time, event }) => ({ time, text: `  ${event}` })),
          ].sort((a, b) => a.time - b.time);
          for (const { time, text } of lines) session.print(`${time.toFixed(4).padStart(10)} s ${text}`);
        }
        const exchanges = exchangesOf(frames);
        const unanswered = exchanges.filter(({ answers }) => answers.length === 0).length;
        const refused = exchanges.filter(({ answers }) =>
          answers.some(({ name }) => name === 'Refused'),
        ).length;
        const summary = {
          url: header.url,
          started: header.started,
          frames: frames.length,
          requests: exchanges.length,
          unanswered,
          refused,
          damaged: damaged.board + damaged.host,
        };
        return {
          result: summary,
          text:
            `${header.url}, ${header.started}: ${summary.frames} frames, ${summary.requests} requests, ` +
            `${unanswered} unanswered, ${refused} refused, ${damaged.board} frames damaged to the board, ${damaged.host} to the host`,
        };
      }),
    );
}
