import { FoundVms } from '../../../src/agent/discovery/found-vms.ts';
import type { HostCard, HostVm } from '../../../src/agent/discovery/directory.ts';
import { systemMachine } from '../../../src/agent/discovery/system-machine.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { createLogger } from '../../../src/lib/log.ts';
import { poll } from '../lab/index.ts';

/** Long enough that whatever a test sees was told by an event. */
const NO_RESYNC_MS = 3_600_000;

/** Discovery of this machine, which may hold VMs of others: looked at by name. */
export class WatchedVms {
  readonly vms: FoundVms;
  /** Process to how often it was asked about itself, or libvirt about it. */
  readonly asked = new Map<number, number>();

  constructor(options: { resyncMs?: number } = {}) {
    const machine = systemMachine();
    this.vms = new FoundVms({
      machine: {
        ...machine,
        ask: (pid, commandLine) => {
          this.asked.set(pid, (this.asked.get(pid) ?? 0) + 1);
          return machine.ask(pid, commandLine);
        },
      },
      clock: systemClock,
      log: createLogger({ level: 'silent' }),
      resyncMs: options.resyncMs ?? NO_RESYNC_MS,
    });
    this.vms.start();
  }

  named(name: string): HostVm[] {
    return this.vms.list().filter(({ reported }) => reported.name === name);
  }

  /** The only VM of this name, as soon as it is as it should be. */
  async vm(name: string, is: (vm: HostVm) => boolean = () => true): Promise<HostVm> {
    return await poll(
      `${name} to be found`,
      () => {
        const [vm, another] = this.named(name);
        return vm !== undefined && another === undefined && is(vm) ? vm : null;
      },
      {
        deadlineMs: 20_000,
        detail: () => JSON.stringify({ vms: this.vms.list(), problems: this.vms.problems() }, null, 1),
      },
    );
  }

  async gone(name: string): Promise<void> {
    await poll(`${name} to be gone`, () => this.named(name).length === 0, {
      detail: () => JSON.stringify(this.named(name), null, 1),
    });
  }

  close(): void {
    this.vms.close();
  }
}

export function card(vm: HostVm, mac: string): HostCard | undefined {
  return vm.cards.find((one) => one.mac === mac);
}

/** As soon as a VM has this many cards that can be filtered. */
export function filterable(count: number): (vm: HostVm) => boolean {
  return ({ cards }) =>
    cards.length === count && cards.every(({ link, unsupported }) => link !== null && unsupported === null);
}
