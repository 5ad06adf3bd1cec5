import { isIPv6 } from 'node:net';
import type { Endpoint, Machine } from '../../machine/machine.ts';
import { timeKind } from '../../report/model/load-record.ts';
import { fixtureApp } from '../../wasm/app.ts';
import type { Lab, Service } from '../scenario.ts';
import type { Expect } from '../targets/expect.ts';
import type { ExecTarget } from '../targets/targets.ts';

/**
 * Deploys a component that calls another service, at port 8080 of the first board: asked for `/HOST`, it requests
 * `http://HOST/` and answers with the status and the body that come; 502 when the request fails.
 */
export const deployCaller = async ({ precompile, deploy }: Pick<Lab, 'precompile' | 'deploy'>): Promise<Service> => {
  const app = await fixtureApp('egress-wasi-http');
  await precompile(app);
  return await deploy({ service: 'lab.test.caller.test', app, port: '8080:80' });
};

/** The URL that makes the caller at `endpoint` call `address`. */
export const callOf = ({ host, port }: Endpoint, address: string): string =>
  `http://${host}:${port}/${isIPv6(address) ? `[${address}]` : address}`;

const inARow = 10;

/**
 * Milliseconds until calls of `url` are answered rightly again. The first of ten right ones in a row counts, once it is
 * answered. Rejects with the reason of `signal` when they never come.
 */
export const msUntilSteady = async (get: ExecTarget['get'], url: string, signal: AbortSignal): Promise<number> => {
  const began = performance.now();
  const isRight = () =>
    get(url).then(
      ({ status }) => status === 200,
      () => false,
    );
  let steady = began;
  for (let right = 0; right < inARow; ) {
    signal.throwIfAborted();
    right = (await isRight()) ? right + 1 : 0;
    if (right === 1) steady = performance.now();
  }
  return steady - began;
};

/**
 * Expects that calls went on within `most` ms, on a board whose times are measurements: an emulator's depend on what else
 * its computer does, and are only reported.
 */
export const withinOnHardware = (
  expect: Pick<Expect, 'ok'>,
  { fidelity }: Pick<Machine, 'fidelity'>,
  ms: number,
  most: number,
): void => {
  if (timeKind(fidelity) === 'performance')
    expect.ok(`they go on within ${most} ms`, ms <= most, `${Math.round(ms)} ms`);
};
