import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mustRun } from './command.ts';
import { Namespace } from './namespace.ts';
import { Undertaker } from './undertaker.ts';

export interface NamespaceOptions {
  /** IPv6 on its interfaces; off by default, so that far ends do not chatter by themselves. */
  ipv6?: boolean;
}

export interface Cable {
  nameA: string;
  nameB: string;
  /** With prefix length, such as 192.0.2.1/24. */
  addressA?: string;
  addressB?: string;
  macA?: string;
  macB?: string;
}

/** Network namespaces, cables between them and what runs in them; all of it goes with {@link close}, or with this process. */
export class Lab {
  readonly name: string;
  /** A folder of this lab alone, removed at the end. */
  readonly scratch: string;
  readonly #prefix: string;
  readonly #undertaker = new Undertaker();

  private constructor(name: string) {
    this.name = name;
    this.#prefix = `vmnlab-${name}-${String(process.pid)}-${randomBytes(2).toString('hex')}`;
    this.scratch = mkdtempSync(join(tmpdir(), `${this.#prefix}-`));
    this.#undertaker.promise(`rm -rf '${this.scratch}'`);
  }

  static create(name: string): Promise<Lab> {
    return Promise.resolve(new Lab(name));
  }

  async namespace(name: string, { ipv6 = false }: NamespaceOptions = {}): Promise<Namespace> {
    const id = `${this.#prefix}-${name}`;
    // Whoever is in a namespace that we made was started by us, grandchildren too.
    this.#undertaker.promise(
      `! test -e /run/netns/${id} || { ip netns pids ${id} | xargs -r kill -9 2>/dev/null; ip netns del ${id}; }`,
    );
    await this.#undertaker.during(() => mustRun(['ip', 'netns', 'add', id]));
    const namespace = new Namespace(name, id, this.#undertaker, this.scratch);
    if (!ipv6) {
      await namespace.sysctl('net.ipv6.conf.all.disable_ipv6', 1);
      await namespace.sysctl('net.ipv6.conf.default.disable_ipv6', 1);
    }
    await namespace.run(['ip', 'link', 'set', 'lo', 'up']);
    return namespace;
  }

  /** Joins two namespaces by a veth pair, both ends up. */
  async connect(a: Namespace, b: Namespace, cable: Cable): Promise<void> {
    const { nameA, nameB } = cable;
    const peer = ['peer', 'name', nameB, 'netns', b.id];
    await mustRun(['ip', 'link', 'add', 'name', nameA, 'netns', a.id, 'type', 'veth', ...peer]);
    await raise(a, nameA, cable.addressA, cable.macA);
    await raise(b, nameB, cable.addressB, cable.macB);
  }

  /** Registers a one-line shell command that removes something made outside of the lab; returns what forgets it. */
  undoLater(command: string): () => void {
    return this.#undertaker.promise(command);
  }

  /** Ends every child, deletes namespaces and files. A second call does nothing. */
  close(): Promise<void> {
    return this.#undertaker.close();
  }
}

async function raise(namespace: Namespace, device: string, address?: string, mac?: string): Promise<void> {
  if (mac !== undefined) await namespace.run(['ip', 'link', 'set', device, 'address', mac]);
  if (address !== undefined) await namespace.run(['ip', 'address', 'add', address, 'dev', device]);
  await namespace.run(['ip', 'link', 'set', device, 'up']);
}
