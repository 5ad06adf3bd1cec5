import Type, { type Static } from 'typebox';
import { parseJson } from '../../worker/contract/check.ts';
import { labFault } from '../system/errors.ts';
import type { ExecResult } from '../system/process.ts';
import type { Expected } from './tally.ts';

/** Requests one after the other on one kept connection. */
export type CountedPlan = {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly requests: number;
  /** Requests before them, which are counted nowhere. */
  readonly warmUp: number;
  /** The expected body is in base64; without one any body is right. */
  readonly expect: { readonly status: number; readonly body?: string };
};

const CountedLoad = Type.Object({
  /** What the guest's clock went on by during each request: instructions, of client, network and service. */
  took: Type.Array(Type.Number()),
  /** Instructions of all requests together, without the time in which nothing was to be done. */
  instructions: Type.Number(),
  /** The client's own part of that. */
  client: Type.Number(),
  wrongStatus: Type.Integer(),
  wrongBody: Type.Integer(),
});
export type CountedLoad = Static<typeof CountedLoad>;

/** The plan for GET requests of an `http:` URL. */
export const countedPlan = (
  url: string,
  { status, body }: Expected,
  { requests, warmUp }: Pick<CountedPlan, 'requests' | 'warmUp'>,
): CountedPlan => {
  const { hostname, port, pathname, search } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || '80'),
    path: pathname + search,
    ...{ requests, warmUp },
    expect: { status, ...(body === undefined ? {} : { body: Buffer.from(body).toString('base64') }) },
  };
};

/**
 * Makes requests from where `run` starts programs: it starts the client (`counted-client.ts`) with the plan as its
 * standard input. Throws, blaming the lab, when that ended without a result.
 */
export const runCountedLoad = async (
  plan: CountedPlan,
  run: (stdin: string) => Promise<ExecResult>,
): Promise<CountedLoad> => {
  const { code, stdout, stderr } = await run(JSON.stringify(plan));
  if (code !== 0) throw labFault(`the client that counts requests ended with ${code}: ${stderr.trim()}`);
  return parseJson(CountedLoad, stdout, "the client's result");
};
