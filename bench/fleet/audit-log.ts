/**
 * What the API server was asked by the controller, from the server's own audit log: exact, by object, and independent of what
 * the controller counts.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

export interface AuditedRequest {
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`. */
  readonly verb: string;
  /** `vmnetworks`, or with its subresource `vmnetworks/status`; empty for what is no object. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly code: number;
}

/** Of its ServiceAccount, and of its Lease. */
export const CONTROLLER = 'vmnetwork-controller';

interface AuditEvent {
  auditID: string;
  verb: string;
  objectRef?: { resource?: string; subresource?: string; namespace?: string; name?: string };
  responseStatus?: { code?: number };
}

/** The policy of a log that has the requests of one user and nothing else. */
export function auditPolicyFor(user: string): object {
  return {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata', users: [user] }, { level: 'None' }],
  };
}

/** What follows the last read; a watch, which is logged when it starts and again when it ends, is told of once. */
export class AuditLog {
  readonly #path: string;
  readonly #watches = new Set<string>();
  #offset = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Passes over what was logged up to now. */
  skip(): void {
    this.read();
  }

  /** Complete lines that were added since the last read. The server answers after it has logged. */
  read(): AuditedRequest[] {
    const text = this.#added();
    const end = text.lastIndexOf('\n') + 1;
    this.#offset += Buffer.byteLength(text.slice(0, end));
    const events = text
      .slice(0, end)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as AuditEvent);
    return events.filter((event) => this.#isNew(event)).map(requestOf);
  }

  #added(): string {
    const file = openSync(this.#path, 'r');
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - this.#offset));
      const length = readSync(file, bytes, 0, bytes.length, this.#offset);
      return bytes.subarray(0, length).toString('utf8');
    } finally {
      closeSync(file);
    }
  }

  #isNew({ verb, auditID }: AuditEvent): boolean {
    if (verb !== 'watch') return true;
    if (this.#watches.has(auditID)) return false;
    this.#watches.add(auditID);
    return true;
  }
}

function requestOf({ verb, objectRef = {}, responseStatus }: AuditEvent): AuditedRequest {
  const { resource = '', subresource, namespace = '', name = '' } = objectRef;
  const full = subresource === undefined ? resource : `${resource}/${subresource}`;
  return { verb, resource: full, namespace, name, code: responseStatus?.code ?? 0 };
}

/** How often each `verb resource` was asked. */
export function countsOf(requests: readonly AuditedRequest[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { verb, resource } of requests) {
    const what = `${verb} ${resource}`.trim();
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return counts;
}

/**
 * Its own Lease, by which the controller leads: a request every few seconds, whatever the fleet does. The only one that it
 * creates; a creation is logged without a name.
 */
export function isOfLeadership({ verb, resource, name }: AuditedRequest): boolean {
  return resource === 'leases' && (verb === 'create' || name === CONTROLLER);
}
