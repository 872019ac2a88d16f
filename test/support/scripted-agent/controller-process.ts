import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { freePort } from '../control-plane/free-port.ts';
import { withParentDeath } from '../control-plane/parent-death.ts';
import { poll } from '../lab/index.ts';

const PROGRAM = fileURLToPath(new URL('../../../bin/vmnet-controller', import.meta.url));
const KEPT_LOG_CHARACTERS = 200_000;

export interface ControllerOptions {
  readonly kubeconfig: string;
  readonly identity: string;
  readonly flags?: readonly string[];
  /** Added to ours. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One run of the real `vmnet-controller`. */
export class ControllerProcess {
  readonly identity: string;
  readonly #child: ChildProcess;
  readonly #health: string;
  #said = '';

  private constructor(options: ControllerOptions, port: number) {
    this.identity = options.identity;
    this.#health = `127.0.0.1:${String(port)}`;
    const [program, ...args] = withParentDeath([
      PROGRAM,
      `--kubeconfig=${options.kubeconfig}`,
      `--identity=${options.identity}`,
      `--health-address=${this.#health}`,
      ...(options.flags ?? []),
    ]);
    const env = { ...process.env, ...options.env };
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said = (this.#said + text).slice(-KEPT_LOG_CHARACTERS);
      });
    }
  }

  static async start(options: ControllerOptions): Promise<ControllerProcess> {
    return new ControllerProcess(options, await freePort());
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it logged, the last of it. */
  get log(): string {
    return this.#said;
  }

  /** Resolves when `/readyz` says so; rejects when it ends before. */
  async ready(): Promise<this> {
    await poll(
      `${this.identity} to be ready`,
      async () => {
        if (!this.running) throw new Error(`${this.identity} ended\n${this.#said.slice(-4000)}`);
        return (await this.#ask('/readyz'))?.ok;
      },
      { deadlineMs: 30_000, everyMs: 50, detail: () => this.#said.slice(-4000) },
    );
    return this;
  }

  /** Whether it says of itself that it leads; false when it does not answer. */
  async leads(): Promise<boolean> {
    return (await this.metric('leader_election_master_status')) === 1;
  }

  /** What it serves to Prometheus; rejects when it does not answer. */
  async metrics(): Promise<string> {
    const answer = await this.#ask('/metrics');
    if (answer?.ok !== true) throw new Error(`${this.identity} serves no metrics`);
    return answer.text();
  }

  /** Sum over the labels; null when it does not answer or has no such metric. */
  async metric(name: string, labels = ''): Promise<number | null> {
    const text = await (await this.#ask('/metrics'))?.text();
    const lines = text
      ?.split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    const values = lines
      ?.filter((line) => line.includes(labels))
      .map((line) => Number(line.split(' ').at(-1)));
    return values === undefined || values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
  }

  /** Resident memory of the process, bytes. */
  get residentBytes(): number {
    const status = readFileSync(`/proc/${String(this.#pid)}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.#pid, name);
  }

  /** Sends the signal and resolves with the exit code when it is gone; null if a signal ended it. */
  async end(name: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.running) {
      // One that is stopped hears nothing else.
      this.signal('SIGCONT');
      this.signal(name);
    }
    await poll(`the end of ${this.identity}`, () => !this.running, {
      deadlineMs: 20_000,
      detail: () => this.#said.slice(-4000),
    });
    return this.#child.exitCode;
  }

  /** `setpriv` and the shell in front of Node replace themselves, so the child is the controller. */
  get #pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${PROGRAM} could not be started`);
    return this.#child.pid;
  }

  async #ask(path: string): Promise<Response | null> {
    try {
      return await fetch(`http://${this.#health}${path}`, { signal: AbortSignal.timeout(2000) });
    } catch {
      return null;
    }
  }
}
