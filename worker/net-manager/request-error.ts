/** A request that is answered with an error. `status` is the HTTP status that the contract gives it. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly status: 400 | 404 | 500 | 503;
  constructor(status: 400 | 404 | 500 | 503, message: string, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

/** The refusal of a request for an instance that is not there. */
export const notDeployed = (name: string): RequestError => new RequestError(404, `${name} is not deployed here`);
