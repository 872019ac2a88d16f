import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/*
 * What is counted about loops and requests, under the names of controller-runtime and client-go, so that the dashboards
 * and alerts that people have fit. A series exists, at zero, before its first event: the first failure is then a rise,
 * which rate() sees, and not a series that was born at one.
 */

export const RECONCILE_RESULTS = ['success', 'error', 'requeue', 'requeue_after'] as const;
export type ReconcileResult = (typeof RECONCILE_RESULTS)[number];

export const EVENT_OUTCOMES = ['created', 'aggregated', 'updated', 'limited', 'dropped', 'refused'] as const;
/**
 * created: written as an object. aggregated: counted in a series, written later or not at all. updated: a series that
 * was written. limited: over the rate of its object. dropped: the queue was full, or tries ran out. refused: by the API
 * server, for example because the namespace is being deleted.
 */
export type EventOutcome = (typeof EVENT_OUTCOMES)[number];

/** What a queue shows of itself when it is asked. */
export interface QueueView {
  readonly depth: number;
  /** Sum over the keys that are being worked on, seconds. */
  readonly unfinishedWorkSeconds: number;
  readonly longestRunningSeconds: number;
}

export interface QueueMetrics {
  added(): void;
  /** A key was taken after so long in the queue. */
  taken(waitedSeconds: number): void;
  done(workedSeconds: number): void;
  retried(): void;
}

export interface ControllerMetrics {
  started(): void;
  ended(result: ReconcileResult, seconds: number): void;
}

const RECONCILE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const QUEUE_SECONDS = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000];
const REQUEST_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
/** `<error>` is client-go's word for a request without an answer. */
const REQUEST_CODES = ['200', '201', '404', '409', '410', '422', '429', '500', '503', '<error>'] as const;

/** One for a process, made by its main; everything else is handed it. */
export class Metrics {
  readonly registry: Registry;
  readonly #queues = new Map<string, () => QueueView>();
  readonly #leaders = new Map<string, () => boolean>();
  readonly #families;

  constructor(registry: Registry = new Registry()) {
    this.registry = registry;
    this.#families = {
      ...queueFamilies(registry, this.#queues),
      ...controllerFamilies(registry),
      requests: new Counter({
        name: 'rest_client_requests_total',
        help: 'HTTP requests to the API server, by status code ("<error>": no answer) and method.',
        labelNames: ['code', 'method'],
        registers: [registry],
      }),
      events: new Counter({
        name: 'vmnetwork_events_total',
        help: 'Kubernetes Events by what became of them.',
        labelNames: ['outcome'],
        registers: [registry],
      }),
      leader: new Gauge({
        name: 'leader_election_master_status',
        help: '1 while this process leads, by the clock of the moment it is asked.',
        labelNames: ['name'],
        registers: [registry],
        collect: () => this.#collectLeaders(),
      }),
    };
    for (const method of REQUEST_METHODS)
      for (const code of REQUEST_CODES) this.#families.requests.inc({ code, method }, 0);
    for (const outcome of EVENT_OUTCOMES) this.#families.events.inc({ outcome }, 0);
  }

  /** `view` is asked at each scrape; a later queue of the same name takes the place of the earlier one. */
  queue(name: string, view: () => QueueView): QueueMetrics {
    const { adds, retries, waited, worked } = this.#families;
    this.#queues.set(name, view);
    adds.inc({ name }, 0);
    retries.inc({ name }, 0);
    waited.zero({ name });
    worked.zero({ name });
    return {
      added: () => adds.inc({ name }),
      taken: (seconds) => waited.observe({ name }, seconds),
      done: (seconds) => worked.observe({ name }, seconds),
      retried: () => retries.inc({ name }),
    };
  }

  controller(controller: string, workers: number): ControllerMetrics {
    const { reconciles, errors, seconds, concurrent, active } = this.#families;
    for (const result of RECONCILE_RESULTS) reconciles.inc({ controller, result }, 0);
    errors.inc({ controller }, 0);
    seconds.zero({ controller });
    active.set({ controller }, 0);
    concurrent.set({ controller }, workers);
    return {
      started: () => active.inc({ controller }),
      ended: (result, tookSeconds) => {
        active.dec({ controller });
        seconds.observe({ controller }, tookSeconds);
        reconciles.inc({ controller, result });
        if (result === 'error') errors.inc({ controller });
      },
    };
  }

  /** One answer of the API server; `code` is its HTTP status or `<error>`. */
  request(code: number | '<error>', method: string): void {
    this.#families.requests.inc({ code: String(code), method });
  }

  event(outcome: EventOutcome): void {
    this.#families.events.inc({ outcome });
  }

  /** `isLeading` is asked at each scrape: a process that was stopped must not say what held before. */
  leaderElection(name: string, isLeading: () => boolean): void {
    this.#leaders.set(name, isLeading);
  }

  #collectLeaders(): void {
    for (const [name, isLeading] of this.#leaders) this.#families.leader.set({ name }, isLeading() ? 1 : 0);
  }
}

function controllerFamilies(registry: Registry) {
  const labelNames = ['controller'] as const;
  const registers = [registry];
  return {
    reconciles: new Counter({
      name: 'controller_runtime_reconcile_total',
      help: 'Reconciliations by result.',
      labelNames: ['controller', 'result'],
      registers,
    }),
    errors: new Counter({
      name: 'controller_runtime_reconcile_errors_total',
      help: 'Reconciliations that failed.',
      labelNames,
      registers,
    }),
    seconds: new Histogram({
      name: 'controller_runtime_reconcile_time_seconds',
      help: 'Time a reconciliation took.',
      buckets: RECONCILE_SECONDS,
      labelNames,
      registers,
    }),
    concurrent: new Gauge({
      name: 'controller_runtime_max_concurrent_reconciles',
      help: 'Workers of the controller.',
      labelNames,
      registers,
    }),
    active: new Gauge({
      name: 'controller_runtime_active_workers',
      help: 'Workers that reconcile now.',
      labelNames,
      registers,
    }),
  };
}

function queueFamilies(registry: Registry, queues: ReadonlyMap<string, () => QueueView>) {
  const labelNames = ['name'] as const;
  const registers = [registry];
  const gauge = (name: string, help: string, field: keyof QueueView) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        for (const [queue, view] of queues) this.set({ name: queue }, view()[field]);
      },
    });
  gauge('workqueue_depth', 'Keys that wait for a worker.', 'depth');
  gauge(
    'workqueue_unfinished_work_seconds',
    'Time spent so far on keys that are not done; grows without end if a worker hangs.',
    'unfinishedWorkSeconds',
  );
  gauge(
    'workqueue_longest_running_processor_seconds',
    'Time the slowest worker has spent so far on its key.',
    'longestRunningSeconds',
  );
  return {
    adds: new Counter({
      name: 'workqueue_adds_total',
      help: 'Keys that were added.',
      labelNames,
      registers,
    }),
    retries: new Counter({
      name: 'workqueue_retries_total',
      help: 'Keys that were added for later.',
      labelNames,
      registers,
    }),
    waited: new Histogram({
      name: 'workqueue_queue_duration_seconds',
      help: 'Time a key waited for a worker.',
      buckets: QUEUE_SECONDS,
      labelNames,
      registers,
    }),
    worked: new Histogram({
      name: 'workqueue_work_duration_seconds',
      help: 'Time a worker spent on a key.',
      buckets: QUEUE_SECONDS,
      labelNames,
      registers,
    }),
  };
}
