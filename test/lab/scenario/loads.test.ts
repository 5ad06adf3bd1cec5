import t from 'tap';
import { packetCapture } from '../../../lab/scenario/board/capture.ts';
import { noObservations } from '../../../lab/scenario/observations.ts';
import { createLoader } from '../../../lab/scenario/services/loads.ts';
import { extendableDeadline } from '../../../lab/system/wait.ts';
import { listen } from '../load/server.ts';
import { askedBoard } from './asked-board.ts';
import { workingBoard } from './working-board.ts';

t.test("loads take nothing of a scenario's time, however many they are", async (t) => {
  await using server = await listen((_request, response) => response.end('right\n'));
  const board = askedBoard([], []);
  const limit = extendableDeadline(5000, 'the scenario');
  const load = createLoader(
    [{ machine: board }],
    { connections: 1, duration: 1 },
    noObservations(),
    [packetCapture(board, limit.signal)],
    limit,
  );
  for (const name of ['one', 'two', 'three', 'four']) {
    const { responses } = await load(name, server.url, { status: 200, body: 'right\n' });
    t.ok(responses > 0, name);
  }
  t.notOk(limit.signal.aborted);
});

t.test('a load goes on while a board whose packets are recorded is switched off', async (t) => {
  await using server = await listen((_request, response) => response.end('right\n'));
  const [board, other] = [askedBoard([], []), workingBoard()];
  const limit = extendableDeadline(5000, 'the scenario');
  const capture = packetCapture(other, limit.signal);
  await capture.start();
  const load = createLoader([{ machine: board }], { connections: 1, duration: 1 }, noObservations(), [capture], limit);
  await other[Symbol.asyncDispose]();
  const { responses } = await load('one', server.url, { status: 200, body: 'right\n' });
  t.ok(responses > 0);
});
