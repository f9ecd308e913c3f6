import type { Deployment } from '../chip/deployment.js';
import type { Ledger } from '../ledger/ledger.js';
import type { Recovery } from '../tuning/recover.js';
import { finetunePage } from './page.js';

/** The report page of a recovery: one HTML file. `settings` is everything that the run was started with. */
export function recoveryPage(
  { context, hardware, chip, doneByHost }: Deployment,
  { software, samples, before, tuning, after }: Recovery,
  settings: Readonly<Record<string, string | number>>,
  ledger?: Ledger,
): string {
  const { rows, columns } = hardware.map;
  const { boardSerial, arraySerials } = context.board.description;
  return finetunePage({
    title: 'Fine-tuning on the chip',
    board: boardSerial,
    chip: [...chip.measured.keys()].map((array) => arraySerials[array]).join(', '),
    time: Date.now() / 1000,
    doneByHost,
    accuracies: { software, programmed: before.accuracy, finetuned: after.accuracy, samples },
    history: tuning.history,
    best: tuning.best,
    confusionBefore: before.confusion,
    confusionAfter: after.confusion,
    arrays: before.arrays.map(({ array, conductance }, i) => ({
      array,
      rows,
      columns,
      before: conductance,
      after: after.arrays[i].conductance,
    })),
    pulses: { programmed: before.programming.pulses, finetuned: tuning.pulses },
    energy: { programmed: before.programming.energy, finetuned: tuning.energy },
    cells: before.programming.cells,
    settings,
    ledger,
  });
}
