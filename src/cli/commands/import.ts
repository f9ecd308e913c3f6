import { type Command, Option } from 'commander';
import type { NodeVerdict } from '../../interop/index.js';
import { MemloopError } from '../../shared/errors.js';
import { clean } from '../../shared/text.js';
import { action, type Outcome, type Session } from '../command.js';
import { wholeNumber } from '../numbers.js';
import { verdictText } from '../verdicts.js';

interface Options {
  out?: string;
  hiddenNeurons?: 'relu' | 'mif';
  steps?: number;
  dryRun?: boolean;
}

export function register(program: Command): void {
  program
    .command('import')
    .description("read other tools' files")
    .command('nir <file>')
    .description('a network from a NIR graph (HDF5), with a verdict on each node')
    .option('--out <file>', 'network, as safetensors (default: FILE with that ending)')
    .addOption(
      new Option(
        '--hidden-neurons <kind>',
        'what spiking neurons between layers become (default: leaky ones mif, others relu)',
      ).choices(['relu', 'mif']),
    )
    .option('--steps <n>', 'steps of the neurons for one input (default: 250)', wholeNumber(1, 1_000_000))
    .option('--dry-run', 'only the verdicts; write nothing')
    .action(action(importNir));
}

async function importNir(_session: Session, file: string, options: Options): Promise<Outcome> {
  const { loadNir, networkFromNir } = await import('../../interop/index.js');
  const { out = file.replace(/(\.(nir|h5|hdf5))?$/, '.safetensors'), dryRun = false, ...rest } = options;
  const { network, metadata, verdicts } = networkFromNir(await loadNir(file), { ...rest, source: file });
  if (dryRun) return { result: { verdicts, dryRun }, text: verdictText(verdicts) };
  if (!network) throw unsupported(file, verdicts);
  const { saveNetwork } = await import('../../model/index.js');
  saveNetwork(out, network, metadata);
  return { result: { file: out, verdicts }, text: `${verdictText(verdicts)}\nnetwork: ${out}` };
}

function unsupported(file: string, verdicts: readonly NodeVerdict[]): MemloopError {
  const [first, ...others] = verdicts.filter(({ verdict }) => verdict === 'unsupported');
  const more = others.length === 0 ? '' : `, and ${others.length} more`;
  return new MemloopError(
    'bad-file',
    clean(
      `${file} cannot be imported: node ${first.node} (${first.type}) ${first.note}${more}; --dry-run lists all verdicts`,
    ),
  );
}
