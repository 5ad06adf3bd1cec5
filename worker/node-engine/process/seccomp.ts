/** How a processor's system calls are told apart, and the numbers of those that no instance needs. */
type Calls = {
  /** AUDIT_ARCH_* of linux/audit.h. */
  readonly audit: number;
  readonly clone: number;
  readonly clone3: number;
  readonly socket: number;
  /** From this number on another calling convention begins (x32); undefined where there is none. */
  readonly foreign?: number;
  readonly refused: readonly number[];
};

/** The same on every processor: mounts by descriptor, io_uring, another process's descriptors. */
const refusedEverywhere = [425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442];

/**
 * Refused are: tracing and reading other processes, mounts and other roots, namespaces, modules and other kernels, bpf and
 * perf, keys, clocks and names of the board, swap, quotas, the kernel's log, handles of files, and what changes how a
 * process is emulated. Source: asm/unistd_64.h and asm-generic/unistd.h of Linux.
 */
export const calls: Readonly<Record<'x64' | 'arm64', Calls>> = {
  x64: {
    audit: 0xc000003e,
    clone: 56,
    clone3: 435,
    socket: 41,
    foreign: 0x40000000,
    refused: [
      ...[101, 310, 311, 312, 165, 166, 155, 161, 272, 308, 175, 313, 176, 246, 320, 169, 321, 298, 323, 248, 249, 250],
      ...[167, 168, 163, 164, 227, 159, 305, 170, 171, 179, 103, 153, 135, 303, 304, 300, 172, 173, 154],
      ...refusedEverywhere,
    ],
  },
  arm64: {
    audit: 0xc00000b7,
    clone: 220,
    clone3: 435,
    socket: 198,
    refused: [
      ...[117, 270, 271, 272, 40, 39, 41, 51, 97, 268, 105, 273, 106, 104, 294, 142, 280, 241, 282, 217, 218, 219],
      ...[224, 225, 89, 170, 112, 171, 266, 161, 162, 60, 116, 58, 92, 264, 265, 262],
      ...refusedEverywhere,
    ],
  },
};

/** CLONE_NEW* of linux/sched.h: a thread needs none of them. */
const newNamespaces = 0x7e020000;
/** AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK, which name lookup uses. */
const families = [1, 2, 10, 16];

/** Where seccomp_data has the number of a call, the processor and the first argument (linux/seccomp.h). */
const at = { number: 0, audit: 4, argument: 16 } as const;
/** linux/bpf_common.h: load a word, jump if equal, if at least, if any bit is set, return. */
const code = { load: 0x20, equal: 0x15, atLeast: 0x35, anyBit: 0x45, result: 0x06 } as const;
const results = { allow: 0x7fff0000, kill: 0x80000000, error: 0x00050000 } as const;
const errors = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** Answers with `result` when the last load fits, and goes on otherwise. */
const answerIf = (test: number, value: number, result: number): readonly Instruction[] => [
  [test, 0, 1, value],
  [code.result, 0, 0, result],
];

/** Looks at the first argument of the call `number`, and lets it pass when nothing in `checks` answers. */
const argumentOf = (number: number, checks: readonly Instruction[], otherwise: number): readonly Instruction[] => [
  [code.equal, 0, checks.length + 2, number],
  [code.load, 0, 0, at.argument],
  ...checks,
  [code.result, 0, 0, otherwise],
];

const fail = (error: number): number => results.error + error;

/**
 * A filter of system calls for `setpriv --seccomp-filter`: what no instance needs fails with EPERM, everything else is
 * as it was. clone3 cannot be looked into and is said not to be there, so that libraries take clone. Undefined on
 * processors whose numbers are not known.
 */
export const systemCallFilter = (architecture: string): Buffer | undefined => {
  if (architecture !== 'x64' && architecture !== 'arm64') return undefined;
  const { audit, clone, clone3, socket, foreign, refused } = calls[architecture];
  const program: readonly Instruction[] = [
    [code.load, 0, 0, at.audit],
    [code.equal, 1, 0, audit],
    [code.result, 0, 0, results.kill],
    [code.load, 0, 0, at.number],
    ...(foreign === undefined ? [] : answerIf(code.atLeast, foreign, fail(errors.EPERM))),
    ...refused.flatMap((number) => answerIf(code.equal, number, fail(errors.EPERM))),
    ...answerIf(code.equal, clone3, fail(errors.ENOSYS)),
    ...argumentOf(clone, answerIf(code.anyBit, newNamespaces, fail(errors.EPERM)), results.allow),
    ...argumentOf(
      socket,
      families.flatMap((family) => answerIf(code.equal, family, results.allow)),
      fail(errors.EAFNOSUPPORT),
    ),
    [code.result, 0, 0, results.allow],
  ];
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [operation, ifTrue, ifFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(operation, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(value, index * 8 + 4);
  }
  return bytes;
};
