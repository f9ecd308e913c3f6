import type { Command } from 'commander';
import { action } from '../command.js';
import { dataOptions } from '../data-options.js';

interface ReadOptions {
  label?: string;
  inputs?: string;
  header?: boolean;
  times?: number;
  channels?: number;
}

interface Options {
  dataDir?: string;
  mirror?: string;
  force?: boolean;
}

export function register(program: Command): void {
  const data = program.command('data').description('list and fetch datasets, describe data files');

  data
    .command('list')
    .description('known datasets, and which are on this machine')
    .option('--data-dir <dir>', 'folder to look in (default: the cache)')
    .action(
      action(async (_session, { dataDir }: Options) => {
        const { listDatasets, datasetCache } = await import('../../model/index.js');
        const datasets = listDatasets(dataDir);
        return {
          result: { datasets, dataDir: dataDir ?? datasetCache() },
          text: [
            ...datasets.map(
              (d) => `${d.available ? '✓' : ' '} ${d.name.padEnd(14)} ${d.description}, ${d.licence}`,
            ),
            `in ${dataDir ?? datasetCache()}`,
          ].join('\n'),
        };
      }),
    );

  describe(data);

  data
    .command('fetch <name>')
    .description('fetch a dataset, resuming what was interrupted; every file is checked by its SHA-256')
    .option('--data-dir <dir>', 'folder to keep it in (default: the cache)')
    .option('--mirror <url>', 'folder on the web to fetch from instead of the known ones')
    .option('--force', 'fetch again what is here already')
    .action(
      action(
        async ({ emit, signal }, name: string, options: Options) => {
          const { fetchDataset, datasetSource } = await import('../../model/index.js');
          if (name === 'digits') return { result: { files: [] }, text: 'digits comes with memloop' };
          const files = await fetchDataset(datasetSource(name), {
            emit,
            signal,
            force: options.force ?? false,
            ...(options.dataDir !== undefined && { dataDir: options.dataDir }),
            ...(options.mirror !== undefined && { mirrors: [options.mirror] }),
          });
          return {
            result: { files },
            text: files.map(({ file, status }) => `${status.padEnd(8)} ${file}`).join('\n'),
          };
        },
        { show: 'lines' },
      ),
    );
}

function describe(data: Command): void {
  dataOptions(data.command('describe <file>'))
    .description('what a data file holds, and what training would make of it')
    .action(
      action(async (_session, file: string, options: ReadOptions) => {
        const { describeData } = await import('../../model/index.js');
        const description = await describeData(file, options);
        const { told, counts, columns } = description;
        const shown = columns
          .slice(0, 40)
          .map(
            ({ name, kind, missing }) =>
              `${name.padEnd(24)} ${kind}${missing > 0 ? `, ${missing} missing` : ''}`,
          );
        return {
          result: { ...description },
          text: [
            told,
            ...Object.entries(counts).map(([name, count]) => `class ${name.padEnd(18)} ${count} samples`),
            ...shown,
            ...(columns.length > 40 ? [`… and ${columns.length - 40} more columns`] : []),
          ].join('\n'),
        };
      }),
    );
}
