/** Which commands may be jobs, and with which arguments. */
import { join } from 'node:path';
import { type FileReference, fileSchema, type Job } from '../messages.js';
import { HubRefusal } from '../refusal.js';

/**
 * By name: whether the command goes on where it was cut off, because it measures first and sets only what is not as it
 * should be. One that does not is never begun twice.
 */
const COMMANDS: Readonly<Record<string, { resumes: boolean }>> = {
  calibrate: { resumes: true },
  eval: { resumes: true },
  finetune: { resumes: true },
  info: { resumes: true },
  maintain: { resumes: true },
  program: { resumes: true },
  pulse: { resumes: false },
  read: { resumes: true },
  sweep: { resumes: false },
};

/** The bench gives these itself. */
const OWN = /^--(port|run|record|debug|reconnect|json)\b/;

/** Throws HubRefusal `bad-command` for a command or argument that no job may have. */
export function checkCommand({ command, arguments: words }: Job): void {
  if (!Object.hasOwn(COMMANDS, command))
    throw new HubRefusal(
      'bad-command',
      `"${command}" cannot be a job: take one of ${Object.keys(COMMANDS).join(', ')}`,
    );
  for (const word of words) {
    if (typeof word !== 'string') continue;
    if (OWN.test(word)) throw new HubRefusal('bad-command', `${word}: the bench gives this option itself`);
    // Files come with the job; nothing else of the bench's disk may be named.
    if (/[/\\]|\.\./.test(word) || word.includes('\0'))
      throw new HubRefusal('bad-command', `"${word}" looks like a path: a job names files of its own only`);
  }
}

export const resumes = ({ command }: Job): boolean => COMMANDS[command]?.resumes ?? false;

export const filesOf = (job: Job): FileReference[] =>
  job.arguments.filter((word) => fileSchema.safeParse(word).success) as FileReference[];

/** What the shell would be given; files lie in `folder`. */
export const wordsOf = (job: Job, folder: string): string[] => [
  job.command,
  ...job.arguments.map((word) => (typeof word === 'string' ? word : join(folder, word.name))),
];
