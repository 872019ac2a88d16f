import type { NatControl } from '../../../src/native/nat-control.ts';
import type { NatCounters } from '../../../src/native/nat-control-abi.ts';
import { reasonName } from '../../../src/filter/drop-reason.ts';
import { CAST, PINNED, toGuest, type Cast, type Twist } from '../frames/cast.ts';
import { policyBytes, type PolicyFields } from '../frames/policy-bytes.ts';
import { Consumer } from './consumer.ts';
import { Engine, type EngineOptions } from './engine.ts';
import type { GuestEnd } from './guest-end.ts';

/** A consumer, a guest's end and an engine between them, with a policy for that consumer. */
export interface Bed {
  readonly engine: Engine;
  readonly control: NatControl;
  readonly guest: GuestEnd;
  readonly consumer: Consumer;
  /** Who plays, the endpoint being the consumer. */
  readonly cast: Cast;
}

/** Has `body` work on a bed of its own, of which nothing is left. */
export async function withBed(body: (bed: Bed) => Promise<void>, options: EngineOptions = {}): Promise<void> {
  const engine = await Engine.start(options);
  const consumer = await Consumer.listen();
  try {
    const control = await engine.control();
    const cast = { ...CAST, endpoint: consumer.endpoint };
    await control.setPolicy(policyFor(cast));
    await body({ engine, control, guest: await engine.guest(), consumer, cast });
  } finally {
    consumer.close();
    await engine.stop();
  }
}

export function policyFor(cast: Pick<Cast, 'endpoint'>, fields: Partial<PolicyFields> = {}): Uint8Array {
  return policyBytes({ ...PINNED, endpoint: cast.endpoint, generation: 1n, ...fields });
}

/** Packets by direction and the reason's name, `audited` behind it where they passed. */
export function byReason({ frames }: NatCounters): Record<string, number> {
  return Object.fromEntries(
    frames.map(({ direction, reason, audited, packets }) => [
      `${direction} ${reasonName(reason)}${audited ? ' audited' : ''}`,
      Number(packets),
    ]),
  );
}

/** The frame that a datagram of the endpoint becomes, as another implementation than the engine's writes it. */
export function replyFrame(
  cast: Cast,
  payload: Uint8Array,
  guestPort: number,
  twist: Twist = {},
): Uint8Array {
  return toGuest(cast, {
    udp: { payload, destinationPort: guestPort },
    ip: { identification: 0, dontFragment: true, ...twist.ip },
  });
}
