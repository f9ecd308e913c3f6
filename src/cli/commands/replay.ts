import type { Command } from 'commander';
import { action, type Session } from '../command.js';

export function register(program: Command): void {
  program
    .command('replay')
    .description('list and check a recorded session; `--port replay:FILE` runs a command on it')
    .argument('<file>', 'made with --record')
    .option('--brief', 'only the summary')
    .action(action(replay));
}

async function replay(session: Session, file: string, { brief }: { brief?: boolean }) {
  const { readRecording, summariseSession, transcriptOf } = await import('../../driver/index.js');
  const recording = readRecording(file);
  if (!brief) for (const line of transcriptOf(recording)) session.print(line);
  const summary = summariseSession(recording);
  const { url, started, frames, requests, unanswered, refused } = summary;
  const { board, host } = recording.damaged;
  return {
    result: { ...summary },
    text:
      `${url}, ${started}: ${frames} frames, ${requests} requests, ${unanswered} unanswered, ${refused} refused, ` +
      `${board} frames damaged to the board, ${host} to the host`,
  };
}
