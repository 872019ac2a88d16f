import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { ConditionReason } from '../../api/v1alpha1/conditions.ts';
import { isDrop, reasonMetric, REASONS } from '../../filter/drop-reason.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ControllerMetrics, Metrics } from '../../lib/metrics.ts';
import type { PassResult } from '../attachment/pass.ts';
import type { AgentInfo, AgentStatus, AttachmentState } from '../status/status.ts';
import { CROSSINGS, frameSeries, reasonIn } from './filter-counts.ts';
import type { FilterCounts } from './filter-counts.ts';
import type { Counts } from './kept-sums.ts';
import type { PassObserver } from './pass-observer.ts';
import { VerificationAges } from './verification-ages.ts';

/*
 * What an agent tells Prometheus of its host as a whole. No label holds the name of a VM, a network or a tap: a host has as
 * many as it likes, and for one of them there is `vmnetctl status` and the attachment's own status.
 */

export interface AgentMetricsPorts {
  /** Has the registry; loops and requests are counted there. */
  readonly metrics: Metrics;
  readonly info: Pick<AgentInfo, 'version' | 'programTags'>;
  readonly counts: FilterCounts;
  readonly clock: Clock;
}

const STATES: readonly AttachmentState[] = ['Denied', 'Programmed', 'Enforced', 'Pending', 'Error'];
/** Of cards with a policy; the other reasons are no tunnel's. */
const TUNNEL_REASONS: readonly ConditionReason[] = ['HandshakeSeen', 'NoHandshake', 'HandshakeStale', 'Idle'];
const DIRECTIONS = { 'from-vm': 'from_vm', 'to-vm': 'to_vm' } as const;

/** The passes, as a controller with one worker. */
const LOOP = 'host';

export class AgentMetrics implements PassObserver {
  readonly #ports: AgentMetricsPorts;
  readonly #loop: ControllerMetrics;
  readonly #ages: VerificationAges;
  #beganMs: number | null = null;
  #status: AgentStatus | null = null;
  #longestExposureMs = 0;
  #losses = 0;

  constructor(ports: AgentMetricsPorts) {
    const { metrics, counts, info } = ports;
    this.#ports = ports;
    this.#loop = metrics.controller(LOOP, 1);
    this.#ages = new VerificationAges(ports.clock);
    const { registry } = metrics;
    buildInfo(registry, info);
    this.#gauges(registry);
    frames(registry, counts);
    violations(registry, counts);
    detached(registry, () => this.#losses);
  }

  began(): void {
    // One that ended in a bug did not say so.
    if (this.#beganMs !== null) this.#ended('error');
    this.#beganMs = this.#ports.clock.monotonicMs();
    this.#loop.started();
  }

  passed(status: AgentStatus, result: PassResult): void {
    this.#status = status;
    this.#losses = result.losses;
    this.#ages.passed(result.attachments);
    // A tap of ours is closed before anybody can open it.
    this.#longestExposureMs = Math.max(0, ...result.attachments.map(({ found }) => found?.exposureMs ?? 0));
    this.#ended('success');
  }

  failed(status: AgentStatus | null): void {
    this.#status = status;
    this.#ended('error');
  }

  #ended(result: 'success' | 'error'): void {
    const nowMs = this.#ports.clock.monotonicMs();
    this.#loop.ended(result, (nowMs - (this.#beganMs ?? nowMs)) / 1000);
    this.#beganMs = null;
    this.#ports.counts.save();
  }

  #gauges(registry: Registry): void {
    const attachments = (): AgentStatus['attachments'] => this.#status?.attachments ?? [];
    new Gauge({
      name: 'vmnetwork_agent_attachments',
      help: 'Attachments of this host by state.',
      labelNames: ['state'],
      registers: [registry],
      collect() {
        for (const state of STATES)
          this.set({ state }, attachments().filter((one) => one.state === state).length);
      },
    });
    new Gauge({
      name: 'vmnetwork_agent_tunnels',
      help: 'Network cards of this host with a policy, by what was seen of their tunnels.',
      labelNames: ['reason'],
      registers: [registry],
      collect() {
        for (const reason of TUNNEL_REASONS)
          this.set({ reason }, attachments().filter(({ tunnel }) => tunnel.reason === reason).length);
      },
    });
    gauge(
      registry,
      'bypassed_guest_firewalls',
      'Guests that send what the firewall that they were given would have stopped.',
      () => attachments().filter(({ bypass }) => bypass !== undefined).length,
    );
    gauge(
      registry,
      'quarantined_attachments',
      'Attachments that nothing passes of for their violations.',
      () => {
        return attachments().filter(({ violations }) => violations.quarantinedAt !== null).length;
      },
    );
    gauge(
      registry,
      'problems',
      'Problems that vmnetctl status shows.',
      () => this.#status?.problems.length ?? 0,
    );
    gauge(
      registry,
      'longest_exposure_seconds',
      'Longest time that an attachment of now was up before its filter was.',
      () => this.#longestExposureMs / 1000,
    );
    gauge(
      registry,
      'verification_age_seconds',
      'Time since all attachments of now were last read back and found as intended.',
      () => this.#ages.oldestMs / 1000,
    );
    const { counts } = this.#ports;
    gauge(registry, 'unread_filters', 'Filters whose counts could not be read.', async () => {
      await counts.total();
      return counts.unread;
    });
  }
}

function gauge(registry: Registry, name: string, help: string, value: () => number | Promise<number>): void {
  new Gauge({
    name: `vmnetwork_agent_${name}`,
    help,
    registers: [registry],
    async collect() {
      this.set(await value());
    },
  });
}

function buildInfo(registry: Registry, { version, programTags }: AgentMetricsPorts['info']): void {
  new Gauge({
    name: 'vmnetwork_agent_build_info',
    help: '1; the labels say which agent this is, and which programs it carries.',
    labelNames: ['version', 'from_vm_program', 'to_vm_program'],
    registers: [registry],
  }).set({ version, from_vm_program: programTags.fromVm, to_vm_program: programTags.toVm }, 1);
}

function frames(registry: Registry, counts: FilterCounts): void {
  new Counter({
    name: 'vmnetwork_agent_frames_total',
    help: 'Frames that the filters of this host judged, by what became of them and why.',
    labelNames: ['direction', 'verdict', 'reason'],
    registers: [registry],
    async collect() {
      const total = await counts.total();
      this.reset();
      for (const { direction, reason, audited } of allSeries(total)) {
        const verdict = audited ? 'audited' : isDrop(reason) ? 'dropped' : 'passed';
        const count = total.get(frameSeries(direction, reason, audited)) ?? 0n;
        this.inc({ direction: DIRECTIONS[direction], verdict, reason: reasonMetric(reason) }, Number(count));
      }
    },
  });
}

function detached(registry: Registry, losses: () => number): void {
  new Counter({
    name: 'vmnetwork_agent_detached_filters_total',
    help: 'Filters that somebody took off cards where they were in force.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(losses());
    },
  });
}

function violations(registry: Registry, counts: FilterCounts): void {
  new Counter({
    name: 'vmnetwork_agent_violation_thresholds_total',
    help: 'How often a VM reached its threshold of violations.',
    registers: [registry],
    async collect() {
      const total = await counts.total();
      this.reset();
      this.inc(Number(total.get(CROSSINGS) ?? 0n));
    },
  });
}

/** One for each reason that this version knows, before its first frame, and for those that a newer filter counted. */
function allSeries(total: Counts) {
  const found = [...total.keys()].flatMap((series) => reasonIn(series) ?? []);
  const reasons = [...new Set([...REASONS.map(({ number }) => number), ...found])];
  return reasons.flatMap((reason) =>
    (['from-vm', 'to-vm'] as const).flatMap((direction) =>
      (isDrop(reason) ? [false, true] : [false]).map((audited) => ({ direction, reason, audited })),
    ),
  );
}
