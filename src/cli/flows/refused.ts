import { z } from 'zod';
import { isVmnError } from '../../lib/errors.ts';
import type { SeenStatus } from '../agent/agent-status.ts';

/** A frame that broke a rule, as the agent was told: the latest of its kind. */
export interface RefusedFrame {
  readonly vm: string;
  /** ISO 8601 */
  readonly time: string;
  readonly reason: string;
  /** Addresses, protocol and ports in words. */
  readonly summary: string;
  /** It passed all the same. */
  readonly audited: boolean;
}

const violationsSchema = z.looseObject({
  last: z.array(
    z.looseObject({ time: z.string(), reason: z.string(), summary: z.string(), audited: z.boolean() }),
  ),
});

/** What the agent remembers of the wanted attachments, the newest last. Null: no agent answers. */
export async function lastRefused(
  ask: () => Promise<SeenStatus>,
  isWanted: (attachment: { readonly vm: string; readonly tap: string }) => boolean,
): Promise<RefusedFrame[] | null> {
  try {
    const { attachments } = await ask();
    return attachments
      .filter(isWanted)
      .flatMap(({ vm, ...rest }) => {
        const parsed = violationsSchema.safeParse(rest['violations']);
        if (!parsed.success) return [];
        return parsed.data.last.map(({ time, reason, summary, audited }) => ({
          vm,
          time,
          reason,
          summary,
          audited,
        }));
      })
      .sort((a, b) => (a.time < b.time ? -1 : 1));
  } catch (error) {
    if (isVmnError(error, 'VMN_AGENT_UNREACHABLE')) return null;
    throw error;
  }
}
