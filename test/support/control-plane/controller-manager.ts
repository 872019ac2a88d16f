import { join } from 'node:path';
import { Daemon } from './daemon.ts';

export interface ControllerManagerOptions {
  program: string;
  folder: string;
  /** Of system:masters. */
  kubeconfig: string;
  /** Its own names, see `kube-controller-manager --help`. */
  controllers: readonly string[];
  serviceAccountKey: string;
  clusterAuthority: string;
}

/** kube-controller-manager with few controllers and no port of its own. */
export class ControllerManager {
  readonly #options: ControllerManagerOptions;
  #daemon: Daemon | null = null;

  constructor(options: ControllerManagerOptions) {
    this.#options = options;
  }

  /** Begins; it works once it has found the API server, which the tests see by what it does. */
  start(): void {
    const { program, folder, kubeconfig, controllers, serviceAccountKey, clusterAuthority } = this.#options;
    this.#daemon = new Daemon(
      [
        program,
        `--kubeconfig=${kubeconfig}`,
        `--controllers=${controllers.join(',')}`,
        `--service-account-private-key-file=${serviceAccountKey}`,
        `--root-ca-file=${clusterAuthority}`,
        '--leader-elect=false',
        '--secure-port=0',
        '--v=1',
      ],
      join(folder, 'kube-controller-manager.log'),
    );
  }

  async kill(): Promise<void> {
    await this.#daemon?.end('SIGKILL');
  }
}
