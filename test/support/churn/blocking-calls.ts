/**
 * Loaded into an agent by probe.ts: how long what it asks of the kernel keeps its event loop. Each function of the addon, the
 * start of a program, and writing to the disk.
 */
import childProcess from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { addon } from '../../../src/native/addon.ts';
import type { BlockingCall } from './probed.ts';

let longest: BlockingCall | null = null;

/** The longest one since this was last asked. */
export function takeLongest(): BlockingCall | null {
  const taken = longest;
  longest = null;
  return taken;
}

type Callable = (...args: never[]) => unknown;

function timed<Call extends Callable>(name: string, call: Call): Call {
  const measured = function (this: unknown, ...args: never[]): unknown {
    const began = performance.now();
    try {
      return call.apply(this, args);
    } finally {
      const ms = performance.now() - began;
      if (ms > (longest?.ms ?? 0)) longest = { name, ms };
    }
  };
  return measured as Call;
}

const functions = addon() as unknown as Record<string, Callable>;
// What is done in another namespace are calls of their own.
for (const [name, call] of Object.entries(functions))
  if (name !== 'inNetns') functions[name] = timed(name, call);
childProcess.execFile = timed('execFile', childProcess.execFile);
fs.fsyncSync = timed('fsync', fs.fsyncSync);
syncBuiltinESMExports();
