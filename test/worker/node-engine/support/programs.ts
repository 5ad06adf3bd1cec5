import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';

/** The text of a command as a component; `imports` stand before everything else. */
export const command = (body: string, imports = '') => `(component ${imports}
  (core module $m (func (export "run") (result i32) ${body}))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $r (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $r)))`;

const poll = '(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))';

/** Waits on the monotonic clock; the memory below 160 is used for that. */
const wait = (seconds: number) => `
      (i32.store (i32.const 16) (i32.const 1))
      (i64.store (i32.const 24) (i64.const ${seconds}000000000))
      (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))`;

/** A core module that waits 4 s and then does `end`. */
const nap = (end: string) => `(module
    ${poll}
    (memory (export "memory") 1)
    (func (export "_start") ${wait(4)}
      ${end}))`;

/** A core module that writes its arguments and its environment, each ended by a zero byte, and then does `end`. */
const echo = (end: string) => `(module
  ${poll}
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args-sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ-sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $say (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))))
  (func (export "_start")
    (i32.store (i32.const 16) (i32.const 8192))
    (drop (call $args-sizes (i32.const 0) (i32.const 20)))
    (drop (call $args (i32.const 1024) (i32.const 8192)))
    (call $say)
    (drop (call $environ-sizes (i32.const 0) (i32.const 20)))
    (drop (call $environ (i32.const 1024) (i32.const 8192)))
    (call $say)
    ${end}))`;

/** A core module that writes for ever, as fast as it can. */
const shout = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "_start")
    (i32.store (i32.const 16) (i32.const 65536))
    (i32.store (i32.const 20) (i32.const 65536))
    (memory.fill (i32.const 65536) (i32.const 121) (i32.const 65536))
    (loop $again
      (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))
      (br $again))))`;

const texts = {
  /** A command that ends well, one that fails, one that never ends. */
  succeeds: command('i32.const 0'),
  fails: command('i32.const 1'),
  lasts: command('loop br 0 end unreachable'),
  /** A core module that ends well after some seconds, and one that does not. */
  naps: nap(''),
  stumbles: nap('unreachable'),
  /** A core module that writes its arguments and its environment and ends, and one that stays. */
  echo: echo(''),
  echoes: echo(wait(1000)),
  shouts: shout,
  /** A core module that nothing can start. */
  library: '(module (func (export "add")))',
} as const;

export type Program = keyof typeof texts;

/** Writes a program's binary into a folder and returns the file's path. */
export const writeProgram = async (folder: string, name: Program): Promise<string> => {
  const file = join(folder, `${name}.wasm`);
  await writeFile(file, await parse(texts[name]));
  return file;
};
