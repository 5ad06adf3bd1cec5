import { execOk, type Machine } from '../../machine/machine.ts';
import { messageOf } from '../../system/errors.ts';
import { until } from '../../system/wait.ts';

const folder = '/var/lib/oakestra-lab';
const startMs = 20_000;
/** Of each packet; its headers and the head of an HTTP message are what tells. */
const snapBytes = 256;
/** Of one recording, so that a board's disk cannot be filled. */
const maxPackets = 20_000;
const shownLines = 1000;
/** A pcap file begins with a header of so many bytes. */
const headerBytes = 24;

/** The recording among the files of a report. */
export const packetsFile = 'packets.pcap';

/** What was recorded: a pcap file, and its last packets as lines of text. */
export type Packets = { readonly pcap: Buffer; readonly lines: readonly string[] };

/** A recording of the packets on all links of a board. */
export type Capture = {
  /** Resolves when every packet from then on is recorded, or when it is clear that none can be. */
  readonly start: () => Promise<void>;
  /** Does `work` with the recording interrupted: a load must not pay for it. */
  readonly pause: <T>(work: () => Promise<T>) => Promise<T>;
  /** Ends the recording. Rejects, with the reason, when nothing could be recorded. */
  readonly end: () => Promise<Packets>;
};

/** Several pcap files of one program, oldest first, as one. */
export const joinPcaps = ([first = Buffer.alloc(0), ...rest]: readonly Buffer[]): Buffer =>
  Buffer.concat([first, ...rest.map((file) => file.subarray(headerBytes))]);

const begin = 'mkdir -p "$(dirname "$1")"; file=$1; shift; setsid "$@" </dev/null >"$file.log" 2>&1 & echo $!';
const ready = 'grep -q "listening on" "$2.log" && exit; kill -0 "$1" 2>/dev/null && exit 1; cat "$2.log" >&2; exit 2';
const show = 'for file in "$@"; do tcpdump -n -Z root -r "$file" 2>/dev/null; done';

/** Starts one recording into `file`; resolves with its process id when it sees every packet from then on. */
const record = async (machine: Machine, file: string, signal: AbortSignal): Promise<string> => {
  const { lab, board } = machine.uplink;
  // what goes between the two on the uplink itself is the lab's own business
  const filter = `not (host ${lab} and host ${board})`;
  const limits = ['-s', `${snapBytes}`, '-c', `${maxPackets}`];
  // every packet is in the file at once, so that none is lost when the recording ends
  const atOnce = ['--immediate-mode', '-U'];
  const tcpdump = ['tcpdump', '-i', 'any', '-n', '-p', ...atOnce, '-Z', 'root', ...limits, '-w', file, filter];
  const pid = (await execOk(machine, ['sh', '-c', begin, 'sh', file, ...tcpdump], { signal })).trim();
  const ends = AbortSignal.any([signal, AbortSignal.timeout(startMs * machine.timeoutFactor)]);
  return until(async () => {
    const { code, stderr } = await machine.exec(['sh', '-c', ready, 'sh', pid, file], { signal });
    if (code > 1) throw new Error(`no packets were recorded: ${stderr.trim().split('\n').at(-1)}`);
    return code === 0 ? pid : undefined;
  }, ends);
};

/**
 * Records packets on all links of the board, those of instances that come later included. A board that cannot do that
 * is no obstacle: the reason comes when the packets are asked for.
 */
export const packetCapture = (machine: Machine, signal: AbortSignal): Capture => {
  const files: string[] = [];
  let recording: string | Error = new Error('no packets were recorded: it did not come to that');
  const start = async () => {
    const file = `${folder}/packets-${files.length + 1}.pcap`;
    files.push(file);
    recording = await record(machine, file, signal).catch((error: unknown) => new Error(messageOf(error)));
  };
  const stop = async () => {
    if (typeof recording !== 'string' || machine.lost.aborted) return;
    // With a board that is switched off meanwhile, the recording has ended.
    await machine.exec(['kill', recording]).catch((error: unknown) => {
      if (!machine.lost.aborted) throw error;
    });
  };
  return {
    start,
    pause: async (work) => {
      await stop();
      try {
        return await work();
      } finally {
        if (typeof recording === 'string') await start();
      }
    },
    end: async () => {
      if (typeof recording !== 'string') throw recording;
      await stop();
      const parts = await Promise.all(files.map((file) => machine.readFile(file)));
      const { stdout } = await machine.exec(['sh', '-c', show, 'sh', ...files]);
      return { pcap: joinPcaps(parts), lines: stdout.trimEnd().split('\n').slice(-shownLines) };
    },
  };
};

/** No recording, on a board whose instructions are counted: they would have it in them. */
export const noCapture: Capture = {
  start: async () => {},
  pause: (work) => work(),
  end: async () => {
    throw new Error('no packets were recorded: that would be counted too');
  },
};
