import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import Type from 'typebox';
import { parseJson } from '../../worker/contract/check.ts';
import { labFault } from '../system/errors.ts';
import type { ExecResult } from '../system/process.ts';
import type { LoadPlan, LoadResult } from './load-plan.ts';

const Result = Type.Object({
  sent: Type.Integer(),
  responses: Type.Integer(),
  wrongStatus: Type.Integer(),
  wrongBody: Type.Integer(),
  errors: Type.Integer(),
  timeouts: Type.Integer(),
  unfinished: Type.Integer(),
  seconds: Type.Number(),
  rate: Type.Number(),
  perSecond: Type.Array(Type.Integer()),
  generator: Type.Object({ cpuShare: Type.Number(), eventLoopDelayP99Us: Type.Number(), bound: Type.Boolean() }),
  bodies: Type.Optional(Type.Object({ least: Type.Integer(), most: Type.Integer() })),
  hdr: Type.String(),
  shed: Type.Optional(Type.Integer()),
  lateness: Type.Optional(Type.String()),
});

/** A plan as JSON: the expected body is in base64. */
export type WrittenPlan = Omit<LoadPlan, 'signal' | 'expect'> & {
  readonly expect: { readonly status: number; readonly body?: string };
};

/** The load generator in one file that any Node runs. */
export const loadProgram = async (): Promise<string> => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('program.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    minify: true,
    write: false,
    // what is bundled was written for CommonJS
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire('file:///');" },
    define: { __dirname: '"/"', __filename: '"/load.mjs"' },
  });
  return outputFiles.map(({ text }) => text).join('');
};

const readResult = (printed: string): LoadResult => {
  const { hdr, lateness, shed, bodies, ...counted } = parseJson(Result, printed, "the load generator's result");
  const decode = (text: string) => decodeFromCompressedBase64(text, 32, false);
  return {
    ...counted,
    bodies,
    latency: decode(hdr),
    ...(shed === undefined ? {} : { shed }),
    ...(lateness === undefined ? {} : { lateness: decode(lateness) }),
  };
};

/**
 * Loads a service from where `run` starts programs: `run` starts the program with the plan as its standard input and
 * says how it ended. Throws, blaming the lab, when it ended without a result.
 */
export const runRemoteLoad = async (
  plan: LoadPlan,
  run: (stdin: string, signal: AbortSignal) => Promise<ExecResult>,
): Promise<LoadResult> => {
  const { signal, expect, ...rest } = plan;
  const { status, body } = expect;
  const written: WrittenPlan = {
    ...rest,
    expect: { status, ...(body === undefined ? {} : { body: Buffer.from(body).toString('base64') }) },
  };
  const { code, stdout, stderr } = await run(JSON.stringify(written), signal);
  if (code !== 0) throw labFault(`the load generator ended with ${code}: ${stderr.trim()}`);
  try {
    return readResult(stdout);
  } catch (error) {
    throw labFault('the load generator printed no result', [], error);
  }
};
