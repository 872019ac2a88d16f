import { get } from 'node:http';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon } from './daemon.ts';

/** One etcd on loopback. Nothing of it survives a crash of the machine (no fsync): it need only survive that of a process. */
export class Etcd {
  readonly clientUrl: string;
  readonly #program: string;
  readonly #peerUrl: string;
  readonly #dataFolder: string;
  readonly #snapshotFolder: string;
  readonly #logFile: string;
  #daemon: Daemon | null = null;

  constructor(program: string, folder: string, ports: { client: number; peer: number }) {
    this.#program = program;
    this.clientUrl = `http://127.0.0.1:${String(ports.client)}`;
    this.#peerUrl = `http://127.0.0.1:${String(ports.peer)}`;
    this.#dataFolder = join(folder, 'etcd-data');
    this.#snapshotFolder = join(folder, 'etcd-snapshot');
    this.#logFile = join(folder, 'etcd.log');
  }

  get daemon(): Daemon | null {
    return this.#daemon;
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    this.#daemon = new Daemon(
      [
        this.#program,
        '--name=default',
        `--data-dir=${this.#dataFolder}`,
        `--listen-client-urls=${this.clientUrl}`,
        `--advertise-client-urls=${this.clientUrl}`,
        `--listen-peer-urls=${this.#peerUrl}`,
        `--initial-advertise-peer-urls=${this.#peerUrl}`,
        `--initial-cluster=default=${this.#peerUrl}`,
        '--unsafe-no-fsync',
        '--log-level=warn',
      ],
      this.#logFile,
    );
    await this.#daemon.ready(() => answers(`${this.clientUrl}/health`));
  }

  async kill(): Promise<void> {
    await this.#daemon?.end('SIGKILL');
  }

  /** All it stored is gone. It must not run. */
  empty(): void {
    if (this.#daemon?.running === true) throw new Error('etcd runs: kill it before its data go');
    rmSync(this.#dataFolder, { recursive: true, force: true });
  }

  /** Puts what it stores aside, for {@link restore}: what would be left if it were killed at this moment. It stands still meanwhile. */
  async snapshot(): Promise<void> {
    await this.#daemon?.freeze();
    try {
      rmSync(this.#snapshotFolder, { recursive: true, force: true });
      cpSync(this.#dataFolder, this.#snapshotFolder, { recursive: true });
    } finally {
      this.#daemon?.thaw();
    }
  }

  /** It stores what it stored at the last snapshot. It must not run. */
  restore(): void {
    this.empty();
    cpSync(this.#snapshotFolder, this.#dataFolder, { recursive: true });
  }
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}
