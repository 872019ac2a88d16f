import { spawn, type SpawnOptions } from 'node:child_process';

export interface CommandResult {
  stdout: string;
  stderr: string;
  /** The exit code; 128 + signal number style is not used: a signalled child gives -1. */
  code: number;
}

export interface CommandOptions {
  input?: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** The child is killed, and the call rejects, after this long. Default 30 s. */
  timeoutMs?: number;
}

/** Runs a program to its end; any exit code resolves, failing to start or running too long rejects. */
export function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program, ...args] = argv;
  if (program === undefined) return Promise.reject(new Error('no program to run'));
  const spawnOptions: SpawnOptions = { stdio: ['pipe', 'pipe', 'pipe'] };
  if (options.env !== undefined) spawnOptions.env = options.env;
  if (options.cwd !== undefined) spawnOptions.cwd = options.cwd;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, spawnOptions);
    let stdout = '';
    let stderr = '';
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, options.timeoutMs ?? 30_000);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(new Error(`${argv.join(' ')}: could not start`, { cause }));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      if (late) reject(new Error(`${argv.join(' ')}: still running at its deadline\n${stderr}`));
      else resolve({ stdout, stderr, code: code ?? -1 });
    });
    child.stdin?.on('error', () => undefined); // it ended without reading all
    child.stdin?.end(options.input ?? '');
  });
}

/** As {@link runCommand}, but any exit code other than 0 rejects with what the program said. */
export async function mustRun(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await runCommand(argv, options);
  if (result.code !== 0) {
    throw new Error(`${argv.join(' ')}: exit ${String(result.code)}\n${result.stderr}${result.stdout}`);
  }
  return result.stdout;
}
