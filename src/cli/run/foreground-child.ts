import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { VmnError } from '../../lib/errors.ts';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs a program in the foreground: it has our standard input and outputs, our signals and nothing else of ours (Node
 * opens everything close-on-exec). Resolves with its exit code, 128 + n when a signal ended it, as shells do.
 * Throws VMN_QEMU_MISSING when it cannot be started.
 */
export function runForeground(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
    for (const signal of FORWARDED) process.on(signal, forward);
    const done = (settle: () => void): void => {
      for (const signal of FORWARDED) process.off(signal, forward);
      settle();
    };
    child.once('error', (cause) => {
      done(() => reject(new VmnError('VMN_QEMU_MISSING', { attempted: 'start the VM', on: program, cause })));
    });
    child.once('exit', (code, signal) =>
      done(() => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0))),
    );
  });
}
