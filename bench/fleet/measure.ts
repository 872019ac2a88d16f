import { answerAll } from './agents.ts';
import { Census } from './census.ts';
import { FleetCluster } from './cluster.ts';
import type { Deadline } from './deadline.ts';
import { phaseOf, type CalmFigures, type FleetFigures, type Mark } from './figures.ts';
import { Heartbeats } from './heartbeats.ts';
import type { FleetPlan } from './plan.ts';
import { populateNetworks, populateNodes } from './populate.ts';
import { measureRest } from './rest.ts';
import { measureChanges } from './single-change.ts';
import { Subject } from './subject.ts';

const TELL_EVERY_MS = 10_000;

/** One fleet, from an empty API server to the end. What is started here is ended here, whatever happens. */
export class FleetRun {
  readonly #cluster: FleetCluster;
  readonly #census: Census;
  readonly #heartbeats: Heartbeats;
  readonly #plan: FleetPlan;
  readonly #deadline: Deadline;
  #subject: Subject | null = null;

  private constructor(cluster: FleetCluster, census: Census, plan: FleetPlan, deadline: Deadline) {
    this.#cluster = cluster;
    this.#census = census;
    this.#heartbeats = new Heartbeats(cluster.client, (reason) => deadline.fail(reason));
    this.#plan = plan;
    this.#deadline = deadline;
  }

  static async start(plan: FleetPlan, deadline: Deadline): Promise<FleetRun> {
    deadline.doing('starting an API server');
    const cluster = await FleetCluster.start();
    try {
      return new FleetRun(cluster, await Census.start(cluster.client), plan, deadline);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Hosts, VMs and networks, before there is a controller. */
  async populate(): Promise<void> {
    const { nodes, networks } = this.#plan;
    const { signal } = this.#deadline;
    this.#deadline.doing(`${String(nodes.length)} hosts report their VMs`);
    await populateNodes(this.#cluster, this.#plan, this.#heartbeats, signal);
    this.#heartbeats.start();
    this.#deadline.doing(`creating ${String(networks.length)} VMNetworks`);
    await populateNetworks(this.#cluster, this.#plan, signal);
  }

  /** A fleet of which nothing is bound, until all is Ready. */
  async measure(): Promise<Omit<FleetFigures, 'resync'>> {
    const { nodes, networks } = this.#plan;
    const { audit, client } = this.#cluster;
    const { tally } = this.#census;
    const { signal } = this.#deadline;

    this.#deadline.doing('a controller starts, and binds them');
    const subject = await this.#begin('bench-1');
    const leads = await subject.leads(signal);
    const bound = await this.#all('bound', () => tally.bound);
    await subject.idle(networks.length, signal);
    const bindByClient = await subject.requests();
    const ofBind = audit.read();

    this.#deadline.doing('the hosts enforce, and say so');
    const asked = subject.mark();
    const answered = answerAll(client, tally.attachments, signal);
    // A failure of the one has to end the wait for the other.
    const [ready] = await Promise.all([
      Promise.race([this.#all('Ready', () => tally.ready), answered.then(() => never)]),
      answered,
    ]);
    await subject.idle(0, signal);
    return {
      nodes: nodes.length,
      networks: networks.length,
      bind: phaseOf(leads, bound, ofBind),
      bindByClient,
      bindByServer: ofBind.length,
      ready: phaseOf(asked, ready, audit.read()),
      memory: subject.memory,
    };
  }

  /** After {@link measure}: another controller takes over, and finds everything done. */
  async measureResync(): Promise<FleetFigures['resync']> {
    const { signal } = this.#deadline;
    const { audit } = this.#cluster;
    this.#deadline.doing('another controller takes over');
    await this.#present.stop();
    audit.skip();
    const subject = await this.#begin('bench-2');
    const leads = await subject.leads(signal);
    const done = await subject.idle(this.#plan.networks.length, signal);
    return phaseOf(leads, done, audit.read());
  }

  /** After {@link measureResync}: what it costs the controller, which has nothing to catch up on, when little happens. */
  async measureCalm(): Promise<CalmFigures> {
    const { signal } = this.#deadline;
    const { audit, client } = this.#cluster;
    const subject = this.#present;
    this.#deadline.doing('the fleet is at rest, its hosts renew their Leases');
    const rest = await measureRest(subject, audit, this.#heartbeats, signal);
    const { networks, spareNetworks } = this.#plan;
    this.#deadline.doing(`${String(spareNetworks.length)} single changes`);
    const scene = { client, census: this.#census, audit, subject, signal };
    return { rest, changes: await measureChanges(scene, spareNetworks, networks[0]!) };
  }

  async stop(): Promise<void> {
    await this.#subject?.kill();
    await this.#census.close();
    await this.#heartbeats.stop();
    await this.#cluster.stop();
  }

  get #present(): Subject {
    if (this.#subject === null) throw new Error('there is no controller yet');
    return this.#subject;
  }

  async #begin(identity: string): Promise<Subject> {
    this.#subject = await Subject.start(this.#cluster, identity);
    return this.#subject;
  }

  /** The moment at which all networks are so far. Tells now and then how many are. */
  async #all(state: string, count: () => number): Promise<Mark> {
    const { length } = this.#plan.networks;
    const tell = setInterval(() => {
      this.#deadline.tell(`${String(count())} of ${String(length)} are ${state}`);
      const reason = this.#present.endedBecause;
      if (reason !== null) this.#deadline.fail(reason);
    }, TELL_EVERY_MS);
    try {
      await this.#census.until(() => count() >= length, this.#deadline.signal);
      return this.#present.mark();
    } finally {
      clearInterval(tell);
    }
  }
}

const never = new Promise<never>(() => undefined);
