import { afterEach, beforeEach } from '@jest/globals';
import type { AttachOptions, HookKind } from '../../../src/native/filter-engine.ts';
import { kernel } from '../requirement.ts';
import { describeWhen } from '../skip.ts';
import type { HeldTap } from './held-tap.ts';

/** What is pinned besides the maps and programs, by how the filter is attached. */
const HOOK_PINS: Readonly<Record<HookKind, readonly string[]>> = {
  tcx: ['link_from_vm', 'link_to_vm'],
  clsact: ['hook'],
};

/** One way of attaching, for tests that hold for both. */
export class HookUnderTest {
  readonly kind: HookKind;

  constructor(kind: HookKind) {
    this.kind = kind;
  }

  get options(): AttachOptions {
    return { hook: this.kind };
  }

  /** The same as source text, for a child process. */
  get optionsText(): string {
    return JSON.stringify(this.options);
  }

  /** What is pinned for a VM without a policy, sorted. */
  get pins(): string[] {
    return ['counters', 'from_vm', 'policy_slot', 'state', 'to_vm', 'tunnel', ...HOOK_PINS[this.kind]].sort();
  }

  get hookPins(): readonly string[] {
    return HOOK_PINS[this.kind];
  }

  /** In place, in both directions, before everybody else. */
  here(held: HeldTap): { fromVm: object; toVm: object } {
    const live = { ifindex: held.ifindex, first: true };
    return {
      fromVm: { ...live, attachPoint: `${this.kind}/ingress` },
      toVm: { ...live, attachPoint: `${this.kind}/egress` },
    };
  }
}

/** A block for each way of attaching that this kernel has; VMNET_HOOK is out of the way meanwhile. */
export function describeHooks(title: string, body: (hook: HookUnderTest) => void): void {
  for (const kind of ['tcx', 'clsact'] as const) {
    const hasTcx = kernel(6, 6);
    const name = `${title}, by ${kind}`;
    describeWhen(kind === 'clsact' || hasTcx.met, hasTcx.reason, name, () => {
      const before = process.env['VMNET_HOOK'];
      beforeEach(() => {
        delete process.env['VMNET_HOOK'];
      });
      afterEach(() => {
        if (before !== undefined) process.env['VMNET_HOOK'] = before;
      });
      body(new HookUnderTest(kind));
    });
  }
}

/** A tc filter as `tc` shows it: another tool's word for what is there, in the order in which it runs. */
export interface ShownFilter {
  kind: string;
  pref: number;
  handle: string;
  name: string;
  programId: number;
}

export async function tcFilters(
  held: HeldTap,
  hook: 'ingress' | 'egress',
  device = held.name,
): Promise<ShownFilter[]> {
  const listed = await held.host.run(['tc', '-json', 'filter', 'show', 'dev', device, hook]);
  const shown = JSON.parse(listed || '[]') as TcFilter[];
  return shown
    .filter(({ options }) => options !== undefined)
    .map(({ kind, pref, options }) => ({
      kind,
      pref,
      handle: options?.handle ?? '',
      name: options?.bpf_name ?? '',
      programId: options?.prog?.id ?? 0,
    }));
}

interface TcFilter {
  kind: string;
  pref: number;
  options?: { handle?: string; bpf_name?: string; prog?: { id: number } };
}
