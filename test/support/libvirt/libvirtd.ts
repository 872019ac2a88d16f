import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { poll, type Namespace } from '../lab/index.ts';
import { domainXml, interfaceXml, type DomainFields, type DomainInterface } from './domain.ts';

const SCRIPT = fileURLToPath(new URL('../discovery/libvirt.sh', import.meta.url));
const START_DEADLINE_MS = 30_000;
const END_DEADLINE_MS = 10_000;

/**
 * A real libvirtd with its QEMU driver, in a namespace of the test; its files are in a mount namespace of its own and go
 * with it. Whatever else of libvirt runs on this machine is not concerned.
 */
export class Libvirtd {
  readonly #host: Namespace;
  readonly #scratch: string;
  readonly #daemon: ChildProcess;

  private constructor(host: Namespace, scratch: string, daemon: ChildProcess) {
    this.#host = host;
    this.#scratch = scratch;
    this.#daemon = daemon;
  }

  /** Resolves once it answers. `scratch`: a folder that goes with the lab. */
  static async start(host: Namespace, scratch: string): Promise<Libvirtd> {
    const words = ['unshare', '--mount', '--propagation', 'private', 'bash', SCRIPT, scratch];
    const libvirtd = new Libvirtd(host, scratch, host.spawn(words, { stdio: 'ignore' }));
    const answers = async (): Promise<boolean> =>
      (await libvirtd.virsh('version').catch(String)).includes('Running hypervisor');
    const detail = (): string => libvirtd.log();
    await poll('libvirtd', answers, { deadlineMs: START_DEADLINE_MS, everyMs: 100, detail });
    return libvirtd;
  }

  /** What it printed, and what it complained about. */
  async virsh(...words: string[]): Promise<string> {
    const { stdout, stderr } = await this.#host.exec(this.#words(words));
    return stdout + stderr;
  }

  /**
   * Defines and starts a domain. The process that is returned is a virsh that tells what becomes of it; with the end of that,
   * however it comes, libvirtd ends the domain.
   */
  run(domain: DomainFields): ChildProcess {
    const { name } = domain;
    const file = `${this.#scratch}/${name}.xml`;
    writeFileSync(file, domainXml(domain));
    const script = `define ${file}; start --autodestroy ${name}; event --domain ${name} --event lifecycle --loop`;
    return this.#host.spawn(this.#words([script]), { stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Plugs one more card into a running domain. */
  async plug(name: string, card: DomainInterface): Promise<void> {
    const file = `${this.#scratch}/${name}-plug.xml`;
    writeFileSync(file, interfaceXml(card));
    const said = await this.virsh('attach-device', name, file, '--live');
    if (!said.includes('attached successfully')) throw new Error(`${name}: ${said}\n${this.log()}`);
  }

  /** Ends it, once its domains have ended. */
  async stop(): Promise<void> {
    const isIdle = async (): Promise<boolean> => (await this.virsh('list', '--name')).trim() === '';
    const detail = (): string => this.log();
    await poll('the end of its domains', isIdle, { deadlineMs: END_DEADLINE_MS, everyMs: 50, detail });
    this.#daemon.kill('SIGTERM');
    const hasEnded = (): boolean => this.#daemon.exitCode !== null || this.#daemon.signalCode !== null;
    await poll('the end of libvirtd', hasEnded, { deadlineMs: END_DEADLINE_MS, detail });
  }

  log(): string {
    const file = `${this.#scratch}/libvirtd.log`;
    return existsSync(file) ? readFileSync(file, 'utf8').slice(-4000) : 'no log';
  }

  #words(words: readonly string[]): string[] {
    const mounts = `--mount=/proc/${String(this.#daemon.pid)}/ns/mnt`;
    return ['nsenter', mounts, 'virsh', '-c', 'qemu:///system', ...words];
  }
}
