/** An answer of the API server other than 2xx, with what its Status object says. */
export class ApiFailure extends Error {
  readonly status: number;
  /** `NotFound`, `Conflict`, `Forbidden`, `Invalid`, ...; empty if the answer was no Status. */
  readonly reason: string;

  constructor(status: number, body: string, attempted: string) {
    const said = parseStatus(body);
    super(`${attempted}: ${String(status)} ${said.reason} ${said.message}`);
    this.name = 'ApiFailure';
    this.status = status;
    this.reason = said.reason;
  }
}

function parseStatus(body: string): { reason: string; message: string } {
  try {
    const { reason = '', message = body } = JSON.parse(body) as { reason?: string; message?: string };
    return { reason, message };
  } catch {
    return { reason: '', message: body.slice(0, 500) };
  }
}
