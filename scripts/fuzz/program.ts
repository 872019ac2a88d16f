import { spawn } from 'node:child_process';

export interface Ended {
  /** null: ended by a signal. */
  readonly code: number | null;
  readonly stdout: string;
  /** The last of it. */
  readonly stderr: string;
}

export interface ProgramOptions {
  /** Ends the program: SIGTERM, and SIGKILL when that does not help. */
  readonly signal: AbortSignal;
  /** Past it the program is ended all the same. */
  readonly seconds: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
}

const KILL_AFTER_MS = 3000;
const KEPT_CHARACTERS = 200_000;

/** Runs a program to its end. Throws when it cannot be started; how it ends is for the caller to judge. */
export async function runProgram(
  file: string,
  args: readonly string[],
  { signal, seconds, environment = {}, onLine = () => {} }: ProgramOptions,
): Promise<Ended> {
  signal.throwIfAborted();
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  let killer: NodeJS.Timeout | undefined;
  const end = (): void => {
    child.kill('SIGTERM');
    killer ??= setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  };
  const deadline = setTimeout(end, seconds * 1000);
  signal.addEventListener('abort', end);
  const kept = { stdout: '', stderr: '' };
  const lines = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      kept[name] = (kept[name] + text).slice(-KEPT_CHARACTERS);
      const [rest = '', ...whole] = (lines[name] + text).split('\n').reverse();
      lines[name] = rest;
      for (const line of whole.reverse()) onLine(line);
    });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    return { code, ...kept };
  } finally {
    clearTimeout(deadline);
    clearTimeout(killer);
    signal.removeEventListener('abort', end);
  }
}

/** The same for a program that has to succeed. */
export async function mustRun(
  file: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<string> {
  const { code, stdout, stderr } = await runProgram(file, args, options);
  options.signal.throwIfAborted();
  if (code === 0) return stdout;
  const said = (stderr.trim() === '' ? stdout : stderr).trim().split('\n').slice(-12).join('\n');
  throw new Error(`${file} ${args.join(' ')} ended with ${code ?? 'a signal'}:\n${said}`);
}
