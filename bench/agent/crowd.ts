import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { AgentProcess } from '../../test/support/stage/agent-process.ts';
import { manifestText } from '../../test/support/stage/manifest.ts';
import { RentalLab } from '../../test/support/stage/rental-lab.ts';
import type { Deadline } from '../fleet/deadline.ts';

const LOOK_EVERY_MS = 50;
const TELL_EVERY_MS = 10_000;

/** A provider's host with one real agent that takes its wishes from a folder. */
export class CrowdedHost {
  readonly rental: RentalLab;
  readonly agent: AgentProcess;
  readonly pid: number;
  readonly #deadline: Deadline;
  #wanted = 0;

  private constructor(rental: RentalLab, agent: AgentProcess, pid: number, deadline: Deadline) {
    this.rental = rental;
    this.agent = agent;
    this.pid = pid;
    this.#deadline = deadline;
  }

  /** Runs `body` on such a host; nothing is left of it. */
  static async with<T>(
    deadline: Deadline,
    name: string,
    body: (host: CrowdedHost) => Promise<T>,
  ): Promise<T> {
    const rental = await RentalLab.open(name);
    try {
      const agent = rental.home.start();
      const { agent: info } = await agent.until('the first pass', () => true, START_MS);
      const measured = await body(new CrowdedHost(rental, agent, info.pid, deadline));
      await agent.end('SIGTERM');
      return measured;
    } finally {
      await rental.close();
    }
  }

  /** From the first new manifest on until each of `count` VMs in all is enforced, ms. */
  async attach(count: number): Promise<number> {
    const { home } = this.rental;
    const began = performance.now();
    for (; this.#wanted < count; this.#wanted += 1) {
      const name = `vm-${String(this.#wanted)}`;
      writeFileSync(join(home.manifests, `${name}.yaml`), manifestText({ name, endpoint: RentalLab.a }));
    }
    let told = began;
    // To ask the agent for the status of a thousand VMs costs it something: it is asked when all taps have their pins.
    while (this.#pinned() < count) {
      await this.#patience();
      if (performance.now() - told < TELL_EVERY_MS) continue;
      told = performance.now();
      this.#deadline.tell(`${String(this.#pinned())} of ${String(count)} taps have their filters`);
    }
    while (!(await this.#allEnforced(count))) await this.#patience();
    return performance.now() - began;
  }

  #pinned(): number {
    try {
      return readdirSync(this.rental.home.bpffs).filter((name) => name.startsWith('vmn-')).length;
    } catch (error) {
      // Made with the first of them.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
      throw error;
    }
  }

  async #allEnforced(count: number): Promise<boolean> {
    const status = await this.agent.status();
    return status?.attachments.filter(({ state }) => state === 'Enforced').length === count;
  }

  async #patience(): Promise<void> {
    if (!this.agent.running) throw new Error(`the agent ended:\n${this.agent.log.slice(-2000)}`);
    await pause(LOOK_EVERY_MS, undefined, { signal: this.#deadline.signal });
  }
}

const START_MS = 60_000;
