/** The API server cannot even be asked, because a kubeconfig, token or certificate is missing or wrong. */
export class ConnectionConfigError extends Error {
  override readonly name = 'ConnectionConfigError';
  /** The file or variable at fault. */
  readonly on: string;
  readonly remedy: string;

  constructor(on: string, problem: string, remedy: string, cause?: unknown) {
    super(`${on}: ${problem}. ${remedy}`, cause === undefined ? undefined : { cause });
    this.on = on;
    this.remedy = remedy;
  }
}
