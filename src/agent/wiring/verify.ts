import type { ReadBack } from '../host/kernel.ts';

export interface ProgramTags {
  readonly fromVm: string;
  readonly toVm: string;
}

/**
 * Whether both programs sit where they must: on this interface, each at its own attach point, and in front of
 * everything else there. Returns what is wrong, or null. Says nothing of the policy and of which program it is.
 */
export function attachmentFault(found: ReadBack, ifindex: number): string | null {
  const hooks = [
    { name: 'from-VM', hook: found.fromVm, attachPoint: 'tcx/ingress' },
    { name: 'to-VM', hook: found.toVm, attachPoint: 'tcx/egress' },
  ];
  for (const { name, hook, attachPoint } of hooks) {
    if (hook === null) return `the ${name} program is not attached`;
    if (hook.ifindex !== ifindex)
      return `the ${name} program is on interface ${hook.ifindex}, not ${ifindex}`;
    if (hook.attachPoint !== attachPoint) return `the ${name} program is at ${hook.attachPoint}`;
    if (!hook.first) return `another program runs before the ${name} program`;
  }
  return null;
}

/** Whether the attached programs are the ones this build carries. */
export function isCurrentProgram(found: ReadBack, tags: ProgramTags): boolean {
  return found.fromVm?.programTag === tags.fromVm && found.toVm?.programTag === tags.toVm;
}
