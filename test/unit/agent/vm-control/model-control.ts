import type { QmpClient } from '../../../../src/agent/discovery/qmp/client.ts';
import { QmpError } from '../../../../src/agent/discovery/qmp/client.ts';
import type { Monitor } from '../../../../src/agent/discovery/qmp/monitor-socket.ts';
import type { TapHolder } from '../../../../src/agent/host/kernel.ts';
import type { ControlMachine, EndSignal, ProcessHandle } from '../../../../src/agent/vm-control/machine.ts';

/** What a QEMU says of one card with the netdev `net0`. */
const NETWORK = 'net0: index=0,type=tap,ifname=tap0\n';

export class ModelVm {
  readonly process: TapHolder;
  mac = '52:54:00:00:00:01';
  alive = true;
  /** Its cable is in. */
  linked = true;
  /** What it does about `quit` and signals. */
  obeys: ('quit' | EndSignal)[] = ['quit', 'SIGTERM', 'SIGKILL'];
  monitor: 'free' | 'busy' | 'none' = 'free';
  /** Called when its monitor was opened. */
  opened: () => void = () => undefined;
  /** What it was asked and sent. */
  readonly got: string[] = [];
  /** Descriptors of it that are open. */
  held = 0;
  /** The signal is refused. */
  refuses: Error | null = null;

  constructor(process: TapHolder) {
    this.process = process;
  }

  take(what: 'quit' | EndSignal): void {
    this.got.push(what);
    if (this.obeys.includes(what)) this.alive = false;
  }
}

/** Processes by pid, each with its monitor. */
export class ModelControl implements ControlMachine {
  readonly vms = new Map<number, ModelVm>();

  add(pid: number, startTicks = '1'): ModelVm {
    const vm = new ModelVm({ pid, startTicks });
    this.vms.set(pid, vm);
    return vm;
  }

  isAlive({ pid, startTicks }: TapHolder): boolean {
    const vm = this.vms.get(pid);
    return vm?.process.startTicks === startTicks && vm.alive;
  }

  hold(process: TapHolder): ProcessHandle | null {
    const vm = this.vms.get(process.pid);
    if (vm === undefined || !this.isAlive(process)) return null;
    vm.held += 1;
    return {
      isThere: () => vm.alive,
      signal: (signal) => {
        if (vm.refuses !== null) throw vm.refuses;
        if (vm.alive) vm.take(signal);
      },
      endsWithin: (_ms, signal) =>
        signal.aborted ? Promise.reject(signal.reason as Error) : Promise.resolve(!vm.alive),
      close: () => void (vm.held -= 1),
    };
  }

  async openMonitor(pid: number): Promise<Monitor> {
    await Promise.resolve();
    const vm = this.vms.get(pid);
    if (vm === undefined || vm.monitor === 'none') return { unavailable: 'there is none', busy: false };
    vm.opened();
    if (vm.monitor === 'busy') return { unavailable: 'in use', busy: true };
    return { client: clientOf(vm) };
  }
}

function clientOf(vm: ModelVm): Pick<QmpClient, 'execute' | 'close'> {
  const answers: Readonly<Record<string, (given: Readonly<Record<string, unknown>>) => unknown>> = {
    'query-name': () => ({}),
    'query-uuid': () => ({ UUID: '00000000-0000-0000-0000-000000000000' }),
    'human-monitor-command': () => NETWORK,
    'qom-list': ({ path }) =>
      path === '/machine/peripheral' ? [{ name: 'card', type: 'child<virtio-net-pci>' }] : [],
    'qom-get': ({ property }) => (property === 'mac' ? vm.mac : 'net0'),
    quit: () => vm.take('quit'),
    set_link: ({ name, up }) => {
      vm.got.push(`set_link ${String(name)} ${String(up)}`);
      vm.linked = up === true;
    },
  };
  return {
    execute: async (command, given) => {
      await Promise.resolve();
      const answer = answers[command];
      if (answer === undefined) throw new QmpError(`no ${command}`, true);
      return answer(given ?? {});
    },
    close: () => undefined,
  };
}
