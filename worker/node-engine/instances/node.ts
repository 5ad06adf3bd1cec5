import { join } from 'node:path';
import type { Log } from '../../system/log.ts';
import type { ArtifactCache } from '../artifacts/artifacts.ts';
import type { NativeCode } from '../native/native-code.ts';
import type { Groups } from '../process/limits.ts';
import type { LogFolder } from '../process/log-folder.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Serving } from '../runtime/serving.ts';
import type { Journal } from './journal.ts';
import type { Membership } from './network/membership.ts';
import type { NetClient } from './network/net-client.ts';

/** What this node has for running instances. */
export type Node = {
  /** Undefined when networking is switched off. */
  readonly network: NetClient | undefined;
  readonly membership: Membership;
  readonly artifacts: ArtifactCache;
  readonly runtime: Runtime;
  /** Undefined when the node cannot limit processes by control groups. */
  readonly groups: Groups | undefined;
  /** A file with the filter of instances' system calls; undefined where none can be set. */
  readonly filter: string | undefined;
  readonly journal: Journal;
  readonly log: Log;
  readonly logs: LogFolder;
  readonly native: NativeCode;
  /** How HTTP services run unless their job says otherwise. */
  readonly serving: Serving;
};

/** The file that holds an instance's output (contract, section 2). */
export const logFile = (node: Node, task: string): string => join(node.logs.folder, task);
