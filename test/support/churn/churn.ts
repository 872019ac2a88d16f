/**
 * A host of a cluster to which everything happens at random: VMs come and go on taps of ours, on found ones and in another network
 * namespace, their networks are made, changed, withdrawn and removed, the agent is restarted and killed, the API server is cut
 * off, frozen and killed. All VMs send to everybody all the time, and each frame tells who sent it, to whom and when.
 * Long because it is one story: what can happen, and what must hold after it.
 */
import { join } from 'node:path';
import type { Capture, Namespace } from '../lab/index.ts';
import { poll } from '../lab/index.ts';
import { NETWORKS } from '../scripted-agent/kinds.ts';
import { conditionOf, type Network } from '../scripted-agent/objects.ts';
import type { ControllerProcess } from '../scripted-agent/controller-process.ts';
import type { AgentProcess } from '../stage/agent-process.ts';
import { ClusterLab } from '../stage/cluster-lab.ts';
import { seededRandom } from '../stage/random.ts';
import { RentalLab } from '../stage/rental-lab.ts';
import { agentSays } from './agent-says.ts';
import { arrived } from './arrived.ts';
import { Bans } from './bans.ts';
import { Guest, type GuestKind } from './guest.ts';
import { MachineWatch } from './machine-use.ts';
import { API_SERVER_KILLED, outagesOf } from './outages.ts';
import { Probes } from './probed.ts';
import { differences, resourcesOf, type Resources } from './resources.ts';
import { stallsOf, type ChurnResult } from './result.ts';
import { SeenObjects } from './seen-objects.ts';

export interface ChurnOptions {
  readonly seconds: number;
  readonly seed: number;
  /** At most so many VMs at a time. */
  readonly most: number;
  /** The API server is killed too, after which its own policies refuse writes for up to half a minute. */
  readonly kills: boolean;
  /** Called every few seconds. */
  readonly progress?: (line: string) => void;
}

const PATTERN = 'chn*';
const SEND_EVERY_MS = 50;
const CHANGE_EVERY_MS = 400;
const TELL_EVERY_MS = 10_000;
/**
 * From one kill of the API server to the next. It takes no writes for half a minute after one, and where nothing else can be done
 * meanwhile most of what is drawn are outages: without a pause it would be killed again before it takes any.
 */
const KILL_EVERY_MS = 60_000;
/** For one change to be in force, through whatever outage. */
const IN_FORCE_MS = 150_000;
const { a, b, x } = RentalLab;
const PLACES = { a, b, x };
type Endpoint = 'a' | 'b';

export class Churn {
  readonly #options: ChurnOptions;
  readonly #random: () => number;
  readonly #bans = new Bans(Object.keys(PLACES));
  readonly #guests = new Set<Guest>();
  readonly #counts = new Map<string, number>();
  readonly #breaches: string[] = [];
  readonly #under = new Set<Promise<void>>();
  /** When each agent was up, ms since 1970, by pid. */
  readonly #upSince = new Map<number, number>();
  #lab!: ClusterLab;
  #objects!: SeenObjects;
  #pod!: Namespace;
  #controller!: ControllerProcess;
  #agent!: AgentProcess;
  #agentProbes!: Probes;
  #controllerProbes!: Probes;
  #tenant = '';
  #captures!: Record<keyof typeof PLACES, Capture>;
  #before!: Resources;
  #made = 0;
  #outage = false;
  #killedAtMs = Number.NEGATIVE_INFINITY;
  #restarting = false;

  private constructor(options: ChurnOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  static async run(options: ChurnOptions): Promise<ChurnResult> {
    const machine = new MachineWatch();
    const churn = new Churn(options);
    let result: Omit<ChurnResult, 'machine'>;
    try {
      await churn.#open();
      await churn.#stir();
      result = await churn.#end();
    } finally {
      await churn.#close();
    }
    return { ...result, machine: machine.use() };
  }

  async #open(): Promise<void> {
    this.#lab = await ClusterLab.open('churn');
    const { rental, stage } = this.#lab;
    const { host, wan, lab, home } = rental;
    this.#agentProbes = new Probes(join(lab.scratch, 'agent-probes'));
    this.#controllerProbes = new Probes(join(lab.scratch, 'controller-probes'));
    home.wrapper = this.#agentProbes.words;
    this.#objects = new SeenObjects(host, home.bpffs);
    this.#pod = await lab.namespace('pod');
    const ends = { nameA: 'eth0', nameB: 'to-pod', addressA: '10.0.1.2/24', addressB: '10.0.1.1/24' };
    await lab.connect(this.#pod, wan, ends);
    await this.#pod.run(['ip', 'route', 'add', 'default', 'via', '10.0.1.1']);
    // With an address of its own: else it has that of one of its ports.
    const bridge = ['address', '02:76:00:00:00:01', 'type', 'bridge'];
    await host.run(['ip', 'link', 'add', 'br-churn', 'up', ...bridge]);
    this.#captures = await rental.captures('udp');
    this.#tenant = await stage.namespace();
    this.#controller = await stage.controller({ env: this.#controllerProbes.environment });
    this.#upSince.set(this.#controllerProbes.pids()[0] ?? 0, Date.now());
    await this.#startAgent();
    // Once with one VM of each kind: what is made at the first use and kept is there before it is counted.
    for (const kind of ['own', 'found', 'pod'] as const) await this.#arrive(kind);
    for (const guest of this.#guests) await this.#name(guest, 'a');
    for (const guest of [...this.#guests]) await this.#depart(guest);
    this.#before = await this.#resources();
  }

  /** Something new every now and then, until the time is over. */
  async #stir(): Promise<void> {
    const sending = setInterval(() => {
      for (const guest of this.#guests) guest.send(PLACES);
    }, SEND_EVERY_MS);
    const began = performance.now();
    let told = began;
    try {
      for (;;) {
        const elapsed = performance.now() - began;
        if (elapsed > this.#options.seconds * 1000) break;
        this.#choose(elapsed / (this.#options.seconds * 1000));
        if (performance.now() - told > TELL_EVERY_MS) {
          told = performance.now();
          this.#tell(elapsed);
          await this.#objects.note();
        }
        this.#checkAgent();
        await new Promise((resolve) => setTimeout(resolve, CHANGE_EVERY_MS * (0.5 + this.#random())));
      }
      await Promise.all(this.#under);
      for (const guest of [...this.#guests]) await this.#depart(guest);
    } finally {
      clearInterval(sending);
    }
  }

  /** `share` of the time that is over: the second half one agent goes through, so that what it loses adds up. */
  #choose(share: number): void {
    const idle = [...this.#guests].filter(({ busy }) => !busy);
    const guest = idle[Math.floor(this.#random() * idle.length)];
    const draw = this.#random();
    const kind = (['own', 'found', 'pod'] as const)[Math.floor(this.#random() * 3)]!;
    const endpoint = this.#random() < 0.5 ? 'a' : 'b';
    if (draw < 0.05 && share < 0.5 && !this.#restarting)
      return this.#do(this.#random() < 0.6 ? 'agent killed' : 'agent restarted', (what) =>
        this.#restart(what),
      );
    if (draw < 0.1 && !this.#outage && share < 0.9) return this.#breakApi();
    if (guest === undefined || (draw < 0.4 && this.#guests.size < this.#options.most)) {
      if (this.#guests.size < this.#options.most)
        this.#do(`VM came (${kind})`, async () => {
          const arrived = await this.#arrive(kind);
          if (arrived !== null) await this.#held(arrived, () => this.#name(arrived, endpoint));
        });
      return;
    }
    if (guest.sentTo === null || draw < 0.6)
      return this.#do(`VM went (${guest.kind})`, () => this.#held(guest, () => this.#depart(guest)));
    if (draw < 0.8)
      return this.#do('endpoint changed', () => this.#held(guest, () => this.#move(guest, endpoint)));
    if (draw < 0.9)
      return this.#do('kill switch', () => this.#held(guest, () => this.#quarantine(guest, endpoint)));
    this.#do('network removed and made', () =>
      this.#held(guest, async () => {
        await this.#unname(guest);
        await this.#name(guest, endpoint);
      }),
    );
  }

  #do(what: string, work: (what: string) => Promise<void>): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
    const under = work(what)
      .catch((error: unknown) => {
        this.#breaches.push(
          `${what}: ${error instanceof Error ? error.message.slice(0, 3000) : String(error)}`,
        );
      })
      .finally(() => this.#under.delete(under));
    this.#under.add(under);
  }

  async #held(guest: Guest, work: () => Promise<void>): Promise<void> {
    guest.busy = true;
    await work();
    guest.busy = false;
  }

  async #arrive(kind: GuestKind): Promise<Guest | null> {
    this.#made += 1;
    const name = `v${String(this.#made)}`;
    const tap = `chn${String(this.#made)}`;
    this.#bans.begin(name);
    const { host } = this.#lab.rental;
    const guest =
      kind === 'own'
        ? Guest.own(await this.#lab.startVm(name))
        : await Guest.found(
            kind,
            kind === 'pod' ? this.#pod : host,
            name,
            tap,
            kind === 'found' && (this.#made <= 3 || this.#random() < 0.5) ? 'br-churn' : null,
          );
    guest.busy = true;
    this.#guests.add(guest);
    return guest;
  }

  async #depart(guest: Guest): Promise<void> {
    // Half of them end while their network is there.
    const endsFirst = this.#random() < 0.5;
    if (endsFirst) await guest.end();
    if (guest.sentTo !== null) await this.#unname(guest);
    await guest.end();
    this.#guests.delete(guest);
  }

  async #name(guest: Guest, endpoint: Endpoint): Promise<void> {
    this.#bans.lift(guest.name, endpoint);
    const spec = { selector: { names: [guest.name] }, consumerEndpoint: PLACES[endpoint] };
    await this.#persist(`a network of ${guest.name}`, async () => {
      const place = { namespace: this.#tenant, name: guest.name };
      const found = await this.#lab.stage.admin.find<Network>(NETWORKS, place);
      return found ?? this.#lab.stage.network(this.#tenant, guest.name, { ...spec, endpointGraceSeconds: 0 });
    });
    guest.sentTo = endpoint;
    await this.#untilInForce(guest, 'Verified');
  }

  async #move(guest: Guest, endpoint: Endpoint): Promise<void> {
    this.#bans.lift(guest.name, endpoint);
    await this.#edit(guest, { consumerEndpoint: PLACES[endpoint] });
    guest.sentTo = endpoint;
    await this.#untilInForce(guest, 'Verified');
    this.#bans.begin(guest.name, endpoint);
  }

  async #quarantine(guest: Guest, endpoint: Endpoint): Promise<void> {
    await this.#edit(guest, { desiredState: 'Quarantined' });
    await this.#untilInForce(guest, 'Quarantined');
    this.#bans.begin(guest.name);
    this.#bans.lift(guest.name, endpoint);
    await this.#edit(guest, { desiredState: 'Active', consumerEndpoint: PLACES[endpoint] });
    guest.sentTo = endpoint;
    await this.#untilInForce(guest, 'Verified');
  }

  /** Its network is gone when this resolves, and all its attachments are: their host said that the VM is denied. */
  async #unname(guest: Guest): Promise<void> {
    const { stage } = this.#lab;
    const place = { namespace: this.#tenant, name: guest.name };
    await this.#persist(`the end of the network of ${guest.name}`, async () => {
      await stage.remove(this.#tenant, guest.name);
      const network = await stage.admin.find<Network>(NETWORKS, place);
      const left = await stage.attachments(this.#tenant, guest.name);
      return network === null && left.length === 0;
    });
    this.#bans.begin(guest.name);
    guest.sentTo = null;
  }

  #edit({ name }: Guest, spec: Record<string, unknown>): Promise<unknown> {
    return this.#persist(`a change of the network of ${name}`, () =>
      this.#lab.stage.edit(this.#tenant, name, spec),
    );
  }

  /** The API says that it is, of the present generation. */
  async #untilInForce(guest: Guest, reason: string): Promise<void> {
    const place = { namespace: this.#tenant, name: guest.name };
    await this.#persist(`${guest.name} to be ${reason}`, async () => {
      const network = await this.#lab.stage.admin.find<Network>(NETWORKS, place);
      const condition = conditionOf(network, 'Enforced');
      const isCurrent = condition?.observedGeneration === network?.metadata.generation;
      return isCurrent && condition?.status === 'True' && condition.reason === reason;
    });
    guest.address ??= await this.#addressOf(guest);
  }

  #addressOf({ tap }: Guest): Promise<string> {
    return this.#persist(`the address on ${tap}`, async () => {
      const status = await this.#agent.status();
      return status?.attachments.find((one) => one.tap === tap)?.guestAddress;
    });
  }

  /** Through outages: what the API server does not do now is asked again. */
  #persist<T>(what: string, ask: () => Promise<T>): Promise<Exclude<T, false | null | undefined>> {
    let last: unknown = null;
    const attempt = async (): Promise<T | null> => {
      try {
        last = null;
        return await ask();
      } catch (error) {
        last = error;
        return null;
      }
    };
    const detail = (): string => [String(last), this.#agent.log.slice(-1500)].join('\n');
    const asked = poll<T | null>(what, attempt, { deadlineMs: IN_FORCE_MS, everyMs: 100, detail });
    return asked.catch(async (error: unknown) => {
      throw new Error(`${(error as Error).message}\n${await agentSays(this.#agent)}`);
    });
  }

  async #startAgent(): Promise<void> {
    const agent = this.#lab.startAgent(['--managed-interfaces', PATTERN]);
    this.#agent = agent;
    await agent.until('a first status', () => true, 90_000);
    this.#upSince.set(agent.pid, Date.now());
  }

  async #restart(what: string): Promise<void> {
    this.#restarting = true;
    await this.#agent.end(what === 'agent killed' ? 'SIGKILL' : 'SIGTERM');
    await this.#startAgent();
    this.#restarting = false;
  }

  #checkAgent(): void {
    if (this.#restarting || this.#agent.running) return;
    throw new Error(`the agent ended by itself\n${this.#agent.log}`);
  }

  #breakApi(): void {
    const forMs = 1000 + this.#random() * 4000;
    const kills = this.#options.kills && performance.now() - this.#killedAtMs > KILL_EVERY_MS;
    const outages = Object.entries(outagesOf(this.#lab, kills));
    const [name, outage] = outages[Math.floor(this.#random() * outages.length)]!;
    if (name === API_SERVER_KILLED) this.#killedAtMs = performance.now();
    this.#outage = true;
    this.#do(name, () => outage(forMs).finally(() => (this.#outage = false)));
  }

  async #resources(): Promise<Resources> {
    await this.#agent.until(
      'an agent at rest',
      ({ attachments, problems }) => attachments.length === 0 && problems.length === 0,
      90_000,
    );
    const { host, home } = this.#lab.rental;
    const { bpffs, runDir, stateDir } = home;
    return resourcesOf([host, this.#pod], [bpffs, runDir, stateDir], {
      agent: { pid: this.#agent.pid, probes: this.#agentProbes },
      controller: { pid: this.#controllerProbes.pids()[0] ?? 0, probes: this.#controllerProbes },
    });
  }

  async #end(): Promise<Omit<ChurnResult, 'machine'>> {
    let after = await this.#resources();
    let left = differences(this.#before, after);
    // Some of it goes a little later: a guard is taken back in the next pass, a connection is kept for a while.
    const settled = async (): Promise<boolean> => {
      after = await this.#resources();
      left = differences(this.#before, after);
      return left.length === 0;
    };
    await poll('all to be as it was', settled, { deadlineMs: 60_000, everyMs: 1000 }).catch(() => null);
    const objects = await this.#objects.left();
    const { frames, forbidden } = await arrived(this.#captures, this.#bans);
    const failures = [...this.#agentProbes.failures(), ...this.#controllerProbes.failures()];
    if (!this.#controller.running) failures.push({ origin: 'controller', text: this.#controller.log });
    return {
      seed: this.#options.seed,
      vms: this.#made,
      counts: Object.fromEntries([...this.#counts].sort()),
      frames,
      forbidden,
      failures: failures.map(({ origin, text }) => `${origin}: ${text}`),
      stalls: {
        agent: stallsOf(this.#agentProbes, this.#upSince),
        controller: stallsOf(this.#controllerProbes, this.#upSince),
      },
      left: [...left, ...objects],
      breaches: [...this.#breaches, ...this.#lab.stage.witness.doubles],
      before: this.#before.processes,
      after: after.processes,
    };
  }

  #tell(elapsedMs: number): void {
    const done = [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
    const busy = [...this.#guests].filter((guest) => guest.busy).length;
    this.#options.progress?.(
      `${String(Math.round(elapsedMs / 1000))} s: ${String(this.#guests.size)} VMs (${String(busy)} in change), ` +
        `${String(this.#made)} so far, ${String(done)} events, ${String(this.#breaches.length)} breaches`,
    );
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#guests].map((guest) => guest.end()));
    await this.#lab?.close();
  }
}
