import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { clockWords } from '../../test/support/guest/clock.ts';

/** Boot, catalogue and updates take 10 s in all on an idle machine of two cores; a busy one gets time. */
const DEADLINE_MS = 180_000;

export interface Machine {
  image: string;
  initramfs: string;
  /** Files that are written anew: the first serial port, and the second with what the tests say. */
  console: string;
  transcript: string;
}

export interface MachineEnd {
  seconds: number;
  /** Null when it switched itself off. */
  problem: string | null;
}

/** Boots a kernel under software emulation and waits until it has switched itself off. */
export async function runMachine({ image, initramfs, console, transcript }: Machine): Promise<MachineEnd> {
  for (const file of [console, transcript]) rmSync(file, { force: true });
  const append = [
    'console=ttyS0',
    'quiet',
    'panic=-1',
    'mitigations=off',
    'nokaslr',
    ...(await clockWords('tcg')),
  ];
  const words = [
    ...['-accel', 'tcg', '-cpu', 'max', '-m', '384M', '-smp', '2'],
    ...['-nodefaults', '-no-reboot', '-display', 'none'],
    ...['-serial', `file:${console}`, '-serial', `file:${transcript}`],
    ...['-kernel', image, '-initrd', initramfs, '-append', append.join(' ')],
  ];
  const started = performance.now();
  const problem = await ended(words);
  return { seconds: (performance.now() - started) / 1000, problem };
}

function ended(words: readonly string[]): Promise<string | null> {
  const child = spawn('qemu-system-x86_64', words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  let late = false;
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const stop = (): void => void child.kill('SIGKILL');
  const timer = setTimeout(() => {
    late = true;
    stop();
  }, DEADLINE_MS);
  process.once('exit', stop);
  return new Promise((resolve) => {
    const settle = (problem: string | null): void => {
      clearTimeout(timer);
      process.off('exit', stop);
      resolve(problem);
    };
    child.on('error', (error) => settle(`QEMU could not be started: ${error.message}`));
    child.on('close', (code, signal) => {
      if (late) settle(`not done after ${DEADLINE_MS / 1000} s`);
      else settle(code === 0 ? null : `QEMU ended with ${signal ?? String(code)}: ${said.trim()}`);
    });
  });
}

/** The end of a file, for messages. */
export function tail(file: string, lines: number): string {
  if (!existsSync(file)) return '(nothing)';
  return readFileSync(file, 'latin1').trimEnd().split(/\r?\n/).slice(-lines).join('\n');
}
