import { sameEndpoint, type Endpoint } from './endpoint.ts';
import type { Direction } from './filtering-strategy.ts';
import type { TunnelMessage } from './tunnel-message.ts';

/** REKEY_ATTEMPT_TIME: who was not answered for so long gives up. Initiations after such a pause are a new attempt. */
const GIVES_UP_NS = 90_000_000_000n;

/** Initiations in a row that were not answered. Times: CLOCK_MONOTONIC. */
interface Asked {
  readonly firstNs: bigint;
  readonly lastNs: bigint;
  /** Of the last one; the others are void with it. */
  readonly sender: number;
}

/** The index that each side gave a handshake. */
interface Session {
  readonly timeNs: bigint;
  readonly vmIndex: number;
  readonly consumerIndex: number;
}

interface Seen {
  readonly endpoint: Endpoint;
  readonly asked: Readonly<Record<Direction, Asked | null>>;
  /** The VM's answer to the consumer, who has not shown yet that it took it. */
  readonly offered: Session | null;
  readonly session: Session | null;
  readonly handshakes: number;
  /** The last data of that session. */
  readonly dataNs: Readonly<Record<Direction, bigint | null>>;
  /** The index that the consumer last sent data to. */
  readonly used: number | null;
}

const NO_DATA = { 'from-vm': null, 'to-vm': null } as const;

/**
 * Whether there is a tunnel, told from the messages that pass, without any key: a sign and no proof.
 *
 * The guest sends what it likes, so a handshake counts when the consumer has shown that it took part. Either it answers the
 * VM's last initiation by its index, or the VM answered the consumer's and the consumer then sends data to the index of that
 * answer, one that it did not send to before. Of another endpoint nothing is known yet.
 */
export class TunnelWatch {
  #seen: Seen | null = null;

  get seen(): Seen | null {
    return this.#seen;
  }

  /** One message that passed, later than those before it. */
  note(direction: Direction, message: TunnelMessage, nowNs: bigint): void {
    const { endpoint } = message;
    const before =
      this.#seen !== null && sameEndpoint(this.#seen.endpoint, endpoint) ? this.#seen : nothing(endpoint);
    this.#seen = after(before, direction, message, nowNs);
  }
}

function nothing(endpoint: Endpoint): Seen {
  const asked = { 'from-vm': null, 'to-vm': null };
  return {
    endpoint,
    asked,
    offered: null,
    session: null,
    handshakes: 0,
    dataNs: NO_DATA,
    used: null,
  };
}

function after(seen: Seen, direction: Direction, message: TunnelMessage, nowNs: bigint): Seen {
  switch (message.kind) {
    case 'initiation': {
      const asked = askedAgain(seen.asked[direction], message.sender, nowNs);
      return { ...seen, asked: { ...seen.asked, [direction]: asked } };
    }
    case 'response':
      return direction === 'to-vm'
        ? answeredByConsumer(seen, message, nowNs)
        : answeredByVm(seen, message, nowNs);
    case 'data':
      return withData(seen, direction, message.receiver, nowNs);
    case 'cookie':
      return seen;
  }
}

function askedAgain(before: Asked | null, sender: number, nowNs: bigint): Asked {
  const isNew = before === null || BigInt.asUintN(64, nowNs - before.lastNs) >= GIVES_UP_NS;
  return { firstNs: isNew ? nowNs : before.firstNs, lastNs: nowNs, sender };
}

type Response = Extract<TunnelMessage, { kind: 'response' }>;

function answeredByConsumer(seen: Seen, { sender, receiver }: Response, nowNs: bigint): Seen {
  if (seen.asked['from-vm']?.sender !== receiver) return seen;
  return handshake(seen, 'from-vm', { timeNs: nowNs, vmIndex: receiver, consumerIndex: sender });
}

function answeredByVm(seen: Seen, { sender, receiver }: Response, nowNs: bigint): Seen {
  if (seen.asked['to-vm']?.sender !== receiver) return seen;
  const isFresh = sender !== seen.used && sender !== seen.session?.vmIndex;
  return isFresh ? { ...seen, offered: { timeNs: nowNs, vmIndex: sender, consumerIndex: receiver } } : seen;
}

function withData(before: Seen, direction: Direction, receiver: number, nowNs: bigint): Seen {
  let seen = before;
  if (direction === 'to-vm') {
    seen = { ...seen, used: receiver };
    if (seen.offered?.vmIndex === receiver)
      seen = handshake(seen, 'to-vm', { ...seen.offered, timeNs: nowNs });
  }
  const expected = direction === 'to-vm' ? seen.session?.vmIndex : seen.session?.consumerIndex;
  return receiver === expected ? { ...seen, dataNs: { ...seen.dataNs, [direction]: nowNs } } : seen;
}

/** @param asker whose initiation it was */
function handshake(seen: Seen, asker: Direction, session: Session): Seen {
  const asked = { ...seen.asked, [asker]: null };
  return { ...seen, asked, offered: null, session, dataNs: NO_DATA, handshakes: seen.handshakes + 1 };
}
