/** A network on the stand-in of an ArC ONE: neurons and sums by the host. */
import { expect, onTestFinished, test } from 'vitest';
import { openArcOne } from '../../../src/boards/arc-one/open.js';
import { guardBoard } from '../../../src/calibration/index.js';
import { Deployment, maintain } from '../../../src/loop/index.js';
import { predict } from '../../../src/model/index.js';
import { servePty } from '../../../src/virtual-board/index.js';
import { arcOneFaultsSchema } from '../../../src/virtual-board/stand-ins/arc-one/faults.js';
import { createArcOne } from '../../../src/virtual-board/stand-ins/arc-one/serve.js';
import { scratch } from '../../integration/shell.js';
import { patterns, smallNetwork, smallProfile } from '../../loop/small.js';

test('is programmed, evaluated and upheld', async () => {
  const { network, dataset, scales } = await smallNetwork();
  const faults = arcOneFaultsSchema.parse({ boot: 0 });
  const port = await servePty(createArcOne(smallProfile(), { seed: 4, faults }));
  onTestFinished(() => port.close());
  const url = `arc1:${port.port}?rows=8&columns=8&series=5000&boot=0.02&timeout=0.5`;
  const board = guardBoard(await openArcOne(url, {}), { home: scratch() });
  const session = { board, emit: () => {}, signal: new AbortController().signal };
  const pictures = patterns(80, 2);
  const inSoftware = predict(network, pictures.inputs).filter((d, n) => d === pictures.labels[n]).length / 80;
  const deployment = await Deployment.open(session, network, scales);
  expect(deployment.origin).toEqual({ sums: 'host', neurons: 'host' });
  await deployment.program();
  expect((await deployment.evaluate(pictures)).accuracy).toBeGreaterThan(inSoftware - 0.03);
  expect((await maintain(deployment, dataset)).accuracyAfter).toBeGreaterThan(inSoftware - 0.05);
  await board.close();
});
