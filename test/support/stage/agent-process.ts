import type { ChildProcess } from 'node:child_process';
import { request } from 'node:http';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentStatus, AttachmentStatus, NetworkStatus } from '../../../src/agent/status/status.ts';
import type { Destination } from '../frames/policy-bytes.ts';
import { poll, type Namespace } from '../lab/index.ts';

const AGENT = fileURLToPath(new URL('../../../bin/vmnet-agent', import.meta.url));
/**
 * No resync within a test, unless it asks for one by a later option: at the usual 30 s, which is the deadline of many, an event that
 * the agent misses would show as slowness or as a flake.
 */
const NO_RESYNC: readonly string[] = ['--resync-seconds', '3600'];

/** Where one agent, and the next one after it, keep what they keep. */
export class AgentHome {
  readonly host: Namespace;
  readonly manifests: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly bpffs: string;
  /** Before the words that start an agent, such as `env NAME=value`. */
  wrapper: readonly string[] = [];

  constructor(host: Namespace, folder: string, bpffs: string) {
    this.host = host;
    this.bpffs = bpffs;
    this.manifests = join(folder, 'manifests');
    this.stateDir = join(folder, 'state');
    this.runDir = join(folder, 'run');
    mkdirSync(this.manifests, { recursive: true });
  }

  /** The flags that `vmnet-agent` takes. */
  get flags(): string[] {
    return ['--manifests', this.manifests, ...this.paths];
  }

  /** Those that `vmnetctl` takes, too. */
  get paths(): string[] {
    const { stateDir, runDir, bpffs } = this;
    return ['--state-dir', stateDir, '--run-dir', runDir, '--bpffs', bpffs];
  }

  /** `program`: the agent of another version than this one. */
  start(more: readonly string[] = [], program = AGENT): AgentProcess {
    return new AgentProcess(this, [...this.flags, ...NO_RESYNC, ...more], program);
  }

  /** An agent of a cluster's host. */
  startInCluster(kubeconfig: string, more: readonly string[] = []): AgentProcess {
    return new AgentProcess(this, ['--kubeconfig', kubeconfig, ...this.paths, ...NO_RESYNC, ...more]);
  }
}

/** One run of the real `vmnet-agent`. */
export class AgentProcess {
  readonly #home: AgentHome;
  readonly #child: ChildProcess;
  #said = '';

  constructor(home: AgentHome, flags: readonly string[], program = AGENT) {
    this.#home = home;
    this.#child = home.host.spawn([...home.wrapper, program, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream
        ?.setEncoding('utf8')
        .on('data', (text: string) => (this.#said = (this.#said + text).slice(-20_000)));
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Null: it runs, or was ended by a signal. */
  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** What it logged, the last of it. */
  get log(): string {
    return this.#said;
  }

  /** Null while it does not answer. */
  async status(): Promise<AgentStatus | null> {
    try {
      const status = JSON.parse(
        await get(join(this.#home.runDir, 'agent.sock'), '/v1/status'),
      ) as AgentStatus;
      return status.agent.pid === this.#child.pid ? status : null;
    } catch {
      return null;
    }
  }

  /** Polls the status until it is as wanted. */
  until(what: string, wanted: (status: AgentStatus) => boolean, deadlineMs = 15_000): Promise<AgentStatus> {
    let last: AgentStatus | null = null;
    const ask = async (): Promise<AgentStatus | null> => {
      if (!this.running) throw new Error(`the agent ended while awaited: ${what}\n${this.#said}`);
      last = await this.status();
      return last !== null && wanted(last) ? last : null;
    };
    const detail = (): string => `${JSON.stringify(last, null, 1)}\n${this.#said.slice(-4000)}`;
    return poll(what, ask, { deadlineMs, everyMs: 10, detail });
  }

  /** Sends a signal and resolves when the process is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.running) this.#child.kill(signal);
    await poll('the end of the agent', () => !this.running, { everyMs: 2, detail: () => this.#said });
  }
}

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, agent: false, timeout: 2000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => {
        resolve(body);
      });
      response.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer in time')));
    asked.on('error', reject);
    asked.end();
  });
}

/** The attachment of a VM, if the agent has one. */
export function attachmentOf(status: AgentStatus, vm: string): AttachmentStatus | undefined {
  return status.attachments.find((attachment) => attachment.vm === vm);
}

/** True once the agent says that this endpoint, and no other, is what the VM of this network is held to. */
export function enforces(status: AgentStatus, network: string, vm: string, endpoint: Destination): boolean {
  const declared = networkOf(status, network);
  if (declared?.endpoint?.address !== endpoint.address || declared.endpoint.port !== endpoint.port)
    return false;
  const attachment = attachmentOf(status, vm);
  return attachment?.state === 'Enforced' && attachment.network?.endsWith(`/${network}`) === true;
}

export function networkOf(status: AgentStatus, name: string): NetworkStatus | undefined {
  return status.networks.find((network) => network.name === name);
}
