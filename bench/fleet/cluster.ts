import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { untilPoliciesAreInForce } from '../../test/support/chart/guarded-cluster.ts';
import { CHART, Helm, SYSTEM_NAMESPACE } from '../../test/support/chart/helm.ts';
import { ControlPlane } from '../../test/support/control-plane/index.ts';
import { accessOf } from '../../test/support/scripted-agent/access.ts';
import { ApiClient } from '../../test/support/scripted-agent/api-client.ts';
import { AuditLog, auditPolicyFor, CONTROLLER } from './audit-log.ts';

/** An API server of our own with CRDs, RBAC and guardrails of the chart, which logs what the controller asks. */
export class FleetCluster {
  readonly audit: AuditLog;
  /** Everything that is not the controller: administrator, tenants and agents in one. */
  readonly client: ApiClient;
  readonly #plane: ControlPlane;
  readonly #folder: string;

  private constructor(plane: ControlPlane, folder: string) {
    this.#plane = plane;
    this.#folder = folder;
    this.client = new ApiClient(accessOf(plane.adminKubeconfig), 'bench-fleet');
    this.audit = new AuditLog(logIn(folder));
  }

  static async start(): Promise<FleetCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'vmn-bench-'));
    try {
      const plane = await ControlPlane.start({ apiServerFlags: auditFlags(folder) });
      const cluster = new FleetCluster(plane, folder);
      try {
        await cluster.#install();
        return cluster;
      } catch (error) {
        await cluster.stop();
        throw error;
      }
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async ensureNamespace(name: string): Promise<void> {
    await this.#plane.ensureNamespace(name);
  }

  /** Of the ServiceAccount that the chart makes for it. */
  controllerKubeconfig(): Promise<string> {
    return this.#plane.kubeconfigForServiceAccount({ namespace: SYSTEM_NAMESPACE, name: CONTROLLER });
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.#plane.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #install(): Promise<void> {
    await this.#plane.installCrds(join(CHART, 'crds'));
    await this.#plane.ensureNamespace(SYSTEM_NAMESPACE);
    const objects = await new Helm(this.#plane.helm, this.#plane.folder).template();
    await this.#plane.apply(objects, SYSTEM_NAMESPACE);
    await untilPoliciesAreInForce(this.#plane);
  }
}

function logIn(folder: string): string {
  return join(folder, 'audit.log');
}

function auditFlags(folder: string): string[] {
  const policy = join(folder, 'audit-policy.json');
  writeFileSync(
    policy,
    JSON.stringify(auditPolicyFor(`system:serviceaccount:${SYSTEM_NAMESPACE}:${CONTROLLER}`)),
  );
  // One file however long it gets: we read on where we were.
  return [`--audit-policy-file=${policy}`, `--audit-log-path=${logIn(folder)}`, '--audit-log-maxsize=4096'];
}
