import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const names = [process.env['LAB_CHROMIUM'] ?? 'chromium', 'chromium-browser', 'google-chrome'];
const chromium = names.find((name) => spawnSync(name, ['--version']).status === 0);

/** Why no page can be opened here; false when one can. */
export const withoutBrowser: string | false = chromium
  ? false
  : 'no chromium: put one on PATH or name it in LAB_CHROMIUM';

type Event = { readonly method: string; readonly params: unknown };

/** One page of a headless Chromium, spoken to over its DevTools protocol. */
export class Page {
  readonly events: Event[] = [];
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (answer: { result?: unknown }) => void>();
  #last = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as { id?: number; result?: unknown } & Event;
      if (message.id === undefined) this.events.push(message);
      else this.#answers.get(message.id)?.(message);
    });
  }

  async send(method: string, params: object = {}): Promise<unknown> {
    this.#last += 1;
    const id = this.#last;
    const { promise, resolve } = Promise.withResolvers<{ result?: unknown }>();
    this.#answers.set(id, resolve);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return (await promise).result;
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    return (answer as { result: { value: T } }).result.value;
  }
}

/** Starts a browser with one empty page; it ends with `stack`. */
export const openPage = async (stack: AsyncDisposableStack): Promise<Page> => {
  const profile = mkdtempSync(join(tmpdir(), 'lab-browser-'));
  stack.defer(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0', '--no-first-run'];
  const child = spawn(chromium ?? 'chromium', [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const closed = once(child, 'close');
  stack.defer(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  for await (const line of createInterface(child.stderr)) {
    const host = /ws:\/\/([^/]+)/.exec(line)?.[1];
    if (host === undefined) continue;
    child.stderr.resume();
    const target = await fetch(`http://${host}/json/new?about:blank`, { method: 'PUT' });
    const { webSocketDebuggerUrl } = (await target.json()) as { webSocketDebuggerUrl: string };
    const socket = new WebSocket(webSocketDebuggerUrl);
    await once(socket, 'open');
    const page = new Page(socket);
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await page.send(`${domain}.enable`);
    return page;
  }
  throw new Error('the browser ended before it listened');
};
