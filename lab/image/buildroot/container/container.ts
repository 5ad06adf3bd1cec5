import fs from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer } from 'testcontainers';
import { labFault, messageOf } from '../../../system/errors.ts';
import { proxyVariables } from '../../../system/internet/internet.ts';
import { abortable } from '../../../system/wait.ts';
import type { BuildHost, Folders } from '../build-host.ts';
import { attachTerminal } from '../terminal.ts';
import { provideToolsImage } from './container-image.ts';

/** Starts a container that sees `folders` where they are on this computer. */
const startIn = async ({ read, written }: Folders, say: (text: string) => void, signal: AbortSignal) => {
  const { name, digest } = await provideToolsImage(say, signal);
  // an engine makes a folder that is missing, and root owns it then
  await Promise.all(written.map((folder) => fs.mkdir(folder, { recursive: true })));
  const started = await new GenericContainer(name)
    .withBindMounts([
      ...read.map((folder) => ({ source: folder, target: folder, mode: 'ro' as const })),
      ...written.map((folder) => ({ source: folder, target: folder })),
    ])
    // in a rootless engine the user of this computer is root, which some packages' configure takes for a mistake
    .withEnvironment({ HOME: '/tmp', LANG: 'C.UTF-8', FORCE_UNSAFE_CONFIGURE: '1', ...proxyVariables() })
    .withCommand(['sleep', 'infinity'])
    .start();
  return { name, digest, started };
};

/** Who owns a folder, as the container sees it: itself the user of this computer, or root in a rootless engine. */
const ownerOf = async (container: StartedTestContainer, folder: string): Promise<string> =>
  (await container.exec(['stat', '-c', '%u:%g', folder])).stdout.trim();

const failure = (command: readonly string[], code: number | null, said = ''): Error =>
  new Error(`${command.join(' ')} ended with ${code} in the container${said === '' ? '' : `:\n${said.trimEnd()}`}`);

/**
 * A container as the build host. It works as the user who started the lab and is removed with all that runs in it when
 * it is disposed of. Throws a lab fault when it cannot be had.
 */
export const openBuildContainer = async (
  folders: Folders,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<BuildHost> => {
  await using undo = new AsyncDisposableStack();
  const { name, digest, started } = await startIn(folders, say, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw labFault(
      `no container to build in: ${messageOf(error)}`,
      [
        'to see all that the engine says: DEBUG=testcontainers* npm run lab -- image build buildroot --container',
        'where the engine cannot run Ryuk, which removes what a killed lab leaves: export TESTCONTAINERS_RYUK_DISABLED=true',
      ],
      error,
    );
  });
  undo.use(started);
  const user = await ownerOf(started, folders.written[0] ?? '/');
  const inEngine = (await getContainerRuntimeClient()).container.getById(started.getId());

  const lines = async function* (command: readonly string[]): AsyncGenerator<string> {
    const exec = await inEngine.exec({ Cmd: [...command], User: user, AttachStdout: true, AttachStderr: true });
    const stream = await exec.start({});
    const output = new PassThrough();
    inEngine.modem.demuxStream(stream, output, output);
    const trouble = finished(stream, { signal, writable: false })
      .then(
        () => undefined,
        (error: unknown) => error,
      )
      .finally(() => output.end());
    yield* createInterface({ input: output });
    const reason = await trouble;
    signal.throwIfAborted();
    if (reason !== undefined) throw reason;
    const { ExitCode } = await exec.inspect();
    if (ExitCode !== 0) throw failure(command, ExitCode);
  };
  const run = async (command: readonly string[]): Promise<string> => {
    const { stdout, output, exitCode } = await abortable(started.exec([...command], { user }), signal);
    if (exitCode !== 0) throw failure(command, exitCode, output);
    return stdout;
  };

  const interact = async (command: readonly string[]): Promise<void> => {
    const exec = await inEngine.exec({
      ...{ Cmd: [...command], User: user, Env: [`TERM=${process.env['TERM'] ?? 'dumb'}`] },
      ...{ Tty: true, AttachStdin: true, AttachStdout: true, AttachStderr: true },
    });
    const stream = await exec.start({ hijack: true, stdin: true, Tty: true });
    await attachTerminal(stream, (h, w) => exec.resize({ h, w }), signal);
    const { ExitCode } = await exec.inspect();
    if (ExitCode !== 0) throw failure(command, ExitCode);
  };

  const end = undo.move();
  return {
    inputs: [{ name: 'container image', sha256: digest, detail: name }],
    run,
    lines,
    interact,
    [Symbol.asyncDispose]: () => end.disposeAsync(),
  };
};
