import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentStatus, AttachmentStatus } from '../../src/agent/status/status.ts';
import { poll, type Lab } from '../../test/support/lab/index.ts';
import { Manifests } from './manifest.ts';
import type { World } from './world.ts';

const AGENT = fileURLToPath(new URL('../../bin/vmnet-agent', import.meta.url));
const CTL = fileURLToPath(new URL('../../bin/vmnetctl', import.meta.url));
const STATUS_DEADLINE_MS = 15_000;

/** The provider's side: the agent on the host, its folders, its manifests. Nothing outside of the lab is touched. */
export class Provider {
  readonly manifests: Manifests;
  readonly bpffs: string;
  readonly #world: World;
  readonly #flags: readonly string[];
  readonly #stateDir: string;
  readonly #runDir: string;
  #agent: ChildProcess | null = null;
  #log = '';

  /** `flags`: more of the agent's command line. */
  constructor(world: World, bpffs: string, flags: readonly string[] = []) {
    this.#world = world;
    this.#flags = flags;
    this.bpffs = bpffs;
    const { scratch } = world.lab;
    this.manifests = new Manifests(join(scratch, 'manifests'));
    this.#stateDir = join(scratch, 'state');
    this.#runDir = join(scratch, 'run');
  }

  /** Words that run QEMU through `vmnetctl run` for a VM of the manifest at `file`. */
  runWords(file: string, vm: string, qemu: readonly string[], options: readonly string[] = []): string[] {
    return [CTL, 'run', '-f', file, '--vm', vm, ...options, ...this.#folders(), '--', ...qemu];
  }

  /** What `vmnetctl peer-config` prints for the consumer of a network, once the VM has a key. */
  async peerConfig(network: string): Promise<string> {
    const words = [CTL, 'peer-config', network, '--run-dir', this.#runDir];
    let said = '';
    const ask = async (): Promise<string | null> => {
      const { code, stdout, stderr } = await this.#world.host.exec(words);
      said = stderr;
      return code === 0 ? stdout : null;
    };
    return poll(`the key of ${network}`, ask, { deadlineMs: STATUS_DEADLINE_MS, detail: () => said });
  }

  /** Starts the agent and waits until it answers. */
  async startAgent(): Promise<void> {
    const words = [AGENT, '--manifests', this.manifests.folder, ...this.#folders(), ...this.#flags];
    const agent = this.#world.host.spawn(words, { stdio: ['ignore', 'pipe', 'pipe'] });
    agent.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    agent.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    this.#agent = agent;
    const answers = async (): Promise<boolean> => {
      if (hasEnded(agent)) throw new Error(`the agent ended (${String(agent.exitCode)}):\n${this.log()}`);
      return (await this.status()) !== null;
    };
    await poll('the agent to answer', answers, { deadlineMs: STATUS_DEADLINE_MS, detail: () => this.log() });
  }

  /** kill -9, and nothing else: no warning, no clean end. */
  async killAgent(): Promise<void> {
    const agent = this.#agent;
    if (agent === null) throw new Error('there is no agent to kill');
    agent.kill('SIGKILL');
    await poll('the end of the agent', () => hasEnded(agent));
    if (agent.signalCode !== 'SIGKILL') throw new Error(`the agent had ended by itself:\n${this.log()}`);
    this.#agent = null;
  }

  /** What the agent says, or null while nobody answers. */
  async status(): Promise<AgentStatus | null> {
    const text = await get(join(this.#runDir, 'agent.sock'), '/v1/status');
    return text === null ? null : (JSON.parse(text) as AgentStatus);
  }

  /** Waits until the agent says of a VM what `fits` asks for. */
  async attachment(
    vm: string,
    what: string,
    fits: (found: AttachmentStatus) => boolean,
  ): Promise<AttachmentStatus> {
    let last: AgentStatus | null = null;
    const ask = async (): Promise<AttachmentStatus | null> => {
      last = await this.status();
      return last?.attachments.find((found) => found.vm === vm && fits(found)) ?? null;
    };
    const detail = (): string => `last status: ${JSON.stringify(last, null, 2)}\nagent:\n${this.log()}`;
    return poll(`${vm} to be ${what}`, ask, { deadlineMs: STATUS_DEADLINE_MS, everyMs: 50, detail });
  }

  pinDir(tap: string): string {
    return join(this.bpffs, tap);
  }

  /** The end of what the agent printed. */
  log(): string {
    return this.#log.split('\n').slice(-20).join('\n');
  }

  #folders(): string[] {
    return ['--state-dir', this.#stateDir, '--run-dir', this.#runDir, '--bpffs', this.bpffs];
  }
}

/**
 * A folder for pins of this run alone. They are removed with the lab; a BPF file system that was not mounted before is
 * unmounted again, unless somebody else has put something into it meanwhile.
 */
export function reservePins(lab: Lab): string {
  const root = '/sys/fs/bpf';
  const wasMounted = readFileSync('/proc/self/mounts', 'utf8').includes(` ${root} bpf `);
  // maps.debug and progs.debug are the kernel's own, in every BPF file system.
  const others = `ls -A ${root} | grep -qvE '^(maps|progs)\\.debug$'`;
  if (!wasMounted) lab.undoLater(`${others} || ! mountpoint -q ${root} || umount ${root}`);
  const folder = join(root, `vmnet-${lab.name}-${String(process.pid)}`);
  lab.undoLater(`rm -rf ${folder}`);
  return folder;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function get(socketPath: string, path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path, timeout: 2_000 }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (text: string) => (body += text));
      answer.on('end', () => resolve(answer.statusCode === 200 ? body : null));
      answer.on('error', () => resolve(null));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(null)); // no socket, nobody behind it, or ended half way
    asked.end();
  });
}
