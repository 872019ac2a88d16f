import type { ReadBack } from '../host/kernel.ts';

export interface ProgramTags {
  readonly fromVm: string;
  readonly toVm: string;
}

/** How the programs are attached: by tcx links, or on kernels before 6.6 by the clsact qdisc. */
export type Engine = 'tcx' | 'clsact';

/** What filters a card: programs of the kernel, or vmn-nat. */
export type CardEngine = Engine | 'userspace';

export function engineOf({ fromVm, toVm }: ReadBack): Engine {
  return [fromVm, toVm].some((hook) => hook?.attachPoint.startsWith('clsact') === true) ? 'clsact' : 'tcx';
}

/**
 * Whether both programs sit where they must: on this interface, each at its own attach point, and in front of
 * everything else there. Returns what is wrong, or null. Says nothing of the policy and of which program it is.
 */
export function attachmentFault(found: ReadBack, ifindex: number): string | null {
  const hooks = [
    { name: 'from-VM', hook: found.fromVm, side: 'ingress' },
    { name: 'to-VM', hook: found.toVm, side: 'egress' },
  ];
  for (const { name, hook, side } of hooks) {
    if (hook === null) return `the ${name} program is not attached`;
    if (hook.ifindex !== ifindex)
      return `the ${name} program is on interface ${hook.ifindex}, not ${ifindex}`;
    if (hook.attachPoint.split('/')[1] !== side) return `the ${name} program is at ${hook.attachPoint}`;
    if (!hook.first) return `another program runs before the ${name} program`;
  }
  return null;
}

/** Whether the attached programs are the ones this build carries. */
export function isCurrentProgram(found: ReadBack, tags: ProgramTags): boolean {
  return found.fromVm?.programTag === tags.fromVm && found.toVm?.programTag === tags.toVm;
}
