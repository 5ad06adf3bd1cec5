import fs from 'node:fs/promises';
import path from 'node:path';
import { handlers, inspectComponent, servesHttp, UnusableBinary } from '../../worker/contract/component.ts';
import { messageOf, usageFault } from '../system/errors.ts';
import { sha256 } from '../system/files/digest.ts';

/** A component to deploy; `body` is what it has to answer, when that is known. */
export type App = {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly body?: string;
};

const fixture = (name: string): URL => new URL(`../../fixtures/${name}/${name}.wasm`, import.meta.url);

/** The component that is deployed unless another one is asked for. */
export const helloApp = async (): Promise<App> => ({
  ...(await fixtureApp('hello-wasi-http')),
  body: 'Hello, wasi:http/proxy world!\n',
});

/** A component that comes with the lab, by the name of its folder in `fixtures`. */
export const fixtureApp = async (name: string): Promise<App> => {
  const bytes = await fs.readFile(fixture(name));
  return { name: `${name}.wasm`, bytes, sha256: sha256(bytes) };
};

/**
 * A component in a file, checked to be one that answers HTTP. Throws a usage fault that says what it is instead: no
 * such file, no WebAssembly, truncated, a core module, a component that exports none of {@link handlers}.
 */
export const openApp = async (file: string | URL, body?: string): Promise<App> => {
  const name = path.basename(file instanceof URL ? file.pathname : file);
  const bytes = await fs.readFile(file).catch((error: unknown) => {
    throw usageFault(`cannot read ${name}: ${messageOf(error)}`);
  });
  const refuse = (reason: string) =>
    usageFault(`${name} cannot be served: ${reason}`, [
      'build a component for wasi:http/proxy or wasi:http/service, for example with: cargo build --target wasm32-wasip2',
    ]);
  try {
    const info = inspectComponent(bytes);
    if (info.kind === 'module') throw refuse('it is a core module, not a component');
    if (!servesHttp(info)) {
      const exported = info.exports.slice(0, 10).join(', ') || 'nothing';
      throw refuse(`it exports neither ${handlers.join(' nor ')} (but ${exported})`);
    }
  } catch (error) {
    throw error instanceof UnusableBinary ? refuse(error.reason) : error;
  }
  return { name, bytes, sha256: sha256(bytes), ...(body === undefined ? {} : { body }) };
};
