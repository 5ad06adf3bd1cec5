import type { ClusterMessage } from '../../lab/cluster/messages.ts';
import type { JobStatus, JobStatusMessage } from '../../worker/contract/job.ts';
import { taskId } from '../../worker/contract/names.ts';

/** An order that the cluster has sent. */
export type Order = {
  readonly what: 'deploy' | 'delete';
  readonly task: string;
  /** Its place among orders and words. */
  readonly at: number;
  /** True once the worker has answered its PUBLISH with a PUBACK: from then on it must be carried out. */
  acknowledged: boolean;
};

/** What the worker has said of an instance. */
type Word = { readonly task: string; readonly status: JobStatus; readonly at: number };

/** All that a cluster has ordered and was told, in order. */
export class Record {
  readonly orders: Order[] = [];
  readonly words: Word[] = [];
  readonly #lines: string[] = [];
  #count = 0;

  /** The order that a message is, if it is one. */
  orderOn(topic: string, text: string): Order | undefined {
    const what = /\/control\/(deploy|delete)$/.exec(topic)?.[1];
    if (what === undefined) return undefined;
    const { job_name, instance_number } = JSON.parse(text) as { job_name: string; instance_number: number };
    const task = taskId(job_name, instance_number);
    const order = { what: what as Order['what'], task, at: this.#next(`${what} ${task}`), acknowledged: false };
    this.orders.push(order);
    return order;
  }

  acknowledged(order: Order): void {
    order.acknowledged = true;
    this.#next(`${order.what} ${order.task} acknowledged`);
  }

  hear({ direction, topic, payload }: ClusterMessage): void {
    if (direction === 'out') return;
    if (!topic.endsWith('/job')) return;
    const { sname, instance, status, status_detail } = payload as JobStatusMessage;
    const task = taskId(sname, instance);
    const detail = (status_detail ?? '').split('\n')[0] ?? '';
    this.words.push({ task, status, at: this.#next(`  ${task} ${status} ${detail}`.trimEnd()) });
  }

  /** Something else that is worth a line among what was said. */
  note(text: string): void {
    this.#next(`* ${text}`);
  }

  /** What was said and noted from the `from`th line on. */
  lines(from: number): readonly string[] {
    return this.#lines.slice(from);
  }

  get length(): number {
    return this.#lines.length;
  }

  #next(line: string): number {
    this.#lines.push(`${(performance.now() / 1000).toFixed(2).padStart(8)} s  ${line}`);
    this.#count += 1;
    return this.#count;
  }
}
