import { messageOf } from '../system/errors.ts';
import type { Answers, Done, LabRequest } from './protocol.ts';

/** What is remembered: a day of a deployment every ten seconds. */
const mostRemembered = 10_000;

/** Requests that change a lab, or measure in it. */
type Recorded = Extract<LabRequest, { readonly do: 'deploy' | 'undeploy' | 'load' }>;

/** What a request asked for, as far as it is worth to be told. */
const askedFor = (request: Recorded): Pick<Done, 'component' | 'replicas' | 'ports'> => {
  if (request.do !== 'deploy') return {};
  const { component, replicas, port } = request;
  const { name, sha256 } = component;
  return { component: { name, sha256 }, replicas, ...(port === undefined ? {} : { ports: port }) };
};

/** What an answer adds to that. */
const answered = (answer: Answers[Recorded['do']]): Partial<Done> => {
  if ('counts' in answer) return { load: answer };
  if (!('replaced' in answer)) return { service: answer.service };
  const { service, ports, replaced } = answer;
  return { service, ports, what: replaced ? 'replace' : 'deploy' };
};

/** What was done with a lab since it stands. */
export class History {
  readonly #done: Done[] = [];
  #forgotten = 0;

  get all(): Answers['history'] {
    return { done: [...this.#done], forgotten: this.#forgotten };
  }

  /** Does what a request asks for, and remembers what came of it. */
  async record<T extends Answers[Recorded['do']]>(request: Recorded, work: () => Promise<T>): Promise<T> {
    const [at, began] = [new Date().toISOString(), performance.now()];
    const told = { at, what: request.do, service: request.service, ...askedFor(request) };
    const end = (more: Partial<Done>) => this.#add({ ...told, ...more, tookMs: performance.now() - began });
    try {
      const answer = await work();
      end(answered(answer));
      return answer;
    } catch (error) {
      end({ trouble: messageOf(error) });
      throw error;
    }
  }

  #add(one: Done): void {
    this.#done.push(one);
    if (this.#done.length <= mostRemembered) return;
    this.#done.shift();
    this.#forgotten += 1;
  }
}
