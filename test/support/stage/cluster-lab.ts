import { chmodSync, closeSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { openTap } from '../../../src/native/tap.ts';
import type { FaultProxy } from '../control-plane/fault-proxy.ts';
import { poll } from '../lab/index.ts';
import { VM_NODES } from '../scripted-agent/kinds.ts';
import type { Attachment, Network } from '../scripted-agent/objects.ts';
import type { VmNode } from '../scripted-agent/reported-node.ts';
import { Stage, SYSTEM } from '../scripted-agent/stage.ts';
import { ROOT } from '../../unit/cli/vmnetctl.ts';
import type { AgentProcess } from './agent-process.ts';
import { manifestText } from './manifest.ts';
import { moveInto } from './own-namespace.ts';
import { RentalLab } from './rental-lab.ts';

/** Lives until somebody ends it, as QEMU does. */
const FAKE_QEMU = '#!/bin/bash\nexec sleep 100000\n';

/**
 * A host of a cluster: the real API server with the chart's roles and guardrails, the real controller, and on a lab's host the
 * real agent with a token bound to its Node. The host reaches the API server through a proxy that sees every request.
 */
export class ClusterLab {
  readonly rental: RentalLab;
  readonly stage: Stage;
  readonly proxy: FaultProxy;
  readonly nodeName: string;
  #kubeconfig: string;
  readonly #agents: AgentProcess[] = [];
  readonly #vms: RunningVm[] = [];

  private constructor(
    parts: Pick<ClusterLab, 'rental' | 'stage' | 'proxy' | 'nodeName'>,
    kubeconfig: string,
  ) {
    this.rental = parts.rental;
    this.stage = parts.stage;
    this.proxy = parts.proxy;
    this.nodeName = parts.nodeName;
    this.#kubeconfig = kubeconfig;
  }

  static async open(name: string): Promise<ClusterLab> {
    const rental = await RentalLab.open(name);
    let stage: Stage | null = null;
    try {
      stage = await Stage.raise();
      // A socket belongs to the namespace that it was made in: the proxy listens in the host's, and asks from ours.
      const leave = moveInto(rental.host);
      const proxy = await stage.plane.faultProxy().finally(leave);
      const nodeName = stage.name('host');
      const account = { namespace: SYSTEM, name: 'vmnetwork-agent', node: nodeName };
      const kubeconfig = await stage.plane.kubeconfigForServiceAccount(account, proxy.url);
      return new ClusterLab({ rental, stage, proxy, nodeName }, kubeconfig);
    } catch (error) {
      await stage?.strike();
      await rental.close();
      throw error;
    }
  }

  /** The agent's credential, for whoever asks the API server from where the tests run. */
  agentKubeconfig(): Promise<string> {
    const account = { namespace: SYSTEM, name: 'vmnetwork-agent', node: this.nodeName };
    return this.stage.plane.kubeconfigForServiceAccount(account);
  }

  /** For agents from now on, as kubelets do it when a cluster was made anew. */
  async renewCredential(): Promise<void> {
    const account = { namespace: SYSTEM, name: 'vmnetwork-agent', node: this.nodeName };
    this.#kubeconfig = await this.stage.plane.kubeconfigForServiceAccount(account, this.proxy.url);
  }

  startAgent(more: readonly string[] = []): AgentProcess {
    const agent = this.rental.home.startInCluster(this.#kubeconfig, ['--node-name', this.nodeName, ...more]);
    this.#agents.push(agent);
    return agent;
  }

  /** `vmnetctl run` of a VM; resolves when its tap is there and somebody holds it. */
  async startVm(name: string): Promise<RunningVm> {
    const vm = await RunningVm.start(this.rental, name);
    this.#vms.push(vm);
    return vm;
  }

  /** The one of this host. */
  async attachmentOf(namespace: string, network: string): Promise<Attachment | undefined> {
    return this.#ours(await this.stage.attachments(namespace, network));
  }

  node(): Promise<VmNode | null> {
    return this.stage.admin.find<VmNode>(VM_NODES, { name: this.nodeName });
  }

  /** Polls the one attachment of a network. */
  untilAttachment(
    namespace: string,
    network: string,
    what: string,
    wanted: (attachment: Attachment) => boolean,
    deadlineMs = 15_000,
  ): Promise<Attachment> {
    const isWanted = (all: Attachment[]): boolean => {
      const ours = this.#ours(all);
      return ours !== undefined && wanted(ours);
    };
    return this.stage
      .untilAttachments(namespace, network, what, isWanted, deadlineMs)
      .then((all) => this.#ours(all)!);
  }

  network(namespace: string, name: string, spec: Partial<Network['spec']> = {}): Promise<Network> {
    const { a } = RentalLab;
    return this.stage.network(namespace, name, { selector: { names: [name] }, consumerEndpoint: a, ...spec });
  }

  /** Made by the controller: one that a test made has no owner. */
  #ours(attachments: readonly Attachment[]): Attachment | undefined {
    return attachments
      .filter(({ spec }) => spec.nodeName === this.nodeName)
      .find(({ metadata }) => (metadata.ownerReferences ?? []).length > 0);
  }

  /** The logs, for the message of a test that failed. */
  get logs(): string {
    return this.#agents.map(({ log }) => log.slice(-6000)).join('\n--\n');
  }

  async close(): Promise<void> {
    for (const vm of this.#vms) vm.close();
    await Promise.allSettled(this.#agents.map((agent) => agent.end('SIGKILL')));
    await this.stage.strike();
    await this.rental.close();
  }
}

/** A VM that `vmnetctl run` started, whose card the test plays. */
export class RunningVm {
  readonly name: string;
  readonly tap: string;
  readonly mac: string;
  /** Of the tap: whole frames. */
  readonly fd: number;
  readonly #child: ChildProcess;
  #isHeld = true;
  #isLaunched = true;

  private constructor(name: string, child: ChildProcess, fd: number) {
    const { tap, guestMac } = identityOf(name);
    this.name = name;
    this.tap = tap;
    this.mac = guestMac;
    this.fd = fd;
    this.#child = child;
  }

  static async start(rental: RentalLab, name: string): Promise<RunningVm> {
    const { scratch } = rental.lab;
    const qemu = join(scratch, 'fake-qemu');
    const manifest = join(scratch, `${name}.yaml`);
    writeFileSync(qemu, FAKE_QEMU);
    chmodSync(qemu, 0o755);
    writeFileSync(manifest, manifestText({ name, endpoint: RentalLab.a }));
    const words = ['run', ...rental.home.paths, '-f', manifest, '--wait-enforced', '0', '--', qemu];
    const child = rental.host.spawn([process.execPath, 'src/cli/main.ts', ...words], {
      cwd: ROOT,
      stdio: 'pipe',
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (said += String(text)));
    // Told once the tap is there and claimed, right before QEMU starts.
    const isMade = (): boolean => said.includes(identityOf(name).tap);
    await poll('the tap of the VM', isMade, { deadlineMs: 60_000, detail: () => said });
    const leave = moveInto(rental.host);
    try {
      return new RunningVm(name, child, openTap(identityOf(name).tap));
    } finally {
      leave();
    }
  }

  /** The VM ends: nobody holds the tap, and its launcher is gone. */
  close(): void {
    this.letGo();
    if (this.#isLaunched) this.#child.kill('SIGTERM');
    this.#isLaunched = false;
  }

  /** Nobody holds the tap any more; its launcher lives on. */
  letGo(): void {
    if (this.#isHeld) closeSync(this.fd);
    this.#isHeld = false;
  }
}
