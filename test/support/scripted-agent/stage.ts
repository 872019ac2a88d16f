import { fileURLToPath } from 'node:url';
import { ControlPlane, type ControlPlaneOptions } from '../control-plane/control-plane.ts';
import { mustRun, poll } from '../lab/index.ts';
import { accessOf } from './access.ts';
import { ApiClient } from './api-client.ts';
import { ControllerProcess, type ControllerOptions } from './controller-process.ts';
import { ATTACHMENTS, NETWORKS, type Kind, type Place } from './kinds.ts';
import { conditionOf, type AnyObject, type Attachment, type Endpoint, type Network } from './objects.ts';
import { ScriptedAgent, type ScriptedAgentOptions } from './scripted-agent.ts';
import { Witness } from './witness.ts';

const CHART = fileURLToPath(new URL('../../../helm/vmnetwork', import.meta.url));
const CRDS = fileURLToPath(new URL('../../../crds', import.meta.url));

export const SYSTEM = 'vmnetwork-system';
export const ENDPOINT: Endpoint = { address: '203.0.113.10', port: 51900 };

/** What a network in these tests has unless it says otherwise. */
export type NetworkSpec = Partial<Network['spec']> & { selector: Record<string, unknown> };

/**
 * A real API server with our CRDs and the chart's RBAC and guardrails, the real controller as a process of its own, and
 * scripted agents: everything but hosts and VMs.
 */
export class Stage {
  readonly plane: ControlPlane;
  readonly admin: ApiClient;
  readonly #agents: ScriptedAgent[] = [];
  readonly #controllers: ControllerProcess[] = [];
  #witness: Witness | null = null;
  #made = 0;

  private constructor(plane: ControlPlane) {
    this.plane = plane;
    this.admin = new ApiClient(accessOf(plane.adminKubeconfig), 'test-admin');
  }

  /** Ends what it started if it cannot be finished. */
  static async raise(options: ControlPlaneOptions = {}): Promise<Stage> {
    const plane = await ControlPlane.start(options);
    const stage = new Stage(plane);
    try {
      await stage.install();
      stage.#witness = await Witness.start(stage.admin);
      return stage;
    } catch (error) {
      await stage.strike();
      throw error;
    }
  }

  /** CRDs and chart, as an administrator installs them; again after etcd was emptied. */
  async install(): Promise<void> {
    await this.plane.ensureNamespace(SYSTEM);
    await this.plane.installCrds(CRDS);
    const chart = await mustRun([this.plane.helm, 'template', 'vmnetwork', CHART, '--namespace', SYSTEM]);
    await this.plane.apply(chart, SYSTEM);
  }

  get witness(): Witness {
    if (this.#witness === null) throw new Error('the stage is not raised');
    return this.#witness;
  }

  /** A namespace that nothing else has. */
  namespace(prefix = 'tenant'): Promise<string> {
    return this.plane.inNamespace(prefix);
  }

  /** A name that nothing else on this stage has: VMs, hosts and classes are known to the whole cluster. */
  name(prefix: string): string {
    this.#made += 1;
    return `${prefix}-${String(this.#made)}`;
  }

  /** A started agent of a host of its own. `url` leads it through a proxy. */
  async agent(options: Partial<ScriptedAgentOptions> = {}, url?: string): Promise<ScriptedAgent> {
    const nodeName = options.nodeName ?? this.name('host');
    const account = { namespace: SYSTEM, name: 'vmnetwork-agent', node: nodeName };
    const access = options.access ?? accessOf(await this.plane.kubeconfigForServiceAccount(account, url));
    const agent = new ScriptedAgent({ ...options, nodeName, access });
    this.#agents.push(agent);
    await agent.start();
    return agent;
  }

  /** A kubeconfig of the controller's own ServiceAccount. */
  controllerKubeconfig(url?: string): Promise<string> {
    return this.plane.kubeconfigForServiceAccount({ namespace: SYSTEM, name: 'vmnetwork-controller' }, url);
  }

  /** A controller that is ready. */
  async controller(options: Partial<ControllerOptions> = {}): Promise<ControllerProcess> {
    const controller = await ControllerProcess.start({
      identity: options.identity ?? this.name('controller'),
      kubeconfig: options.kubeconfig ?? (await this.controllerKubeconfig()),
      // A Lease that it has to make it waits out; where leading is not the matter, there is none.
      flags: options.flags ?? ['--leader-elect=false'],
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    this.#controllers.push(controller);
    return controller.ready();
  }

  async network(namespace: string, name: string, spec: NetworkSpec): Promise<Network> {
    return this.admin.create<Network>(NETWORKS, {
      apiVersion: 'vmnetwork.io/v1alpha1',
      kind: 'VMNetwork',
      metadata: { name, namespace },
      spec: { consumerEndpoint: ENDPOINT, ...spec },
    });
  }

  /** Resolves in another second than it was called in: the age of objects is known in whole seconds. */
  async nextSecond(): Promise<void> {
    const second = (): number => Math.floor(Date.now() / 1000);
    const now = second();
    await poll('the next second', () => second() > now);
  }

  edit(namespace: string, name: string, spec: Record<string, unknown>): Promise<Network> {
    return this.admin.mergePatch<Network>(NETWORKS, { namespace, name }, { spec });
  }

  remove(namespace: string, name: string): Promise<void> {
    return this.admin.delete(NETWORKS, { namespace, name });
  }

  /** Polls one object until it is as wanted; null where it does not exist. */
  until<T extends AnyObject>(
    what: string,
    kind: Kind,
    place: Place,
    wanted: (object: T | null) => boolean,
    deadlineMs = 15_000,
  ): Promise<T | null> {
    let last: T | null = null;
    const ask = async (): Promise<{ found: T | null } | null> => {
      last = await this.admin.find<T>(kind, place);
      return wanted(last) ? { found: last } : null;
    };
    return poll(what, ask, { deadlineMs, everyMs: 25, detail: () => this.#detail(last) }).then(
      ({ found }) => found,
    );
  }

  /** Polls a network until its condition is as said, of the present generation of its spec. */
  async untilCondition(
    namespace: string,
    name: string,
    type: string,
    status: string,
    reason?: string,
    deadlineMs?: number,
  ): Promise<Network> {
    const wanted = (network: Network | null): boolean => {
      const condition = conditionOf(network, type);
      const current = condition?.observedGeneration === network?.metadata.generation;
      return current && condition?.status === status && (reason === undefined || condition.reason === reason);
    };
    const what = `${namespace}/${name} to be ${type}=${status} ${reason ?? ''}`;
    const network = await this.until<Network>(what, NETWORKS, { namespace, name }, wanted, deadlineMs);
    return network!;
  }

  untilReady(namespace: string, name: string, deadlineMs?: number): Promise<Network> {
    return this.untilCondition(namespace, name, 'Ready', 'True', undefined, deadlineMs);
  }

  /** Polls the attachments of a network until they are as wanted, as the API server has them. */
  untilAttachments(
    namespace: string,
    network: string,
    what: string,
    wanted: (attachments: Attachment[]) => boolean,
    deadlineMs = 15_000,
  ): Promise<Attachment[]> {
    let last: Attachment[] = [];
    const ask = async (): Promise<Attachment[] | null> => {
      last = await this.attachments(namespace, network);
      return wanted(last) ? last : null;
    };
    const detail = (): string => this.#detail(last);
    return poll(`${what} of ${namespace}/${network}`, ask, { deadlineMs, everyMs: 25, detail });
  }

  async attachments(namespace: string, network: string): Promise<Attachment[]> {
    const { items } = await this.admin.list<Attachment>(ATTACHMENTS, { namespace });
    return items.filter(({ spec }) => spec.policy.network === network);
  }

  /** What was refused to agents by RBAC, admission or schema: nothing, ever. */
  get refusals(): string[] {
    return this.#agents.flatMap(({ nodeName, failures }) => failures.map((text) => `${nodeName}: ${text}`));
  }

  /** What no test may bring about: something refused to an agent, a card with two attachments. Empty if all was well. */
  get complaints(): readonly string[] {
    return [...this.refusals, ...this.witness.doubles];
  }

  /** Ends all agents that were started so far, for the end of a test. */
  async closeAgents(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.close()));
  }

  /** Ends everything, also what failed half-way. */
  async strike(): Promise<void> {
    const controllers = this.#controllers.filter(({ running }) => running);
    await Promise.allSettled(controllers.map((controller) => controller.end('SIGKILL')));
    await this.#witness?.close();
    await Promise.allSettled(this.#agents.map((agent) => agent.close()));
    this.admin.close();
    await this.plane.stop();
  }

  #detail(last: unknown): string {
    const logs = this.#controllers.map(({ identity, log }) => `${identity}:\n${log.slice(-3000)}`);
    return [JSON.stringify(last, shown), ...logs, ...this.refusals].join('\n');
  }
}

/** Who manages which field is most of an object, and never why a test failed. */
function shown(key: string, value: unknown): unknown {
  return key === 'managedFields' ? undefined : value;
}
