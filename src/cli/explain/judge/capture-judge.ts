import { reasonName, ruleOf } from '../../../filter/drop-reason.ts';
import type { PolicyInForce } from '../../../filter/filter-policy.ts';
import { frameMacs, summariseFrame } from '../../../packet/summary/frame-summary.ts';
import { FrameView } from '../../../packet/summary/frame-view.ts';
import type { Policy } from '../../../native/policy-abi.ts';
import type { CapturedFrame } from '../capture/captured-frame.ts';
import type { Direction, Engine, EngineName, EngineVerdict, FrameToJudge } from '../engine/engine.ts';
import { filterPolicyOf } from '../engine/filter-policy.ts';
import type { SeededNumbers } from '../engine/seed.ts';
import { decidingField } from '../field/deciding-field.ts';
import { field, type Judged } from '../field/field.ts';
import { CaptureClock, isoTime } from './capture-clock.ts';
import { directionOf } from './direction.ts';
import type { Explanation, SeenFrame } from './explanation.ts';
import { wholeFrame } from './whole-frame.ts';

export interface JudgeOptions {
  readonly direction: Direction | 'auto';
  readonly guestMac: string;
  /** Made when the first frame tells when the capture begins. */
  readonly policyFor: (startNs: bigint) => Policy | null;
  /** What frames are drawn by in mode Sampled, unless an engine draws by itself. */
  readonly nonces: SeededNumbers;
}

/** Judges the frames of one capture, in order, by every engine; each frame gives a line an engine. */
export class CaptureJudge {
  readonly #engines: readonly Engine[];
  readonly #options: JudgeOptions;
  readonly #clock = new CaptureClock();
  #inForce: { readonly policy: Policy | null; readonly reference: PolicyInForce } | null = null;

  constructor(engines: readonly Engine[], options: JudgeOptions) {
    this.#engines = engines;
    this.#options = options;
  }

  judge(frame: CapturedFrame): Explanation[] {
    const nowNs = this.#clock.at(frame.timeNs);
    const { policy, reference } = this.#policyInForce(nowNs);
    const { direction: way, guestMac } = this.#options;
    const direction = way === 'auto' ? directionOf(frame.bytes, guestMac) : way;
    const seen = seenFrame(frame, direction);
    const whole = wholeFrame(frame, direction, reference);
    if (!(whole instanceof Uint8Array)) {
      return this.#engines.map(({ name }) => ({ ...seen, engine: name, ...truncated(frame, whole) }));
    }
    const view = new FrameView(frame.bytes, frame.frameBytes);
    return this.#ask({ direction, bytes: whole, nowNs }, policy).map(({ engine, verdict }) => ({
      ...seen,
      engine,
      ...(verdict === null ? notShown(frame) : judged(verdict, { direction, view, policy })),
    }));
  }

  /** What every engine says, by one nonce: the one of the engine that draws by itself, which is asked first. */
  #ask(
    frame: Pick<FrameToJudge, 'direction' | 'bytes' | 'nowNs'>,
    policy: Policy | null,
  ): { readonly engine: EngineName; readonly verdict: EngineVerdict | null }[] {
    // The mark of the filter's own ARP answers is not in a capture: whatever equals such an answer is taken for one.
    const ownAnswer = frame.direction === 'to-vm';
    let nonce = policy?.mode === 'Sampled' ? this.#options.nonces.next() : 0n;
    return this.#engines.map((engine) => {
      const verdict = engine.judge({ ...frame, ownAnswer, nonce });
      nonce = verdict?.nonce ?? nonce;
      return { engine: engine.name, verdict };
    });
  }

  #policyInForce(startNs: bigint): { readonly policy: Policy | null; readonly reference: PolicyInForce } {
    if (this.#inForce === null) {
      const policy = this.#options.policyFor(startNs);
      for (const engine of this.#engines) engine.use(policy);
      this.#inForce = { policy, reference: policy === null ? 'none' : filterPolicyOf(policy) };
    }
    return this.#inForce;
  }
}

function seenFrame(frame: CapturedFrame, direction: Direction): SeenFrame {
  const macs = frameMacs(frame.bytes);
  return {
    index: frame.index,
    number: frame.index + 1,
    time: isoTime(frame.timeNs),
    direction,
    summary: summariseFrame(frame.bytes, frame.frameBytes),
    sourceMac: macs?.source ?? null,
    destinationMac: macs?.destination ?? null,
    frameBytes: frame.frameBytes,
    capturedBytes: frame.bytes.length,
  };
}

type Said = Omit<Explanation, keyof SeenFrame | 'engine'>;

function judged({ verdict, reasonCode, audited }: EngineVerdict, by: Judged): Said {
  const reason = reasonName(reasonCode);
  return { verdict, reason, reasonCode, audited, rule: ruleOf(reasonCode), ...decidingField(reason, by) };
}

const UNKNOWN = { verdict: 'unknown', reasonCode: null, audited: false } as const;

function truncated({ bytes, frameBytes }: CapturedFrame, { neededBytes }: { neededBytes: number }): Said {
  const rule = `only ${bytes.length} of ${frameBytes} bytes were captured, ${neededBytes} are needed`;
  const deciding = field('capture.length', bytes.length, `at least ${neededBytes}`);
  return { ...UNKNOWN, reason: 'CaptureTruncated', rule, ...deciding };
}

function notShown({ frameBytes }: CapturedFrame): Said {
  const rule = 'the kernel takes no frame of this length for a test';
  return { ...UNKNOWN, reason: 'NotShown', rule, ...field('frame.length', frameBytes, 'what a test takes') };
}
